"""Whoever only reviews sees their own sessions and nothing else: every other page could tell the arms apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin

from evaluation.permissions import may_rate, may_run_experiments, sees_only_reviews

WHO_SEES_MORE = "Your account reviews. What is compared stays closed to it, so that its ratings are blind."
_OPEN = frozenset({"login", "logout", "health", "csp-report"})
_ROOM = "evaluation:review"


class ReviewGateMiddleware(MiddlewareMixin):
    """Sets ``request.only_reviews`` for the templates, and keeps such people out of every other page."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        only = _only_reviews(request)
        request.only_reviews = only  # type: ignore[attr-defined] # middleware may add to a request
        match = request.resolver_match
        name = match.view_name if match else ""
        if not only or name in _OPEN or name.startswith(_ROOM):
            return None
        if name == "evaluation:overview":
            return redirect("evaluation:reviews")
        raise PermissionDenied(WHO_SEES_MORE)


def _only_reviews(request: HttpRequest) -> bool:
    person = request.user
    # Permissions are read once for a request, and most pages ask for them anyway; groups only where it matters.
    if not isinstance(person, User) or not may_rate(person) or may_run_experiments(person):
        return False
    groups = frozenset(person.groups.values_list("name", flat=True))
    return sees_only_reviews(groups, is_superuser=person.is_superuser)
