from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from evaluation.forms.reviews import AdjudicationForm
from evaluation.models import ReviewAssignment, ReviewSession
from evaluation.permissions import owns_review, require_review_adjudicator
from evaluation.selectors.review_disputes import Dispute, next_dispute
from evaluation.services.adjudications import InvalidAdjudication, NotDisputed, OwnVote, adjudicate_item
from evaluation.stats.review_levels import mirrored

_OTHER_SIDE = {"first_facts": "second_facts", "second_facts": "first_facts"}


def _load(request: HttpRequest, pk: int) -> tuple[ReviewSession, User]:
    person = request.user
    if not isinstance(person, User):
        raise Http404
    session = get_object_or_404(ReviewSession, pk=pk)
    part = ReviewAssignment.objects.filter(session=session, person=person).first()
    require_review_adjudicator(person, session, part)
    return session, person


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def settle(request: HttpRequest, pk: int) -> HttpResponse:
    """The item that is furthest from agreement; what is decided about it leads to the next one."""
    session, person = _load(request, pk)
    if request.method != "POST":
        return _page(request, session, next_dispute(session, person), AdjudicationForm())
    dispute = next_dispute(session, person, item=_item(request))
    if dispute is None:
        messages.info(request, "Somebody has settled this item, or its votes agree by now.")
        return redirect("evaluation:review-settle", pk=pk)
    form = AdjudicationForm(request.POST)
    if form.is_valid() and _store(request, form, dispute, person):
        return redirect("evaluation:review-settle", pk=pk)
    return _page(request, session, dispute, form)


def _item(request: HttpRequest) -> int:
    text = request.POST.get("item", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _store(request: HttpRequest, form: AdjudicationForm, dispute: Dispute, person: User) -> bool:
    """Maps left and right to the arms; False where it was refused and the form says why."""
    left, right = form.cleaned_data["first_facts"], form.cleaned_data["second_facts"]
    first, second = (left, right) if dispute.first_is_left else (right, left)
    try:
        adjudicate_item(
            item=dispute.item,
            by=person,
            first_facts=first,
            second_facts=second,
            preference=mirrored(form.cleaned_data["preference"], dispute.first_is_left),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
    except InvalidAdjudication as refusal:
        form.add_problems(_as_shown(refusal, is_left=dispute.first_is_left))
        return False
    except (NotDisputed, OwnVote) as refusal:
        messages.info(request, str(refusal))
    return True


def _as_shown(refusal: InvalidAdjudication, *, is_left: bool) -> list[tuple[str, str]]:
    return [(field if is_left else _OTHER_SIDE.get(field, field), message) for field, message in refusal.problems]


def _page(
    request: HttpRequest, session: ReviewSession, dispute: Dispute | None, form: AdjudicationForm
) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    owns = owns_review(request.user, session)
    context = {"session": session, "dispute": dispute, "form": form, "owns": owns}
    return render(request, "evaluation/review_settle.html", context, status=status)
