"""A reviewer at work: by keyboard, by touch, without a network, with a key that is held, and back again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from evaluation.models import ReviewAssignment, ReviewSession, ReviewSlot, ReviewVote
from tests.functional.browsing import OpenPage
from tests.functional.looks import NARROW
from tests.functional.service import Service
from tests.review_factories import make_review_item, make_review_session

REVIEWER = "rita"
_PAINTED = "old => { const now = document.querySelector('[data-review]').dataset.painted; return now && now !== old; }"
_FINISHED = "**/done/"


@pytest.fixture
def session(service: Service) -> ReviewSession:
    """Twenty items, all waiting for one reviewer."""
    person, _ = User.objects.get_or_create(username=REVIEWER)
    person.groups.add(Group.objects.get(name="reviewer"))
    session = make_review_session()
    for number in range(1, 21):
        make_review_item(
            session,
            slots=1,
            position=number,
            question=f"Question {number}: does the warranty hold?",
            evidence=f"Terms, section {number}. The unit is registered within 90 days.",
            first_text=f"No, not as planned. Clause {number} says so.\n\nThe unit is rated IP65.",
            second_text=f"**Yes.** Clause {number} says so.\n\n- The unit is rated IP65.\n- Register it.",
        )
    ReviewAssignment.objects.create(session=session, person=person, created_at=timezone.now())
    return session


def begin(page: Page, session: ReviewSession) -> Page:
    page.goto(f"/review/{session.pk}/")
    seen(page)
    return page


def seen(page: Page, before: str | None = None) -> str:
    """Waits until an item is painted, another one than ``before``; its token."""
    page.wait_for_function(_PAINTED, arg=before)
    return str(page.locator("[data-review]").get_attribute("data-painted"))


def rate(page: Page, keys: str) -> str:
    """All questions of the item on the screen by key; the token of the item that follows."""
    token = seen(page)
    for key in keys:
        page.keyboard.press(key)
    return seen(page, token)


def votes_of(session: ReviewSession) -> list[tuple[int | None, int | None, int | None]]:
    """Of each slot the vote that counts, in the order in which they were given."""
    slots = ReviewSlot.objects.filter(session=session, state="done").order_by("acted_at")
    last = [slot.votes.order_by("-revision").first() for slot in slots]
    return [(vote.facts_a, vote.facts_b, vote.preference) for vote in last if vote is not None]


def settled(page: Page) -> None:
    expect(page.locator("[data-saved]")).to_have_text("Saved")


def position(page: Page) -> str:
    return page.locator("[data-position]").inner_text()


def test_a_whole_session_by_keyboard(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    given = [(1 + number % 5, 1 + (number // 2) % 5, number % 6) for number in range(20)]
    for number, levels in enumerate(given, start=1):
        expect(page.locator("[data-position]")).to_have_text(str(number))
        if number < 20:
            rate(page, "".join(map(str, levels)))
    for level in given[-1]:
        page.keyboard.press(str(level))
    page.wait_for_url(_FINISHED)
    assert votes_of(session) == given


def test_the_time_left_follows_the_pace(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    left = page.locator("[data-left]")
    expect(left).to_be_hidden()
    for _ in range(3):
        rate(page, "111")
    expect(left).to_have_text("about 1 min left")


def test_a_whole_session_by_touch(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER, viewport=NARROW, has_touch=True, is_mobile=True), session)
    for number in range(1, 21):
        expect(page.locator("[data-position]")).to_have_text(str(number))
        seen(page)
        tap(page, "Facts in A", "Minor slip")
        tap(page, "Facts in B", "All supported")
        tap(page, "Which is better overall?", "B a bit")
    page.wait_for_url(_FINISHED)
    assert votes_of(session) == [(2, 1, 4)] * 20


def tap(page: Page, question: str, level: str) -> None:
    page.get_by_role("group", name=question).get_by_role("radio", name=level, exact=True).tap()


def test_five_items_without_a_network(new_context: Callable[..., BrowserContext], service: Service, session) -> None:
    context = new_context(base_url=service.url)
    context.add_cookies([{"name": "sessionid", "value": service.session_of(REVIEWER), "url": service.url}])
    page = begin(context.new_page(), session)
    rate(page, "111")
    settled(page)
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    for _ in range(5):
        rate(page, "225")
    expect(page.locator("[data-saved]")).to_contain_text("5 not saved yet")
    assert len(votes_of(session)) == 1
    context.set_offline(False)
    settled(page)
    assert votes_of(session) == [(1, 1, 1), *[(2, 2, 5)] * 5]
    assert position(page) == "7"
    for _ in range(13):
        rate(page, "334")
    for key in "445":
        page.keyboard.press(key)
    page.wait_for_url(_FINISHED)
    assert votes_of(session) == [(1, 1, 1), *[(2, 2, 5)] * 5, *[(3, 3, 4)] * 13, (4, 4, 5)]


def test_what_is_not_saved_survives_a_reload(new_context, service: Service, session: ReviewSession) -> None:
    context = new_context(base_url=service.url)
    context.add_cookies([{"name": "sessionid", "value": service.session_of(REVIEWER), "url": service.url}])
    page = begin(context.new_page(), session)
    page.on("dialog", lambda dialog: dialog.accept())
    context.route("**/votes/", lambda route: route.abort())
    rate(page, "145")
    expect(page.locator("[data-saved]")).to_contain_text("1 not saved yet")
    context.unroute("**/votes/")
    page.reload()
    settled(page)
    seen(page)
    assert votes_of(session) == [(1, 4, 5)]
    assert position(page) == "2"


def test_a_key_that_is_held_answers_once(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    for _ in range(30):
        page.keyboard.down("1")
    expect(page.locator("[data-q=b]")).to_have_attribute("data-active", "")
    expect(page.locator("[data-q] input:checked")).to_have_count(1)
    page.keyboard.up("1")
    page.keyboard.press("1")
    token = seen(page)
    for _ in range(30):
        page.keyboard.down("3")
    seen(page, token)
    for _ in range(30):
        page.keyboard.down("3")
    page.keyboard.up("3")
    settled(page)
    expect(page.locator("[data-q] input:checked")).to_have_count(0)
    assert votes_of(session) == [(1, 1, 3)]


def test_an_item_that_was_not_painted_takes_no_answer(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    page.evaluate("window.requestAnimationFrame = () => 0")
    for key in "113224":
        page.keyboard.press(key)
    settled(page)
    expect(page.locator("[data-q] input:checked")).to_have_count(0)
    assert votes_of(session) == [(1, 1, 3)]


def test_undo_leads_back_across_items(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    for keys in ("113", "224", "335"):
        rate(page, keys)
    settled(page)
    token = seen(page)
    page.keyboard.press("z")
    seen(page, token)
    assert position(page) == "3"
    expect(page.get_by_role("group", name="Facts in A").get_by_label("Major error")).to_be_checked()
    expect(page.locator("[name=preference]:checked")).to_have_count(0)
    page.keyboard.press("z")
    page.keyboard.press("4")
    page.keyboard.press("1")
    assert position(page) == "4"
    settled(page)
    assert votes_of(session) == [(1, 1, 3), (2, 2, 4), (3, 4, 1)]
    revised = ReviewVote.objects.filter(slot__session=session).order_by("pk").last()
    assert revised is not None
    assert revised.revision == 2


def test_undo_reaches_ten_items_back_even_after_a_reload(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    for _ in range(12):
        rate(page, "111")
    settled(page)
    page.reload()
    for place in range(12, 2, -1):
        token = seen(page)
        for _ in range(0 if place == 12 else 2):
            page.keyboard.press("z")
        page.keyboard.press("z")
        seen(page, token)
        assert position(page) == str(place)
    for _ in range(3):
        page.keyboard.press("z")
    expect(page.locator("[data-said]")).to_have_text("There is nothing to undo.")


def test_a_refused_vote_brings_its_item_back(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    first = page.locator("[data-question]").inner_text()
    page.route("**/votes/", lambda route: route.fulfill(status=422, json={"problem": "The ink has run out."}))
    page.keyboard.press("n")
    page.keyboard.type("looks odd")
    page.keyboard.press("Enter")
    for key in "345":
        page.keyboard.press(key)
    expect(page.get_by_role("alert")).to_contain_text("The ink has run out.")
    expect(page.locator("[data-question]")).to_have_text(first)
    assert position(page) == "1"
    expect(page.locator("[data-q] input:checked")).to_have_count(3)
    expect(page.get_by_label("Note")).to_have_value("looks odd")
    page.unroute("**/votes/")
    page.get_by_role("button", name="Save and next").click()
    settled(page)
    assert votes_of(session) == [(3, 4, 5)]
    vote = ReviewVote.objects.get(slot__session=session)
    assert vote.note == "looks odd"
