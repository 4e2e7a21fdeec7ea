"""Review sessions as lists and pages around the rating itself."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from evaluation.models import ReviewAssignment, ReviewSession
from evaluation.permissions import WHO_MAKES_REVIEWS, may_make_reviews
from evaluation.selectors.review_desk import sessions_page
from evaluation.selectors.review_queue import OwnSession, own_sessions
from fusion_site.lib.htmx import render_page


@never_cache
@require_safe
def list_reviews(request: HttpRequest) -> HttpResponse:
    """What waits for this person, then what they own."""
    makes = may_make_reviews(request.user)
    context = {
        "own": _own(request),
        "page": sessions_page(after=request.GET.get("after"), before=request.GET.get("before")) if makes else None,
        "now": timezone.now(),
        "may_make": makes,
        "who_may": WHO_MAKES_REVIEWS,
    }
    return render_page(request, "evaluation/reviews.html", context, fragments=["rows"])


@never_cache
@require_safe
def count_waiting(request: HttpRequest) -> JsonResponse:
    """Items that wait for this person, for the number beside the navigation entry."""
    mine = (one for one in _own(request) if one.joined and one.role == ReviewAssignment.Role.REVIEWER)
    going = (one.progress for one in mine if one.session.state == ReviewSession.State.OPEN)
    waiting = sum(progress.total - progress.done for progress in going)
    return JsonResponse({"waiting": waiting})


def _own(request: HttpRequest) -> list[OwnSession]:
    return own_sessions(request.user) if isinstance(request.user, User) else []
