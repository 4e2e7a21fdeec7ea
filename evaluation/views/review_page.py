"""The reviewer's page and what its script asks for. Nothing that leaves here may tell one arm from the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from evaluation.forms.review_sheets import SheetForm
from evaluation.models import ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.policies import WrongState
from evaluation.selectors.review_page import QUESTIONS, ShownItem, fair_share, find_own_session, own_figures, shown_item
from evaluation.selectors.review_queue import calibration_feedback, progress_of, revealed, review_card
from evaluation.services.review_sessions import join_session
from evaluation.services.review_sheets import CHIP_KINDS, InvalidSheet
from evaluation.services.review_slots import LeaseLost, NotAssigned, claim_slots, pause_reviewer, renew_lease
from evaluation.services.review_votes import (
    NothingToUndo,
    NotRevisable,
    VoteStands,
    reveal_slot,
    revise_vote,
    skip_slot,
    submit_vote,
    undo_step,
    vote_after_reveal,
)

_REFUSALS = (LeaseLost, NotAssigned, NotRevisable, NothingToUndo, VoteStands, WrongState)
# What a page may hold besides the item on the screen: enough to go on for a while without a network.
_MOST_AHEAD = 6
_MOST_HELD = 20


def _load(request: HttpRequest, pk: int) -> tuple[ReviewSession, User]:
    """A reviewer's own session; any other does not exist for them."""
    person = request.user
    session = find_own_session(pk, person) if isinstance(person, User) else None
    if session is None or not isinstance(person, User):
        raise Http404
    return session, person


@never_cache
@require_safe
def show_page(request: HttpRequest, pk: int) -> HttpResponse:
    session, person = _load(request, pk)
    held, refusal = _claim(session, person, wanted=1)
    if not held and not refusal:
        return redirect("evaluation:review-done", pk=pk)
    item = shown_item(review_card(held[0])) if held else None
    return _page(request, session, person, item, refusal)


def _page(
    request: HttpRequest, session: ReviewSession, person: User, item: ShownItem | None, refusal: str = ""
) -> HttpResponse:
    progress = progress_of(session, person)
    context = {
        "session": session,
        "person": person,
        "progress": progress,
        "position": min(progress.done + 1, progress.total),
        "item": item,
        "nothing": refusal,
        "questions": QUESTIONS,
        "skip_reasons": ReviewSlot.SkipReason.choices,
        "chip_kinds": CHIP_KINDS.items(),
    }
    return render(request, "evaluation/review_page.html", context)


@never_cache
@require_safe
def show_end(request: HttpRequest, pk: int) -> HttpResponse:
    """What the reviewer did, for their own eyes."""
    session, person = _load(request, pk)
    context = {
        "session": session,
        "progress": progress_of(session, person),
        "figures": own_figures(session, person),
        "person": person,
    }
    return render(request, "evaluation/review_done.html", context)


def _claim(
    session: ReviewSession, person: User, *, wanted: int, holding: Sequence[UUID] = ()
) -> tuple[list[ReviewSlot], str]:
    """What this person holds from now on, or why they get nothing. What they hold already is renewed."""
    now = timezone.now()
    try:
        if session.open_queue:
            join_session(session=session, person=person, now=now)
        screen = next(iter(holding), None)
        return claim_slots(session=session, person=person, now=now, wanted=wanted, screen=screen), ""
    except (NotAssigned, WrongState) as refusal:
        return [], str(refusal)


@require_POST
def give_next(request: HttpRequest, pk: int) -> HttpResponse:
    """One further item that the page does not hold yet; 204 when there is none for this person now."""
    session, person = _load(request, pk)
    holding = _tokens(request)
    held_ahead = max(0, len(holding) - 1)
    if held_ahead and held_ahead >= fair_share(session, held=held_ahead, most=_MOST_AHEAD):
        _claim(session, person, wanted=0, holding=holding)
        return HttpResponse(status=HTTPStatus.ACCEPTED)
    held, refusal = _claim(session, person, wanted=len(holding) + 1, holding=holding)
    if refusal:
        return _problem(refusal, HTTPStatus.CONFLICT)
    new = next((slot for slot in held if slot.token not in holding), None)
    if new is None:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return _item_response(request, shown_item(review_card(new)))


def _tokens(request: HttpRequest) -> list[UUID]:
    """What the page holds, the item on the screen first."""
    found = []
    for text in request.POST.getlist("holding")[:_MOST_HELD]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


@require_POST
def keep_leases(request: HttpRequest, pk: int) -> HttpResponse:
    """The heartbeat, in a paused session too. What was lost in the meantime shows when its vote arrives."""
    session, person = _load(request, pk)
    for token in _tokens(request)[:1]:
        with suppress(LeaseLost):
            renew_lease(token=token, person=person, now=timezone.now())
    _claim(session, person, wanted=0)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@require_POST
def save_vote(request: HttpRequest, pk: int) -> HttpResponse:
    """A vote, its revision, or what somebody thinks after the reveal: the slot knows which."""
    _, person = _load(request, pk)
    form = SheetForm(request.POST)
    if not form.is_valid():
        return _refused(request, pk, form.first_problem(), HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        vote = _store(form, person)
    except InvalidSheet as refusal:
        return _refused(request, pk, str(refusal), HTTPStatus.UNPROCESSABLE_ENTITY)
    except _REFUSALS as refusal:
        return _refused(request, pk, str(refusal), HTTPStatus.CONFLICT)
    if not _is_script(request):
        return redirect("evaluation:review", pk=pk)
    return JsonResponse({"saved": vote.revision, "html": _feedback(request, vote)})


def _store(form: SheetForm, person: User) -> ReviewVote:
    token, sheet, now = form.token_value, form.sheet(), timezone.now()
    if not form.is_revision:
        return submit_vote(token=token, person=person, sheet=sheet, now=now)
    if form.cleaned_data["revealed"]:
        return vote_after_reveal(token=token, person=person, sheet=sheet, now=now)
    try:
        return revise_vote(token=token, person=person, sheet=sheet, now=now)
    except LeaseLost:
        # The first one never arrived: the page took it back before it knew.
        return submit_vote(token=token, person=person, sheet=sheet, now=now)


def _feedback(request: HttpRequest, vote: ReviewVote) -> str:
    """What a calibration item teaches; of every other item, gold ones among them, nothing is told."""
    if vote.slot.item.kind != ReviewItem.Kind.CALIBRATION:
        return ""
    context = {"feedback": calibration_feedback(vote.slot)}
    return render_to_string("evaluation/_review_feedback.html", context, request)


@require_POST
def skip(request: HttpRequest, pk: int) -> HttpResponse:
    _, person = _load(request, pk)
    form = SheetForm(request.POST)
    reason = request.POST.get("reason", "")
    if not form.is_valid() or reason not in ReviewSlot.SkipReason:
        return _problem("Name the item and a reason for skipping it.", HTTPStatus.UNPROCESSABLE_ENTITY)
    token = form.token_value
    return _done(lambda: skip_slot(token=token, person=person, reason=reason, now=timezone.now()))


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    session, person = _load(request, pk)
    return _done(lambda: pause_reviewer(session=session, person=person, now=timezone.now()))


def _done(act: Callable[[], object]) -> HttpResponse:
    try:
        act()
    except _REFUSALS as refusal:
        return _problem(str(refusal), HTTPStatus.CONFLICT)
    return JsonResponse({"saved": 1})


@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """The item before ``before``, or the last one, with the answers that stand."""
    session, person = _load(request, pk)
    before = next(iter(_tokens(request)), None)
    try:
        undone = undo_step(session=session, person=person, now=timezone.now(), before=before)
    except _REFUSALS as refusal:
        return _refused(request, pk, str(refusal), HTTPStatus.CONFLICT)
    item = shown_item(review_card(undone.slot), undone.vote)
    return _item_response(request, item) if _is_script(request) else _page(request, session, person, item)


@require_POST
def reveal(request: HttpRequest, pk: int) -> HttpResponse:
    """What stood on which side; from then on the blind vote is final."""
    _, person = _load(request, pk)
    token = next(iter(_tokens(request)), None)
    if token is None:
        return _problem("Rate an item first.", HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        slot = reveal_slot(token=token, person=person, now=timezone.now())
    except _REFUSALS as refusal:
        return _problem(str(refusal), HTTPStatus.CONFLICT)
    return render(request, "evaluation/_review_reveal.html", {"shown": revealed(slot)})


def _item_response(request: HttpRequest, item: ShownItem) -> HttpResponse:
    response = render(request, "evaluation/_review_item.html", {"item": item})
    response["Cache-Control"] = "no-store"
    return response


def _is_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _refused(request: HttpRequest, pk: int, words: str, status: HTTPStatus) -> HttpResponse:
    """Without a script the page itself says so."""
    if _is_script(request):
        return _problem(words, status)
    messages.error(request, words)
    return redirect("evaluation:review", pk=pk)


def _problem(words: str, status: HTTPStatus) -> JsonResponse:
    return JsonResponse({"problem": words}, status=status)
