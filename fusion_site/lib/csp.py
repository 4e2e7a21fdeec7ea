"""The content security policy, and the one variable that lets a template name its nonce."""

from __future__ import annotations

from csp.constants import NONCE, NONE, SELF
from django.http import HttpRequest

REPORT_PATH = "/csp-report/"

POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],  # a chart is saved as an image through a blob
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "report-uri": REPORT_PATH,
    }
}


def csp_nonce(request: HttpRequest) -> dict[str, object]:
    """django-htmx looks for ``csp_nonce`` in the context; Django puts it there from 6.0 on only."""
    return {"csp_nonce": getattr(request, "csp_nonce", "")}
