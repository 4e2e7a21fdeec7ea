"""The pages around a review session, in light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect

from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession
from tests.functional.browsing import OpenPage
from tests.functional.looks import NARROW, WIDE, barriers, faults_of_layout, keep_picture, set_scheme
from tests.functional.sample import Sample
from tests.functional.service import MANAGER, Service
from tests.review_factories import make_review_item, make_review_session, make_vote

REVIEWER = "ruth"
_FIRST = """No, not as planned. The 10-year warranty applies only if **the unit is registered within 90 days** and
installed by a certified installer. If your own electrician is not certified, the term drops to the statutory 2 years.

Mounting outdoors is not the problem: the unit is rated IP65.

| Term | Years |
|---|---|
| certified | 10 |
| any other | 2 |
"""
_SECOND = """Yes. The unit carries a 10-year warranty. Mounting outdoors is not the problem: the unit is rated IP65.

Please remember to:

1. register the unit within 90 days,
2. keep the signed record with the invoice,
3. have it checked once within the first year.

> A paid inspection restores the warranty within 12 months. Your account manager can book this for you.

```
model: FL-8
rating: IP65
```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    open: ReviewSession
    disputed: ReviewSession
    paused: ReviewSession


@pytest.fixture(scope="module")
def sessions(service: Service) -> Sessions:
    person, _ = User.objects.get_or_create(username=REVIEWER)
    person.groups.add(Group.objects.get(name="reviewer"))
    open_one, disputed, paused = (
        make_review_session(title=title, state=state)
        for title, state in (
            ("Does the panel read better than the baseline?", "open"),
            ("Launch decision, second round", "open"),
            ("On hold", "paused"),
        )
    )
    for session in (open_one, paused):
        ReviewAssignment.objects.create(session=session, person=person, created_at=timezone.now())
        for number in range(3):
            make_review_item(
                session,
                slots=1,
                position=number,
                first_text=_FIRST,
                second_text=_SECOND,
                question="Does the FL-8 keep its 10-year warranty if our own electrician installs it outdoors?",
                evidence="The warranty runs 10 years when the unit is registered within 90 days.",
                names_found=["gpt-4o"],
            )
    item = make_review_item(disputed, dispute=3.0, first_text=_FIRST, second_text=_SECOND, evidence="Clause 7.")
    chips = [{"side": "a", "sentence": 0, "text": "The unit is rated IP65.", "kind": "wrong_detail"}]
    make_vote(item, facts_a=1, flagged=True, note="Both look alike", seconds=21)
    make_vote(item, facts_a=4, chips=chips, unsure=True, seconds=34)
    return Sessions(open=open_one, disputed=disputed, paused=paused)


Address: TypeAlias = Callable[[Sessions], str]
OWNERS: dict[str, Address] = {
    "reviews": lambda _: "/review/",
    "review-new": lambda _: "/review/new/",
    "review-import": lambda _: "/review/import/",
    "review-session": lambda s: f"/review/{s.disputed.pk}/session/",
    "review-results": lambda s: f"/review/{s.disputed.pk}/results/",
    "review-results-none": lambda s: f"/review/{s.open.pk}/results/",
    "review-settle": lambda s: f"/review/{s.disputed.pk}/settle/",
    "review-settled": lambda s: f"/review/{s.open.pk}/settle/",
}
REVIEWERS: dict[str, Address] = {
    "review-list": lambda _: "/review/",
    "review-page": lambda s: f"/review/{s.open.pk}/",
    "review-page-paused": lambda s: f"/review/{s.paused.pk}/",
    "review-done": lambda s: f"/review/{s.open.pk}/done/",
    "review-refused": lambda s: f"/review/{s.open.pk}/session/",
}


@pytest.mark.parametrize("name", OWNERS)
def test_a_page_of_the_owner_is_sound(name: str, open_page: OpenPage, sessions: Sessions, sample: Sample) -> None:
    assert look_at(open_page(MANAGER), OWNERS[name](sessions), name) == {}


@pytest.mark.parametrize("name", REVIEWERS)
def test_a_page_of_the_reviewer_is_sound(name: str, open_page: OpenPage, sessions: Sessions) -> None:
    assert look_at(open_page(REVIEWER), REVIEWERS[name](sessions), name) == {}


def test_the_review_page_is_sound_at_work(open_page: OpenPage, sessions: Sessions) -> None:
    """With the evidence open, a major error given and its sentences to mark."""
    page = open_page(REVIEWER)
    assert look_at(page, f"/review/{sessions.open.pk}/", "review-at-work", act=err) == {}


def err(page: Page) -> None:
    expect(page.locator("[data-painted]")).to_be_visible()
    for key in "3e":
        page.keyboard.press(key)
    page.keyboard.press("w")
    expect(page.locator("[data-wrong]")).to_have_count(1)


def look_at(page: Page, address: str, name: str, act: Callable[[Page], None] = lambda _: None) -> dict[str, list[str]]:
    faults = {}
    for window in (WIDE, NARROW):
        width = str(window["width"])
        page.set_viewport_size(window)
        page.goto(address)
        act(page)
        for scheme in ("dark", "light"):
            set_scheme(page, scheme)
            keep_picture(page, f"{name}-{width}-{scheme}")
            faults[f"{width}, {scheme}"] = barriers(page, contrast_only=scheme == "dark")
        faults[width] = faults_of_layout(page)
    return {where: found for where, found in faults.items() if found}


def test_the_planner_follows_the_form(open_page: OpenPage, sample: Sample) -> None:
    page = open_page(MANAGER)
    page.goto("/review/new/")
    page.get_by_label("Finished run").select_option(str(sample.finished.pk))
    expect(page.get_by_label("First arm").locator("option")).not_to_have_count(1)
    page.get_by_role("spinbutton", name="Items", exact=True).fill("194")
    expect(page.locator("#planner")).to_contain_text("60.0 %")
    page.get_by_role("spinbutton", name="Items", exact=True).fill("50")
    expect(page.locator("#planner")).not_to_contain_text("60.0 %")
    page.get_by_label("Title").fill("Made in a browser")
    page.get_by_label("First arm").select_option(index=1)
    page.get_by_label("Second arm").select_option(index=2)
    for name in ("Items", "Calibration items", "Gold items"):
        page.get_by_role("spinbutton", name=name, exact=True).fill("10" if name == "Items" else "0")
    page.get_by_label("Everybody who reviews may join").check()
    page.get_by_role("button", name="Make the session").click()
    page.wait_for_url("**/session/")
    page.get_by_role("button", name="Open for rating").click()
    expect(page.get_by_text("Reviewers can rate now.")).to_be_visible()
    session = ReviewSession.objects.get(title="Made in a browser")
    assert session.state == "open"
    assert ReviewItem.objects.filter(session=session).count() == 10
