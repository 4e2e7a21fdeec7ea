from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.execution.results import compute_result, result_of
from evaluation.execution.tallies import tally_run
from evaluation.models import Answer, Call, Run, RunResult
from evaluation.results import ResultData, from_json, to_json
from panels.fusion.pricing import Price, nanousd_from_dollars
from panels.fusion.types import AnswerKind, Recorded, Reply, Usage
from tests.integration.evaluation.execution.fused_runs import (
    NOW,
    ArmPlan,
    fuse_run,
    make_models,
    make_run,
    make_version,
)

pytestmark = pytest.mark.django_db

# What each model said to eight items whose right answer is always A; "-" could not be read, "!" failed.
SAID = {
    "strong": "AAAAABB-",
    "a": "AAABBBA-",
    "b": "AABABBA-",
    "c": "ABAABC!B",
}
PLANS = (
    ArmPlan(name="one model", stages=(("strong",),), is_baseline=True),
    ArmPlan(name="three", stages=(("a", "b", "c"),)),
    ArmPlan(name="staged", stages=(("a", "b"), ("strong",)), stop_at=1.0, settles=True),
)
# 1,000 tokens in and 1,000 out, so a call costs in + out nano-dollars per thousand tokens.
PRICES: dict[str, Price | None] = {
    "strong": Price(in_nanousd_per_mtok=4_000_000, out_nanousd_per_mtok=6_000_000),
    "a": Price(in_nanousd_per_mtok=400_000, out_nanousd_per_mtok=600_000),
    "b": Price(in_nanousd_per_mtok=800_000, out_nanousd_per_mtok=1_200_000),
    "c": Price(in_nanousd_per_mtok=1_200_000, out_nanousd_per_mtok=1_800_000),
}
LATENCY_S = {"strong": 2.0, "a": 0.5, "b": 1.0, "c": 0.25}


def replies_of(said: dict[str, str]) -> dict[tuple[str, str], Reply]:
    return {
        (f"i{place}", model): Reply(
            text="?" if letter == "-" else letter,
            usage=Usage(prompt_tokens=1_000, completion_tokens=1_000),
            latency_s=LATENCY_S[model],
        )
        for model, letters in said.items()
        for place, letter in enumerate(letters)
        if letter != "!"
    }


def small_run(*, reference: str | None = "A", prices: dict[str, Price | None] = PRICES, simulated: bool = False) -> Run:
    items = [{"id": f"i{place}", "reference": reference, "choices": ["A", "B", "C"]} for place in range(8)]
    version = make_version(items)
    make_models(SAID, prices, simulated=simulated)
    run = make_run(version, PLANS)
    fuse_run(run, PLANS, replies_of(SAID))
    return run


def computed(run: Run) -> ResultData:
    return from_json(compute_result(run_id=run.pk, now=NOW).data)


def test_scorecard_counts_by_hand() -> None:
    base, three, staged = computed(small_run()).arms
    # strong: five right of eight, one unreadable.
    assert (base.items, base.n, base.correct, base.abstained, base.failed, base.calls) == (8, 8, 5, 1, 0, 8)
    # votes: A A(aab) A(aba) A(baa) B B A C-alone(B): right on 0, 1, 2, 3, 6.
    assert (three.correct, three.abstained, three.calls, three.escalated) == (5, 0, 24, 0)
    # a and b differ on 2 and 3 and both abstain on 7: strong settles A, A and abstains with them.
    assert (staged.correct, staged.abstained, staged.calls, staged.escalated) == (5, 1, 19, 3)
    assert staged.accuracy == 5 / 8
    assert (base.position, base.is_baseline, staged.stages) == (0, True, 2)
    assert staged.escalation_rate == 3 / 8
    assert three.escalation_rate is None


def test_money_by_hand() -> None:
    base, three, staged = computed(small_run()).arms
    assert base.cost_nanousd == 8 * 10_000
    assert (base.cost_per_request_nanousd, base.cost_per_correct_nanousd) == (10_000, 16_000)
    assert three.cost_nanousd == 8 * 1_000 + 8 * 2_000 + 7 * 3_000  # c failed once, and a failed call has no list cost
    assert staged.cost_nanousd == 8 * 3_000 + 3 * 10_000
    assert (base.cost_unknown, base.spent_nanousd, base.spent_unknown) == (0, 0, 0)


def test_latency_of_an_answer_that_was_not_timed_is_left_out() -> None:
    base, three, staged = computed(small_run()).arms
    assert (base.measured, base.p50_s, base.p95_s) == (8, 2.0, 2.0)
    assert (three.measured, three.p50_s) == (7, 1.0)  # the failed call was not timed
    assert (staged.measured, staged.p50_s) == (8, 1.0)
    assert staged.p50_interval is not None
    assert staged.p50_interval.low == 1.0
    assert staged.p50_interval.high == 3.0


def test_members_are_scored_on_their_own_ballots() -> None:
    _, three, staged = computed(small_run()).arms
    a, b, c = three.members
    assert (a.model, a.called, a.n, a.correct, a.abstained, a.failed) == ("a", 8, 8, 4, 1, 0)
    assert (b.correct, b.cost_nanousd, b.p95_s) == (4, 16_000, 1.0)
    assert (c.called, c.n, c.correct, c.abstained, c.failed, c.measured) == (8, 8, 3, 0, 1, 7)
    strong = staged.members[2]
    assert (strong.stage, strong.called, strong.correct, strong.abstained) == (1, 3, 2, 1)


def test_comparison_with_the_baseline_by_hand() -> None:
    data = computed(small_run())
    three, staged = data.comparisons
    # strong is right on 0 to 4; three is right on 0, 1, 2, 3 and 6.
    assert (three.both, three.only_arm, three.only_baseline, three.neither) == (4, 1, 1, 2)
    assert (three.pairs, three.difference, three.p_value, three.p_holm) == (8, 0.0, 1.0, 1.0)
    assert three.detectable is not None
    assert three.detectable.discordance == 0.25
    assert (staged.both, staged.only_arm, staged.only_baseline) == (4, 1, 1)
    assert three.cost is not None
    assert three.cost.estimate == 45_000 / 8 - 10_000
    assert three.cost.relative == pytest.approx(45_000 / 80_000 - 1)
    assert three.p95 is None  # eight pairs say nothing about a tail


def test_answers_are_marked_won_or_lost_against_the_baseline() -> None:
    run = small_run()
    compute_result(run_id=run.pk, now=NOW)
    answers = Answer.objects.filter(run=run).order_by("arm__position", "position")
    marks = [versus[:1] for versus in answers.values_list("versus", flat=True)]
    assert "".join(mark or "." for mark in marks) == "........" + "bbbblnwn" + "bbbblnwn"


def test_the_best_member_is_compared_on_the_same_examples() -> None:
    data = computed(small_run())
    three, staged = data.uplifts
    # a: right on 0, 1, 2, 6; b: on 0, 1, 3, 6; the earlier one is taken.
    assert (three.member, three.member_correct, three.pairs) == ("a", 4, 8)
    assert (three.both, three.only_arm, three.only_member, three.neither) == (4, 1, 0, 3)
    assert three.difference == 1 / 8
    # strong is only called on three items by the staged arm, but the baseline called it on all.
    assert (staged.member, staged.member_correct) == ("strong", 5)


def test_correlation_is_over_all_voters_of_the_run() -> None:
    data = computed(small_run())
    assert data.correlation is not None
    assert data.correlation.names == ("strong", "a", "b", "c")
    # a and b err together on 4, 5, 7, apart on 2 and 3: (8·3 − 4·4) / sqrt(4·4·4·4).
    assert data.correlation.values[1][2] == pytest.approx(0.5)
    assert data.arms[0].effective_voters is None
    assert data.arms[1].effective_voters is not None


def test_bands_and_curves_add_up_to_the_answers() -> None:
    data = computed(small_run())
    assert [sum(band.n for band in bands.bands) for bands in data.bands] == [8, 8, 8]
    assert [sum(band.correct for band in bands.bands) for bands in data.bands] == [arm.correct for arm in data.arms]
    assert [curve.measured for curve in data.latency] == [8, 7, 8]
    assert data.latency[0].seconds == (2.0,)


def test_unscored_examples_are_not_wrong() -> None:
    run = small_run(reference=None)
    data = computed(run)
    assert [(arm.items, arm.n, arm.correct, arm.accuracy, arm.interval) for arm in data.arms] == [
        (8, 0, 0, None, None)
    ] * 3
    comparison = data.comparisons[0]
    assert (comparison.pairs, comparison.difference, comparison.p_value, comparison.p_holm) == (0, None, None, None)
    assert (data.uplifts, data.correlation) == ((), None)
    assert comparison.cost is not None
    assert set(Answer.objects.filter(run=run).values_list("versus", flat=True)) == {""}


def test_unknown_price_is_unknown_never_zero() -> None:
    data = computed(small_run(prices={**PRICES, "c": None}))
    base, three, _ = data.arms
    assert (three.cost_nanousd, three.cost_per_request_nanousd, three.cost_per_correct_nanousd) == (None, None, None)
    assert three.cost_unknown == 7  # c failed once; that answer's cost is known
    assert three.members[2].cost_nanousd is None
    assert three.members[2].cost_unknown == 7
    assert base.cost_nanousd == 80_000
    assert data.comparisons[0].cost is not None
    assert data.comparisons[0].cost.pairs == 1


def test_simulated_providers_are_marked() -> None:
    data = computed(small_run(simulated=True))
    assert data.is_simulated
    assert all(arm.simulated for arm in data.arms)


def test_computing_again_changes_nothing() -> None:
    run = small_run()
    first = compute_result(run_id=run.pk, now=NOW).data
    assert compute_result(run_id=run.pk, now=NOW).data == first
    assert RunResult.objects.count() == 1


def test_queries_do_not_grow_with_the_examples(django_assert_max_num_queries: Any) -> None:
    run = Run.objects.select_related("experiment__dataset_version").get(pk=small_run().pk)
    with django_assert_max_num_queries(8):
        tally_run(run)


def test_only_the_last_attempt_of_a_seat_speaks() -> None:
    run = small_run()
    call = Call.objects.get(answer__run=run, answer__arm__name="one model", answer__position=5)
    Call.objects.filter(pk=call.pk).update(attempt=2, ballot="A", spent_nanousd=7)
    Call.objects.create(
        answer=call.answer,
        model=call.model,
        stage=0,
        seat=0,
        attempt=1,
        outcome="timeout",
        spent_nanousd=3,
        created_at=NOW,
    )
    base = computed(run).arms[0]
    assert (base.members[0].called, base.members[0].correct, base.members[0].failed) == (8, 6, 0)
    assert (base.spent_nanousd, base.calls) == (10, 8)


def test_equal_seats_are_voters_of_their_own() -> None:
    version = make_version([{"id": "i0", "reference": "A", "choices": ["A", "B"]}])
    make_models(["a"], PRICES)
    plans = (
        ArmPlan(name="one", stages=(("a",),), is_baseline=True),
        ArmPlan(name="twins", stages=(("a", "a"),)),
    )
    run = make_run(version, plans)
    fuse_run(run, plans, {("i0", "a"): Reply(text="A")})
    data = computed(run)
    assert [member.voter for member in data.arms[1].members] == ["a", "a (2)"]
    assert data.arms[0].cost_nanousd is None


def test_free_text_is_scored_whole_though_the_ballot_is_cut() -> None:
    version = make_version([{"id": "i0", "references": ["gate closed"]}], kind=AnswerKind.TEXT, scorer="key_facts")
    make_models(["a"], PRICES)
    plans = (ArmPlan(name="one", stages=(("a",),), is_baseline=True),)
    run = make_run(version, plans)
    text = "Nothing else happened that day. " * 20 + "The gate closed."
    fuse_run(run, plans, {("i0", "a"): Reply(text=text)})
    Call.objects.update(text=text, ballot=text[:300])
    member = computed(run).arms[0].members[0]
    assert (member.n, member.correct) == (1, 1)


def test_recorded_labels_score_members() -> None:
    version = make_version([{"id": "i0"}, {"id": "i1"}], kind=AnswerKind.SHORT, scorer="recorded")
    make_models(["a", "b"], PRICES)
    plans = (ArmPlan(name="two", stages=(("a", "b"),), is_baseline=True),)
    run = make_run(version, plans)
    labels = {("i0", "a"): True, ("i0", "b"): False, ("i1", "a"): True, ("i1", "b"): None}
    replies = {key: Reply(text=key[1], recorded=Recorded(correct=label)) for key, label in labels.items()}
    fuse_run(run, plans, replies, keep_outputs=True)
    a, b = computed(run).arms[0].members
    assert (a.n, a.correct, b.n, b.correct) == (2, 2, 1, 0)


def test_members_of_single_arms_agree_with_their_arm(recorded_data: Path) -> None:
    """The figures of the recorded set, through the engine and the stored rows."""
    plans = (
        ArmPlan(name="gpt-4o", stages=(("gpt-4o-2024-05-13",),), is_baseline=True),
        ArmPlan(name="flash", stages=(("gemini-1.5-flash-002",),)),
        ArmPlan(
            name="three",
            stages=(("gemini-1.5-flash-002", "DeepSeek-Coder-V2", "Meta-Llama-3.1-70B-Instruct"),),
        ),
        ArmPlan(
            name="staged",
            stages=(("gemini-1.5-flash-002", "Meta-Llama-3.1-70B-Instruct"), ("gpt-4o-2024-05-13",)),
            stop_at=1.0,
            settles=True,
        ),
    )
    run = recorded_run(recorded_data / "mmlu_pro", plans)
    data = result_of(tally_run(run))
    assert [(arm.n, arm.correct, arm.abstained, arm.calls, arm.escalated) for arm in data.arms] == [
        (1832, 1401, 12, 1832, 0),
        (1832, 1193, 9, 1832, 0),
        (1832, 1263, 0, 5496, 0),
        (1832, 1384, 0, 4333, 669),
    ]
    dollars = [round((arm.cost_nanousd or 0) / 1e9, 6) for arm in data.arms]
    assert dollars == [12.9133, 0.087084, 0.863433, 6.469464]
    assert [arm.members[0].correct for arm in data.arms[:2]] == [1401, 1193]
    assert data.arms[2].members[0].correct == 1193
    assert [uplift.member for uplift in data.uplifts][1] == "gpt-4o-2024-05-13"
    assert data.uplifts[1].difference == pytest.approx((1384 - 1401) / 1832)
    assert from_json(json.loads(json.dumps(to_json(data)))) == data


def recorded_run(folder: Path, plans: tuple[ArmPlan, ...]) -> Run:
    wanted = {name for plan in plans for stage in plan.stages for name in stage}
    version = make_version(_rows(folder / "items.jsonl.gz", ('"id"',)))
    prices = {row["model"]: _price(row) for row in json.loads((folder / "models.json").read_text())}
    make_models(sorted(wanted), {name: prices[name] for name in wanted})
    outputs = _rows(folder / "outputs.jsonl.gz", tuple(f'"model": "{name}"' for name in wanted))
    replies = {(row["item_id"], row["model"]): _reply(row) for row in outputs}
    run = make_run(version, plans)
    fuse_run(run, plans, replies)
    return run


def _rows(path: Path, wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows whose line holds one of ``wanted``: reading only those keeps the test short."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if any(text in line for text in wanted)]


def _price(row: dict[str, Any]) -> Price:
    return Price(
        in_nanousd_per_mtok=nanousd_from_dollars(row["price_in_per_mtok"]),
        out_nanousd_per_mtok=nanousd_from_dollars(row["price_out_per_mtok"]),
    )


def _reply(row: dict[str, Any]) -> Reply:
    return Reply(
        text="",
        usage=Usage(prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"]),
        recorded=Recorded(predicted=row["predicted"], has_predicted=True, correct=row["correct"]),
    )
