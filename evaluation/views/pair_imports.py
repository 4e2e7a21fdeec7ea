from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from evaluation.forms.pair_imports import PairImportForm
from evaluation.models import ReviewSession
from evaluation.permissions import require_review_maker
from evaluation.services.imports import ImportRejected
from evaluation.services.pair_imports import import_uploaded_pairs
from evaluation.services.review_sessions import InvalidReviewSession
from fusion_site.lib.htmx import render_page


@require_http_methods(["GET", "HEAD", "POST"])
def upload_pairs(request: HttpRequest) -> HttpResponse:
    require_review_maker(request.user)
    form = PairImportForm(request.POST, request.FILES) if request.method == "POST" else PairImportForm()
    session = _import(request, form) if form.is_valid() else None
    if session is not None:
        messages.success(request, "The pairs are imported.")
        return redirect("evaluation:review-session", pk=session.pk)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render_page(request, "evaluation/pair_import.html", {"form": form}, fragments=["pairs"], status=status)


def _import(request: HttpRequest, form: PairImportForm) -> ReviewSession | None:
    """None where something is wrong; the form then says what."""
    person = request.user
    try:
        return import_uploaded_pairs(
            plan=form.plan(),
            pairs=form.cleaned_data["pairs"],
            outputs=form.cleaned_data["outputs"] or None,
            by=person if isinstance(person, User) else None,
            now=timezone.now(),
        )
    except ImportRejected as refusal:
        form.add_file_problems(refusal.problems)
    except InvalidReviewSession as refusal:
        form.add_problems(refusal.problems)
    return None
