"""What masking means for replies that are there already, and for what is counted and scored of them."""

from __future__ import annotations

import pytest

from evaluation.models import Answer, Call, Experiment, Run, RunResult
from evaluation.results import from_json
from evaluation.services.runs import retry_failed
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply
from panels.models import Provider
from tests.factories import NOW, make_model, make_outputs, make_provider
from tests.integration.evaluation.arbitrated_runs import work
from tests.integration.evaluation.execution.scripted_clients import ScriptedProviders, failure, reply
from tests.integration.evaluation.masked_runs import (
    FIELD,
    MAIL,
    NAME,
    PROMPT,
    calls_of,
    echo,
    masked_run,
    masking_workflow,
    people_version,
    seated,
)

pytestmark = pytest.mark.django_db(transaction=True)


def member_scores(run: Run) -> dict[str, tuple[int, int | None, int | None]]:
    """By model, over all arms: how often it was right, and the placeholders in its replies with those lost."""
    data = from_json(RunResult.objects.get(run=run).data)
    members = [member for arm in data.arms for member in arm.members]
    return {one.model: (one.correct, one.placeholders, one.placeholders_lost) for one in members}


# Replies that are there already


def test_masked_and_unmasked_runs_never_take_each_others_replies():
    outside = make_model()
    version = people_version()
    panel = seated(outside)
    plain = masking_workflow(masks=False)
    for workflow in (plain, masking_workflow()):
        first, second = ScriptedProviders(answer=echo), ScriptedProviders(answer=echo)
        work(masked_run(panel, version=version, workflow=workflow), first)
        work(masked_run(panel, version=version, workflow=workflow), second)
        assert (len(first.requests), len(second.requests)) == (1, 0)
    assert Call.objects.exclude(reply_key="").values("reply_key").distinct().count() == 2


def test_equal_masked_prompts_share_a_reply_whoever_they_are_about():
    outside = make_model()
    bob = {
        "prompt": PROMPT.replace(NAME, "Bob Miller").replace(MAIL, "bob@example.org"),
        "reference": "Bob Miller",
        "meta": {"fields": {FIELD: "Bob Miller"}},
    }
    run = masked_run(seated(outside), version=people_version([{}, bob]))
    providers = ScriptedProviders(answer=echo)
    work(run, providers)
    assert len(providers.requests) == 1
    assert set(run.answers.values_list("correct", flat=True)) == {True}


def test_an_in_house_reply_serves_the_same_values_alone():
    own = make_model()
    bob = {
        "prompt": PROMPT.replace(NAME, "Bob Miller"),
        "reference": "Bob Miller",
        "meta": {"fields": {FIELD: "Bob Miller"}},
    }
    panel, version = seated(own, own=[own]), people_version([{}, bob])
    first, second = ScriptedProviders(answer=echo), ScriptedProviders(answer=echo)
    run, again = masked_run(panel, version=version), masked_run(panel, version=version)
    work(run, first)
    work(again, second)
    assert (len(first.requests), second.requests) == (2, [])
    assert set(again.answers.values_list("correct", flat=True)) == {True}


def test_what_an_in_house_member_brought_up_itself_is_asked_for_again():
    own = make_model()
    panel, version = seated(own, own=[own]), people_version()
    first, second = (ScriptedProviders(answer=lambda _: reply("bob@example.org")) for _ in range(2))
    work(masked_run(panel, version=version), first)
    work(masked_run(panel, version=version), second)
    assert (len(first.requests), len(second.requests)) == (1, 1)


@pytest.mark.parametrize("masks_first", [True, False])
def test_a_retry_keeps_no_reply_that_was_bought_under_another_masking(masks_first):
    good, bad = make_model(), make_model()
    workflow = masking_workflow(masks=masks_first)
    run = masked_run(seated(good, bad), workflow=workflow)
    # One of two members fails, and the other's text cannot be read: no ballot, so the answer has failed.
    work(run, ScriptedProviders(answer=lambda asked: reply("") if asked.model == str(good.pk) else failure()))
    workflow.masks = not masks_first
    workflow.save()
    retry_failed(run=run, by=None, now=NOW)
    again = ScriptedProviders(answer=echo)
    work(run, again)
    assert sorted(request.model for request in again.requests) == sorted([str(good.pk), str(bad.pk)])
    answer = run.answers.get()
    assert (answer.outcome, answer.correct, answer.masking is None) == (Answer.Outcome.ANSWERED, True, masks_first)
    assert [call.attempt for call in calls_of(run, good)] == [1, 2]


def test_a_retry_under_the_same_masking_keeps_what_came():
    good, bad = make_model(), make_model()
    run = masked_run(seated(good, bad))
    work(run, ScriptedProviders(answer=lambda asked: reply("") if asked.model == str(good.pk) else failure()))
    retry_failed(run=run, by=None, now=NOW)
    again = ScriptedProviders(answer=echo)
    work(run, again)
    assert [request.model for request in again.requests] == [str(bad.pk)]


# What is counted and scored


def test_a_replay_scores_the_same_with_masking_as_without():
    right, wrong = (make_model(provider=make_provider(kind=Provider.Kind.RECORDED), price=None) for _ in range(2))
    version = people_version([{}, {"references": ["anna  SCHMIDT", MAIL], "reference": None}, {"reference": MAIL}])
    make_outputs(version, {right: [NAME.upper(), MAIL, MAIL], wrong: ["Nobody", "nobody", NAME]})
    panels = [seated(right), seated(wrong), seated(right, wrong)]
    runs = [
        masked_run(*panels, version=version, workflow=workflow, replies=Experiment.Replies.RECORDED)
        for workflow in (masking_workflow(masks=False), masking_workflow())
    ]
    for run in runs:
        work(run, ScriptedProviders())
    plain, masked = (
        list(run.answers.order_by("arm__position", "position").values_list("correct", "consensus")) for run in runs
    )
    assert plain == masked
    assert [correct for correct, _ in masked] == [True] * 3 + [False] * 3 + [True] * 3
    scores = member_scores(runs[1])
    assert (scores[right.name], scores[wrong.name]) == ((3, None, None), (0, None, None))
    assert scores[right.name][0] == member_scores(runs[0])[right.name][0]


def test_free_text_is_scored_whole_in_a_masked_replay():
    """A member's ballot is cut when it is stored; the fact stands after the cut, and holds a name."""
    model = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), price=None)
    facts = {"reference": None, "references": [f"written by {NAME}"]}
    version = people_version([facts], kind="text", scorer="key_facts")
    make_outputs(version, {model: [f"{'A long letter. ' * 30}It was written by {NAME.upper()}."]})
    runs = [
        masked_run(seated(model), version=version, workflow=workflow, replies=Experiment.Replies.RECORDED)
        for workflow in (masking_workflow(masks=False), masking_workflow())
    ]
    for run in runs:
        work(run, ScriptedProviders())
    assert [run.answers.get().correct for run in runs] == [True, True]
    assert [member_scores(run)[model.name][0] for run in runs] == [1, 1]


def test_spellings_of_one_value_agree_live_too():
    """Members are sent two spellings of one name; each answers with another of them."""
    first, second = make_model(), make_model()
    version = people_version([{"prompt": f"{NAME}, here {NAME.upper()}, asks."}])
    run = masked_run(seated(first, second), version=version)

    def says(request: ModelRequest) -> Reply:
        one, other, _ = request.messages[0].content.removesuffix(" asks.").replace(" here", "").split(",")
        return reply((one if request.model == str(first.pk) else other).strip())

    work(run, ScriptedProviders(answer=says))
    answer = run.answers.get()
    assert (answer.consensus, answer.correct) == (1.0, True)
    # What is kept is what each of them wrote.
    assert len({call.text for call in Call.objects.filter(answer=answer)}) == 2
    assert {scored for scored, *_ in member_scores(run).values()} == {1}


def test_placeholders_that_a_model_loses_are_counted_against_it():
    careful, careless, own = make_model(), make_model(), make_model()
    version = people_version([{}, {"prompt": f"{PROMPT} Say."}])
    run = masked_run(seated(careful, careless, own, own=[own]), version=version)

    def says(request: ModelRequest) -> Reply:
        if request.model == str(careless.pk):
            return reply("[[CUSTOMERNAME_1_xx]] or [[CUSTOMERNAME_9_ab]] or [[EMAIL_1_uo]]")
        return echo(request)

    work(run, ScriptedProviders(answer=says))
    scores = member_scores(run)
    assert scores[careful.name] == (2, 2, 0)
    assert scores[careless.name] == (0, 6, 4)
    # It was shown none, so it cannot have lost any.
    assert scores[own.name] == (2, None, None)
    assert from_json(RunResult.objects.get(run=run).data).masks


def test_attempts_that_failed_count_no_placeholders():
    outside = make_model()
    earlier = Failure(kind=FailureKind.SERVER, detail="busy", latency_s=0.1, pause_s=0.1)
    run = masked_run(seated(outside))
    work(run, ScriptedProviders(answer=lambda asked: reply(echo(asked).text, earlier=(earlier,))))
    attempts = [(call.attempt, call.outcome, call.placeholders) for call in calls_of(run, outside)]
    assert attempts == [(1, "server", None), (2, "ok", 1)]
