"""The page of an answer that belongs to no run, and the list of what a panel was asked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from evaluation.models import Answer
from evaluation.selectors.answers import answers_with_lineage, trace_of
from evaluation.selectors.items import ItemFilter
from panels.fusion.types import AnswerKind, FailureKind, StrategyName
from tests.factories import NOW
from tests.integration.evaluation.live_questions import at, make_helpdesk
from tests.unit.panels.fusion.arbitrated import written_claim, written_synthesis, written_verification
from tests.unit.panels.fusion.live_panels import CHOICE, ask, dead, model, said

pytestmark = pytest.mark.django_db(transaction=True)

MAIL = "ada@example.org"


@pytest.fixture
def viewer(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("vito"))
    return client


def page_of(client, path: str, **headers: str) -> BeautifulSoup:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def trace_page(client, answer: Answer) -> BeautifulSoup:
    return page_of(client, f"/answers/{answer.pk}/")


def words(page: BeautifulSoup, selector: str = "main") -> str:
    return " ".join(page.select_one(selector).get_text(" ", strip=True).split())


def test_the_page_says_what_was_asked_of_whom_and_on_which_terms(viewer):
    desk = make_helpdesk(a="One.", b="Two.", judge=True, j=written_synthesis("Both."))
    answer = desk.put(ask("When?", evidence="In 1932."), mode="quality", ceiling_nanousd=10**9, deadline_s=30.0).answer
    page = trace_page(viewer, answer)
    shown = words(page)
    panel = desk.version.panel
    assert page.select_one("h1").get_text(strip=True) == "When?"
    assert page.select_one(f'a[href="/panels/{panel.slug}/v1/"]')
    assert page.select_one(f'.crumbs a[href="/panels/{panel.slug}/answers/"]')
    for told in (
        "ceiling $1.0000",
        "deadline 30.0 s",
        "never stops early",
        "Mode quality",
        "In 1932.",
        "no calibration",
    ):
        assert told in shown, told
    assert words(page, "#final").endswith("Both.")
    assert "Arbiter analysis" in shown
    # No run, no example: nothing beside it.
    assert not page.select("#h-others, [rel=prev], [rel=next]")
    assert "arms" not in shown


def test_cost_lines_stand_beside_the_quote_and_add_up(viewer):
    desk = make_helpdesk(
        a=model(said("One.", earlier=(dead(FailureKind.RATE_LIMITED),))), b=model(dead(FailureKind.TIMEOUT)), c="One."
    )
    answered = desk.put()
    page = trace_page(viewer, answered.answer)
    cells = [row.find_all("td")[-1].get_text() for row in page.select("#money tbody tr")]
    *lines, total = (Decimal(cell.removeprefix("$")) for cell in cells)
    assert len(lines) == 4
    assert sum(lines) == total == Decimal(answered.live.cost.total_nanousd or 0) / 10**9
    assert "Quoted at least" in words(page, "#money")
    assert "b brought nothing" in words(page)


def test_a_masked_question_says_so_and_shows_no_value(viewer):
    desk = make_helpdesk(a=model(lambda request: request.messages[0].content))
    answer = desk.put(ask(f"Write to {MAIL}."), masks=True).answer
    page = trace_page(viewer, answer)
    shown = words(page)
    assert MAIL not in str(page)
    assert "[[EMAIL_1_uo]]" in shown
    assert "kept encrypted until" in shown
    assert "EMAIL 1 time" in words(page, "#masking")
    assert [cell.get_text() for cell in page.select("#masking tbody td")] == ["1", "0", "0", "0"]
    answer.live_request.vault = answer.live_request.vault_until = None
    answer.live_request.save()
    assert "What they stood for is gone" in words(trace_page(viewer, answer))


def test_a_refused_question_shows_why_and_the_quote(viewer):
    desk = make_helpdesk(a="One.")
    page = trace_page(viewer, desk.put(ceiling_nanousd=1).answer)
    shown = words(page)
    assert "over the ceiling of $0.000000001" in shown
    assert not page.select("#h-groups, #final")
    assert "Quoted at least" in shown


def test_a_verification_and_its_minority_are_shown(viewer):
    claims = written_verification(
        written_claim("It opened in 1932.", "supported", "opened in 1932", A="supports", B="contradicts")
    )
    desk = make_helpdesk(
        judge=True, strategy=StrategyName.VERIFICATION, a="It opened in 1932.", b="It opened in 1933.", j=claims
    )
    page = trace_page(viewer, desk.put(ask("When?", evidence="It opened in 1932.")).answer)
    assert "Claims by member" in words(page, "#arbiter")
    assert page.select(".matrix tbody tr")


def test_an_answer_in_json_is_shown_field_by_field(viewer):
    desk = make_helpdesk(a='{"total": 3, "to": "x"}', b='{"total": 3, "to": "y"}', c='{"total": 4, "to": "x"}')
    page = trace_page(viewer, desk.put(ask("How much?", AnswerKind.JSON, schema='{"type": "object"}')).answer)
    shown = words(page)
    assert "total" in shown
    assert "Schema of the answer" in shown


def test_a_reused_reply_leads_to_the_answer_that_bought_it(viewer):
    desk = make_helpdesk(a="One.")
    first = desk.put().answer
    page = trace_page(viewer, at(desk, NOW + timedelta(hours=2)).put().answer)
    assert page.select_one(f'a[href="/answers/{first.pk}/"]').get_text() == "an earlier answer"
    assert "bought 2 h" in words(page)


def test_the_stop_rule_that_was_in_force_is_the_one_that_is_named(viewer):
    desk = make_helpdesk(a="A", b="A")
    desk.change(stop_at=1.0)
    assert "stops at 1.00" in words(trace_page(viewer, desk.put(CHOICE).answer))
    assert "stops at 0.75" in words(trace_page(viewer, desk.put(CHOICE, mode=0.5).answer))
    assert "never stops early" in words(trace_page(viewer, desk.put(CHOICE, mode="quality").answer))


@pytest.mark.parametrize("members", [1, 4])
def test_the_trace_takes_as_many_queries_however_many_were_asked(django_assert_num_queries, members):
    desk = make_helpdesk(judge=True, **dict.fromkeys("abcd"[:members], "One."), j=written_synthesis("One."))  # type: ignore[arg-type]
    pk = desk.put().answer.pk
    with django_assert_num_queries(3):
        trace = trace_of(answers_with_lineage().get(pk=pk), wanted=ItemFilter())
        assert (len(trace.voices), trace.head, trace.others) == (members, None, ())


# What a panel was asked


def asked(page: BeautifulSoup) -> list[str]:
    return [" ".join(row.get_text(" ", strip=True).split()) for row in page.select("#asked tbody tr")]


def test_a_panels_questions_are_listed_newest_first_by_twenty(viewer):
    desk = make_helpdesk(a="A", b="B")
    for minute in range(23):
        at(desk, NOW + timedelta(minutes=minute)).put(CHOICE, mode="budget" if minute == 22 else None)
    make_helpdesk(a="other").put()
    path = f"/panels/{desk.version.panel.slug}/answers/"
    page = page_of(viewer, path)
    rows = page.select("#asked tbody tr")
    newest = Answer.objects.filter(live_request__panel_version=desk.version).order_by("-pk")
    assert [row.select_one("a")["href"] for row in rows] == [f"/answers/{answer.pk}/" for answer in newest[:20]]
    assert "budget" in asked(page)[0]
    older = page_of(viewer, path + page.select_one("[rel=next]")["href"])  # type: ignore[operator]
    assert len(asked(older)) == 3
    assert page.select_one("main").get_text().count("Which?") == 0


def test_the_panels_page_asks_for_the_list_and_gets_the_fragment_alone(viewer, django_assert_max_num_queries):
    desk = make_helpdesk(a="A")
    path = f"/panels/{desk.version.panel.slug}/"
    assert page_of(viewer, path).select_one("#asked")["hx-get"] == f"{path}answers/"
    empty = page_of(viewer, f"{path}answers/", **{"HX-Request": "true", "HX-Target": "asked"})
    assert "Nothing has been asked yet" in empty.get_text()
    assert not empty.select("html, nav")
    for _ in range(3):
        desk.put(CHOICE)
    with django_assert_max_num_queries(6):
        assert len(asked(page_of(viewer, f"{path}answers/"))) == 3
    assert viewer.get("/panels/none/answers/").status_code == 404
