"""One URL answers with a page or with the fragment of it that htmx asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    fragments: Collection[str] = (),
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """The page, or the partial of ``template`` whose name htmx gave as its target.

    ``fragments`` is the allow-list. A partial's name is its element's id is the target: one word. Any other target
    gets the whole page.
    """
    fragment = wanted_fragment(request, fragments)
    name = f"{template}#{fragment}" if fragment else template
    response = render(request, name, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def wanted_fragment(request: HttpRequest, fragments: Collection[str]) -> str | None:
    """The target of an htmx request where the page offers it; a restored history entry always needs the whole page."""
    if not is_htmx(request) or request.headers.get("HX-History-Restore-Request") == "true":
        return None
    target = request.headers.get("HX-Target", "")
    return target if target in fragments else None


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def send_htmx_elsewhere(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Turn a redirect into ``HX-Redirect``.

    A browser follows a redirect before htmx can see it, and htmx would put the next page into the fragment. So the
    view answers plainly and the browser goes there as it would without JavaScript. The response is changed in place:
    its cookies (session, messages) have to survive.
    """
    if is_htmx(request) and response.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}:
        response["HX-Redirect"] = response["Location"]
        del response["Location"]
        response.status_code = HTTPStatus.NO_CONTENT
        patch_vary_headers(response, ["HX-Request"])
    return response


class HtmxRedirectMiddleware:
    """Applies ``send_htmx_elsewhere`` to every answer, without a thread of its own in either mode."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self._answer(request)
        return send_htmx_elsewhere(request, self.get_response(request))

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        return send_htmx_elsewhere(request, await self.get_response(request))
