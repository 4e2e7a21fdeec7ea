"""What a reviewer does beside the three keys: mark sentences, skip, learn, look behind the curtain, pause."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect

from evaluation.models import ReviewAssignment, ReviewSession, ReviewSlot, ReviewVote
from tests.functional.browsing import OpenPage
from tests.functional.service import Service
from tests.functional.test_review import begin, position, rate, seen, settled
from tests.review_factories import make_review_item, make_review_session

REVIEWER = "ralf"


@pytest.fixture
def session(service: Service) -> ReviewSession:
    """Four items whose answers have three sentences each."""
    person, _ = User.objects.get_or_create(username=REVIEWER)
    person.groups.add(Group.objects.get(name="reviewer"))
    session = make_review_session(reveals=True)
    for number in range(4):
        make_review_item(
            session,
            slots=1,
            position=number,
            question=f"Question {number}?",
            evidence="Clause 7.",
            first_text="It holds. It is rated IP65. Register it.",
            second_text="It fails. It is rated IP44. Return it.",
        )
    ReviewAssignment.objects.create(session=session, person=person, created_at=timezone.now())
    return session


def first_vote(session: ReviewSession) -> ReviewVote:
    return ReviewVote.objects.filter(slot__session=session).earliest("pk")


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_sentences_are_marked_after_a_major_error(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    marks = page.get_by_role("group", name="Sentences that are wrong")
    expect(marks).to_be_hidden()
    press(page, "3w")
    page.get_by_label("What kind of error: It is rated").select_option("wrong_detail")
    page.get_by_role("group", name="Facts in B").get_by_role("radio", name="All supported").click()
    page.get_by_role("group", name="Which is better").get_by_role("radio", name="B much").click()
    settled(page)
    vote = first_vote(session)
    assert (vote.facts_a, vote.facts_b, vote.preference) == (3, 1, 5)
    [chip] = vote.chips
    assert (chip["side"], chip["sentence"], chip["kind"]) == ("a", 1, "wrong_detail")
    assert chip["text"].startswith("It is rated IP")


def test_a_mark_goes_with_the_error_it_belongs_to(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    press(page, "4q")
    expect(page.locator("[data-wrong]")).to_have_count(1)
    press(page, "z1")
    press(page, "13")
    settled(page)
    vote = first_vote(session)
    assert (vote.facts_a, vote.chips) == (1, [])


def test_an_item_is_skipped_with_a_reason_and_taken_back(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    question = page.locator("[data-question]").inner_text()
    token = seen(page)
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Why skip this item?")).to_be_visible()
    page.keyboard.press("3")
    seen(page, token)
    settled(page)
    assert ReviewSlot.objects.get(lease_token=token).skip_reason == "language"
    page.keyboard.press("z")
    expect(page.locator("[data-question]")).to_have_text(question)
    rate(page, "113")
    settled(page)
    assert ReviewSlot.objects.get(lease_token=token).state == "done"


def test_escape_leaves_the_item_where_it_was(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Why skip this item?")).to_be_hidden()
    assert position(page) == "1"
    assert not ReviewSlot.objects.filter(session=session, state="skipped").exists()


def test_flags_and_unsure_go_with_the_vote_and_not_to_the_next_item(
    open_page: OpenPage, session: ReviewSession
) -> None:
    page = begin(open_page(REVIEWER), session)
    press(page, "uf")
    rate(page, "113")
    settled(page)
    vote = first_vote(session)
    assert vote.unsure
    assert vote.flagged
    for name in ("Unsure", "Flag"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "false")


def test_calibration_teaches_before_it_goes_on(open_page: OpenPage, session: ReviewSession) -> None:
    ReviewSession.objects.filter(pk=session.pk).update(calibration_count=1)
    make_review_item(session, kind="calibration", position=90, expected={"first": [1], "second": [4]})
    page = begin(open_page(REVIEWER), session)
    press(page, "113")
    dialog = page.get_by_role("dialog", name="After your rating")
    expect(dialog).to_contain_text("Harmful")
    press(page, "5")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Next item").click()
    expect(page.locator("[data-position]")).to_have_text("2")


def test_the_reveal_waits_for_the_vote_and_keeps_it(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    page.keyboard.press("v")
    expect(page.locator("[data-said]")).to_have_text("There is no saved rating to reveal.")
    rate(page, "113")
    settled(page)
    page.keyboard.press("v")
    dialog = page.get_by_role("dialog", name="After your rating")
    expect(dialog).to_contain_text("What stood where")
    token = seen(page)
    dialog.get_by_role("button", name="Change my rating").click()
    seen(page, token)
    page.keyboard.press("5")
    settled(page)
    votes = ReviewVote.objects.filter(slot__session=session).order_by("revision")
    assert list(votes.values_list("phase", "preference")) == [("first", 3), ("revealed", 5)]


def test_a_pause_gives_back_what_was_fetched_ahead(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    page.wait_for_load_state("networkidle")
    assert ReviewSlot.objects.filter(session=session, state="leased").count() == 4
    page.keyboard.press("p")
    page.wait_for_url("**/review/")
    assert ReviewSlot.objects.filter(session=session, state="leased").count() == 1


def test_keys_can_be_switched_off(open_page: OpenPage, session: ReviewSession) -> None:
    page = begin(open_page(REVIEWER), session)
    page.keyboard.press("?")
    page.get_by_label("Single-key shortcuts are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("1")
    expect(page.locator("[data-q] input:checked")).to_have_count(0)


def test_the_arrow_keys_choose_and_enter_saves(open_page: OpenPage, session: ReviewSession) -> None:
    """As somebody works who hears the page: nothing goes on before they say so."""
    page = begin(open_page(REVIEWER), session)
    for question, downs in (("Facts in A", 1), ("Facts in B", 0), ("Which is better", 2)):
        group = page.get_by_role("group", name=question)
        group.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
        press_down(page, downs)
        assert position(page) == "1"
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator("[data-position]")).to_have_text("2")
    vote = first_vote(session)
    assert (vote.facts_a, vote.facts_b, vote.preference) == (2, 1, 3)


def press_down(page: Page, times: int) -> None:
    for _ in range(times):
        page.keyboard.press("ArrowDown")
