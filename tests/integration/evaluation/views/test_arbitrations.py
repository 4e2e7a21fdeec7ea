"""What the page of an answer shows of its arbiter."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup, Tag
from django.contrib.auth.models import User
from django.test import Client

from evaluation.models import Answer, Call, Example
from evaluation.selectors.answers import Trace, answers_with_lineage, trace_of
from evaluation.selectors.items import ItemFilter
from panels.fusion.types import FailureKind, ModelRequest, Reply, StrategyName
from tests.factories import make_dataset_version, make_run
from tests.integration.evaluation.arbitrated_runs import Models, run_of, work
from tests.integration.evaluation.execution.scripted_arbiter import arbiter_reply, candidates, synthesis
from tests.integration.evaluation.execution.scripted_clients import failure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def viewer(transactional_db: None) -> Client:
    """Whoever is logged in may look; the groups of the migration are gone where tests have their own transactions."""
    client = Client()
    client.force_login(User.objects.create_user("vito"))
    return client


@pytest.fixture
def models() -> Models:
    return Models()


def page_of(client, answer: Answer) -> BeautifulSoup:
    response = client.get(f"/answers/{answer.pk}/")
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def cost_of(answer: Answer) -> int:
    assert answer.cost_nanousd is not None
    return answer.cost_nanousd


def trace(answer: Answer) -> Trace:
    return trace_of(answers_with_lineage().get(pk=answer.pk), wanted=ItemFilter())


def section(page: BeautifulSoup, name: str) -> str:
    found = page.select_one(f"#{name}")
    assert isinstance(found, Tag)
    return found.get_text(" ", strip=True)


def verified(models: Models) -> Answer:
    version = make_dataset_version(examples=1)
    run = run_of(models.panel(), version=version)
    work(run, models.providers())
    return run.answers.get()


def synthesised(models: Models, said: str = "It is **both**.") -> Answer:
    version = make_dataset_version(examples=1, answer_kind="text", scorer="key_facts")
    run = run_of(models.panel(strategy=StrategyName.AUTO, prompt="auto-1"), version=version)

    def judge(request: ModelRequest) -> Reply:
        first, second = candidates(request)
        return synthesis(
            said,
            consensus=["Both name a letter."],
            contradictions=[
                {"topic": "which letter", "stances": [{"candidate": first, "stance": "says the first"}]},
            ],
            partial_coverage=[{"candidates": [first, second], "point": "a point of two"}],
            unique_insights=[{"candidate": second, "insight": "an insight of one"}],
            blind_spots=["Nobody says why."],
        )

    work(run, models.providers(judge))
    return run.answers.get()


def test_the_matrix_names_members_and_quotes_only_what_stands_in_their_answers(viewer, models):
    answer = verified(models)
    page = page_of(viewer, answer)
    heads = [cell.get_text() for cell in page.select(".matrix thead th")]
    assert heads == ["Claim", "Finding", models.right.name, models.wrong.name]
    rows = {
        row.th.get_text(): [mark["aria-label"] for mark in row.select(".mk")] for row in page.select(".matrix tbody tr")
    }
    assert rows == {
        "The answer is A.": ["says it", "contradicts it"],
        "The answer is B.": ["contradicts it", "says it"],
    }
    assert [row.th.get_text() for row in page.select(".matrix tr.minor")] == ["The answer is B."]
    lists = [part.get_text(" ", strip=True) for part in page.select(".five section")]
    assert lists[0].startswith("Supported 1 The answer is A. A")
    assert f"B {models.wrong.name} , against it" in lists[0].replace(f"{models.wrong.name},", f"{models.wrong.name} ,")
    assert lists[1].startswith("Contradicted 1 The answer is B.")
    assert lists[2] == "Not found 0 None."


def test_the_arbiter_stands_on_the_timeline_and_in_the_cost_lines(viewer, models):
    answer = verified(models)
    page = page_of(viewer, answer)
    assert len(page.select(".falls rect.arb")) == 1
    cells = [row.find_all("td")[-1].get_text() for row in page.select(".falls tbody tr:not(.gate)")]
    *lines, total = (Decimal(cell.removeprefix("$")) for cell in cells)
    assert len(lines) == 3
    assert sum(lines) == total == Decimal(cost_of(answer)) / 10**9
    gates = [row.get_text(strip=True) for row in page.select(".falls tr.gate")]
    assert gates == [
        "250 ms. Stage 1: 1 of 2 members agree. The arbiter is asked.",
        "750 ms. The arbiter checks 2 claims: 1 supported, 1 contradicted; the best supported answer stands.",
    ]
    assert "2 calls and the arbiter" in page.select_one(".tiles").get_text()


def test_both_questions_are_lines_of_their_own(viewer, models):
    run = run_of(models.panel(), version=make_dataset_version(examples=1))
    work(run, models.providers(lambda _: arbiter_reply("<script>alert(1)</script>")))
    answer = run.answers.get()
    page = page_of(viewer, answer)
    assert trace(answer).cost_nanousd == answer.cost_nanousd
    assert "asked once more" in page.select_one(".falls").get_text()
    assert page.select_one("#arbiter script") is None
    assert "<script>alert(1)</script>" in section(page, "arbiter")
    text = page.get_text(" ", strip=True)
    assert "Degraded: What the arbiter wrote could not be used" in text
    assert "There is no analysis" in text


def test_an_arbiter_that_was_not_needed_is_said(viewer, models):
    models.wrong = models.right
    run = run_of(models.panel(), version=make_dataset_version(examples=1))
    work(run, models.providers())
    page = page_of(viewer, run.answers.get())
    assert [row.get_text(strip=True) for row in page.select(".falls tr.gate")] == [
        "250 ms. Stage 1: 2 of 2 members agree. The arbiter is not needed."
    ]
    assert page.select_one("#arbiter") is None


def test_five_lists_and_the_answer_that_the_arbiter_wrote(viewer, models):
    answer = synthesised(models)
    page = page_of(viewer, answer)
    assert page.select_one("#final strong").get_text() == "both"
    lists = [part.get_text(" ", strip=True) for part in page.select("#arbiter .five section")]
    order = trace(answer).arbiter.shown
    assert set(order) == {models.right.name, models.wrong.name}
    assert lists[0] == "Consensus 1 Both name a letter."
    assert lists[1] == f"Contradictions 1 which letter {order[0]} : says the first"
    assert lists[2] == f"Partial coverage 1 a point of two {order[0]}, {order[1]}"
    assert lists[3] == f"Unique insights 1 an insight of one {order[1]}"
    assert lists[4] == "Blind spots 1 Nobody says why."
    assert "speaks for the panel" not in page.get_text()


def test_the_minority_report_names_who_dissents_on_what(viewer, models):
    verdict_page = section(page_of(viewer, verified(models)), "minority")
    for said in (models.wrong.name, "on the answer", "denies a claim that is supported", "on The answer is B."):
        assert said in verdict_page
    assert models.right.name not in verdict_page
    other = Models()
    assert "which letter" in section(page_of(viewer, synthesised(other)), "minority")


def test_a_stance_that_repeats_the_answer_or_the_ballot_is_no_further_dissent(viewer, models):
    run = run_of(models.panel(strategy=StrategyName.SYNTHESIS), version=make_dataset_version(examples=1))

    def judge(request: ModelRequest) -> Reply:
        stances = [{"candidate": letter, "stance": said} for letter, said in candidates(request).items()]
        return synthesis("A", contradictions=[{"topic": "the answer", "stances": stances}])

    work(run, models.providers(judge))
    lines = page_of(viewer, run.answers.get()).select("#minority li")
    assert [line.get_text(" ", strip=True) for line in lines] == [f"{models.wrong.name} on the answer B"]


def test_what_the_automatic_strategy_chose_and_why(viewer, models):
    text = page_of(viewer, synthesised(models)).get_text(" ", strip=True)
    assert "The automatic strategy chose synthesis : there is no evidence to check against." in text
    assert "synthesis-1" in text


def test_the_prompt_is_named_with_its_hash(viewer, models):
    answer = verified(models)
    lineage = page_of(viewer, answer).get_text(" ", strip=True)
    assert f"verification-1 {answer.analysis['prompt']['sha256'][:12]}" in lineage


def test_an_arbiter_that_failed_is_said_with_its_reason(viewer, models):
    run = run_of(models.panel(), version=make_dataset_version(examples=1))
    work(run, models.providers(lambda _: failure(FailureKind.RATE_LIMITED)))
    text = page_of(viewer, run.answers.get()).get_text(" ", strip=True)
    assert "Degraded: The arbiter brought nothing (rate limited), so the vote decided." in text


def test_a_reused_reply_says_how_old_it_was(viewer, models):
    first = run_of(models.panel(), version=make_dataset_version(examples=1))
    work(first, models.providers())
    again = make_run(first.experiment)
    work(again, models.providers())
    answer = again.answers.get()
    later = answer.created_at + timedelta(days=3)
    Call.objects.filter(answer=answer).update(created_at=later)
    page = page_of(viewer, answer)
    assert "reused, bought 3 days before" in [tag.get_text() for tag in page.select(".answer .tag")]
    assert "arbiter, reused, bought 3 days before" in page.select_one(".falls").get_text()


def test_what_an_arbiter_wrote_is_shown_and_never_run(viewer, models):
    evil = "<img src=x onerror=alert(1)> ![x](https://evil.example/y.png)"
    page = page_of(viewer, synthesised(models, evil))
    assert page.select_one("#final img") is None
    assert page.find(onerror=True) is None


def test_evidence_is_quoted_where_it_supports_a_claim(viewer, models):
    version = make_dataset_version(examples=1)
    Example.objects.filter(version=version).update(context="The manual says it is A, and A alone.")
    run = run_of(models.panel(), version=version)

    def judge(request: ModelRequest) -> Reply:
        claim = {"claim": "It is A.", "finding": "supported", "quote": "it is A, and A alone", "candidates": []}
        bold = {"claim": "It is B.", "finding": "contradicted", "quote": "never said", "candidates": []}
        return arbiter_reply(json.dumps({"claims": [claim, bold]}))

    work(run, models.providers(judge))
    page = page_of(viewer, run.answers.get())
    assert [quote.get_text() for quote in page.select("#arbiter q")] == ["it is A, and A alone"]
    assert "the arbiter said contradicted, with no such words in the evidence" in page.select_one(".matrix").get_text()
    assert [cell.get_text() for cell in page.select(".matrix thead th")][1] == "Evidence"


def test_a_trace_with_an_arbiter_takes_at_most_a_dozen_queries(viewer, models, django_assert_max_num_queries):
    answer = verified(models)
    with django_assert_max_num_queries(12):
        page_of(viewer, answer)


def test_lists_and_exports_take_an_answer_that_no_member_wrote(viewer, models):
    answer = synthesised(models)
    run = answer.place.run
    items = viewer.get(f"/runs/{run.pk}/items/?q=item")
    assert "It is **both**." in items.content.decode()
    rows = b"".join(viewer.get(f"/runs/{run.pk}/export.jsonl").streaming_content).splitlines()
    assert [json.loads(row)["answer"] for row in rows] == ["It is **both**."]
