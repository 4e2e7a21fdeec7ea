from __future__ import annotations

from decimal import Decimal

import pytest
from bs4 import BeautifulSoup

from evaluation.models import Answer, Call, RecordedOutput
from evaluation.selectors.answers import answers_with_lineage, trace_of
from evaluation.selectors.items import ItemFilter
from panels.models import PanelVersion
from tests.factories import make_model
from tests.integration.evaluation.finished_runs import FinishedRun, make_finished_run
from tests.triggers import rewrite

pytestmark = pytest.mark.django_db


@pytest.fixture
def made() -> FinishedRun:
    return make_finished_run("RRWWRUAF", "RWRWRUFW")


def page_of(client, answer: Answer, query: str = ""):
    response = client.get(f"/answers/{answer.pk}/{query}")
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def trace(answer: Answer, **wanted):
    return trace_of(answers_with_lineage().get(pk=answer.pk), wanted=ItemFilter(**wanted))


def test_members_stand_in_their_groups_in_order_of_support(viewer, made):
    answer = made.answers(made.panel)[1]
    clusters = page_of(viewer, answer).select(".cluster")
    assert [cluster.select_one(".who-said b").get_text() for cluster in clusters] == ["B", "C"]
    assert [len(cluster.select(".answer")) for cluster in clusters] == [2, 1]
    assert "Panel answer" in clusters[0].get_text()
    assert "share 0.67" in clusters[0].get_text()


def test_failures_and_abstentions_are_listed_and_keep_their_place_in_the_denominator(viewer, made):
    answer = made.answers(made.panel)[1]
    Call.objects.filter(answer=answer, seat=2).update(outcome="timeout", ballot=None, group=None, detail="30 s passed")
    last = page_of(viewer, answer).select(".cluster")[-1]
    assert "No ballot" in last.get_text()
    assert "Timed out" in last.get_text()
    assert "30 s passed" in last.get_text()
    assert trace(answer).groups[0].share == pytest.approx(2 / 3)


def test_cost_lines_add_up_to_the_total(viewer, made):
    answer = made.answers(made.panel)[3]
    Call.objects.filter(answer=answer, seat=1).update(cost_nanousd=123_456_789)
    cells = [row.find_all("td")[-1].get_text() for row in page_of(viewer, answer).select(".falls tbody tr:not(.gate)")]
    *lines, total = (Decimal(cell.removeprefix("$")) for cell in cells)
    assert sum(lines) == total == Decimal("0.123464789")


def test_one_unknown_cost_makes_the_total_unknown(viewer, made):
    answer = made.answers(made.panel)[3]
    Call.objects.filter(answer=answer, seat=1).update(cost_nanousd=None)
    assert trace(answer).cost_nanousd is None
    assert page_of(viewer, answer).select(".falls tbody tr")[-1].get_text(" ", strip=True).endswith("unknown")


def test_what_a_model_wrote_is_shown_and_never_run(viewer, made):
    answer = made.answers(made.panel)[0]
    evil = '<script>alert(1)</script> <img src="https://evil.example/x.png"> ![x](https://evil.example/y.png)'
    for kind in ("choice", "text"):
        made.run.experiment.dataset_version.answer_kind = kind
        made.run.experiment.dataset_version.save()
        Call.objects.filter(answer=answer, seat=0).update(text=evil)
        shown = page_of(viewer, answer).select_one(".cluster .answer")
        assert shown.find("script") is None
        assert shown.find("img") is None
        assert "<script>alert(1)</script>" in shown.get_text()


def test_a_prompt_is_shown_as_text(viewer, made):
    answer = made.answers(made.panel)[0]
    answer.example.prompt = '[{"role": "user", "content": "<b onclick=alert(1)>Bold?</b>"}]'
    answer.example.save()
    page = page_of(viewer, answer)
    assert page.find(onclick=True) is None
    assert "<b onclick=alert(1)>Bold?</b>" in page.get_text()


def test_a_reused_reply_shows_the_text_of_the_call_that_bought_it(viewer, made):
    first, second = made.answers(made.baseline)[0], made.answers(made.panel)[0]
    bought = Call.objects.get(answer=first)
    Call.objects.filter(answer=second, seat=0).update(reused_from=bought, text="")
    page = page_of(viewer, second)
    assert f"I say {first.value}, seat 0" in page.get_text()
    assert page.select_one(f"a[href='/answers/{first.pk}/']") is not None
    assert "this run" in page.get_text()


def test_a_replayed_reply_shows_the_imported_text(viewer, made):
    answer = made.answers(made.panel)[0]
    output = RecordedOutput.objects.create(example=answer.example, model=make_model(), text="As imported.")
    Call.objects.filter(answer=answer, seat=0).update(recorded_output=output, text="")
    text = page_of(viewer, answer).get_text()
    assert "As imported." in text
    assert "imported with the dataset" in text


def test_earlier_attempts_are_listed_and_the_last_one_speaks(viewer, made):
    answer = made.answers(made.panel)[0]
    call = Call.objects.get(answer=answer, seat=0)
    Call.objects.filter(pk=call.pk).update(outcome="timeout", ballot=None, group=None, text="", spent_nanousd=7)
    call.pk, call.attempt, call.text, call.spent_nanousd = None, 2, "Second try.", 11
    call.save()
    voice = trace(answer).voices[0]
    assert (voice.text, len(voice.earlier)) == ("Second try.", 1)
    assert trace(answer).spent_nanousd == 7 + 11 + 2_000
    assert "attempt 1: timed out" in page_of(viewer, answer).get_text()


def test_attempts_show_what_came_of_each_how_long_was_waited_and_what_was_paid(viewer, made):
    answer = made.answers(made.panel)[0]
    last = Call.objects.get(answer=answer, seat=0)
    Call.objects.filter(pk=last.pk).update(attempt=3, offset_s=4.0, latency_s=1.0, spent_nanousd=11)
    kept = {"ballot": None, "group": None, "text": "", "reply_key": "", "outcome": "server", "detail": "HTTP 503: busy"}
    for attempt, offset_s, more in ((1, 9.0, {}), (2, 1.0, {"status_code": 503, "spent_nanousd": 0})):
        fields = {"attempt": attempt, "offset_s": offset_s, "latency_s": 0.5} | kept | more
        last.pk = None
        for name, value in fields.items():
            setattr(last, name, value)
        last.save()
    first, second, third = trace(answer).voices[0].attempts
    assert (first.pause_s, second.pause_s, third.pause_s) == (None, 2.5, None)
    page = page_of(viewer, answer)
    rows = [" ".join(row.get_text(" ").split()) for row in page.select("#attempts-0 tbody tr")]
    assert rows[1] == "2 Provider failed HTTP 503 HTTP 503: busy 500 ms 2,500 ms $0.000000000"
    assert rows[2] == "3 Answered 1,000 ms $0.000000011"
    assert len(page.select(".falls tbody tr")[0].select("rect")) == 3
    assert page.select_one("#attempts-1") is None


def test_the_other_arms_are_one_click_away(viewer, made):
    answer, other = made.answers(made.panel)[2], made.answers(made.baseline)[2]
    assert page_of(viewer, answer).select_one(f"a[href='/answers/{other.pk}/']") is not None


def test_a_calibrated_answer_shows_its_confidence_and_another_none(viewer, made):
    answer = made.answers(made.panel)[0]
    assert "Confidence" not in page_of(viewer, answer).find(class_="tiles").get_text()
    Answer.objects.filter(pk=answer.pk).update(confidence=0.914)
    assert "Confidence 0.91" in page_of(viewer, answer).find(class_="tiles").get_text(" ", strip=True)


def test_neighbours_are_those_of_the_table_it_was_opened_from(viewer, made):
    answers = made.answers(made.panel)
    page = page_of(viewer, answers[3], f"?arm={made.panel.pk}&outcome=wrong")
    assert page.find(rel="prev")["href"].startswith(f"/answers/{answers[1].pk}/?arm={made.panel.pk}&outcome=wrong")
    assert page.find(rel="next")["href"].startswith(f"/answers/{answers[6].pk}/")
    first = trace(answers[7], sort="-cost")
    assert (first.previous, first.next.answer_id) == (None, answers[6].pk)


def test_lineage_names_data_panel_and_what_the_provider_said(viewer, made):
    answer = made.answers(made.panel)[0]
    text = page_of(viewer, answer).get_text()
    panel_hash = answer.arm.panel_version.content_hash[:12]
    for said in (panel_hash, answer.example.item_id, f"served-{made.models[2].name}", "response-2"):
        assert said in text


def test_a_stage_says_why_the_schedule_went_on(made):
    answer = made.answers(made.panel)[1]
    Call.objects.filter(answer=answer, seat=2).update(stage=1)
    rewrite(PanelVersion.objects.filter(pk=answer.arm.panel_version_id), stop_at=0.9)
    Answer.objects.filter(pk=answer.pk).update(stages_called=2, settled=True)
    words = [stage.words for stage in trace(answer).stages]
    assert words == [
        "Stage 1: 2 of 2 members agree, stops at 0.9. The next stage is called.", "Stage 2 settles what was disputed.",
    ]  # fmt: skip


def test_a_trace_takes_at_most_a_dozen_queries(viewer, made, django_assert_max_num_queries):
    answer = made.answers(made.panel)[4]
    with django_assert_max_num_queries(12):
        page_of(viewer, answer, "?outcome=right")


def test_an_answer_that_is_not_there_is_not_found(viewer):
    assert viewer.get("/answers/999/").status_code == 404
