from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from evaluation.models import (
    Answer,
    ApiKey,
    Arm,
    ArmProgress,
    Batch,
    Calibration,
    Call,
    Dataset,
    DatasetImport,
    DatasetVersion,
    Example,
    Experiment,
    Lease,
    LiveRequest,
    RecordedOutput,
    Run,
    RunResult,
)
from evaluation.services.api_keys import create_api_key
from tests.constraints import Check, Unique, constraints_of, refuse
from tests.factories import (
    NOW,
    make_dataset_version,
    make_experiment,
    make_model,
    make_outputs,
    make_panel_version,
    make_run,
    make_workflow,
)
from tests.integration.evaluation.models.review_constraints import OF_THEIR_OWN, REVIEW_CONSTRAINTS
from tests.integration.evaluation.models.rollup_constraints import ROLLUP_CONSTRAINTS

pytestmark = pytest.mark.django_db


def make_dataset() -> Dataset:
    return make_version().dataset


def make_version() -> DatasetVersion:
    return make_dataset_version(examples=1)


def make_saved_example() -> Example:
    return make_version().examples.get()


def make_output() -> RecordedOutput:
    version = make_version()
    make_outputs(version, {make_model(): ["A"]})
    return RecordedOutput.objects.get(example__version=version)


def make_import(**fields) -> DatasetImport:
    return DatasetImport.objects.create(dataset=make_dataset(), folder="imports/1", created_at=NOW, **fields)


def make_comparison() -> Experiment:
    panels = [make_panel_version([[make_model()]]) for _ in range(2)]
    return make_experiment(panels, version=make_version())


def make_baseline() -> Arm:
    arm = make_comparison().arms.get(is_baseline=True)
    return renamed(arm, position=arm.pk + 100)


def make_challenger() -> Arm:
    return renamed(make_comparison().arms.get(is_baseline=False))


def renamed(arm: Arm, **fields) -> Arm:
    """Under a name of its own, so that a move into another experiment breaks one rule alone."""
    Arm.objects.filter(pk=arm.pk).update(name=f"arm of its own {arm.pk}", **fields)
    arm.refresh_from_db()
    return arm


def make_started_run(**fields) -> Run:
    return make_run(make_comparison(), **fields)


def make_batch() -> Batch:
    return make_started_run().batches.get()


def make_progress() -> ArmProgress:
    return make_started_run().progress.get(arm__is_baseline=True)


def make_calibration() -> Calibration:
    arm = make_started_run().experiment.arms.get(is_baseline=True)
    return Calibration.objects.create(
        panel_version=arm.panel_version,
        run=arm.experiment.runs.get(),
        method="by hand",
        n=60,
        error=0.02,
        steps=[],
        created_at=NOW,
    )


def make_lease() -> Lease:
    return Lease.objects.create(
        run=make_started_run(),
        token=uuid4(),
        worker="worker",
        slots=1,
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=30),
    )


def make_answer() -> Answer:
    run = make_started_run()
    version = run.experiment.dataset_version
    return Answer.objects.create(
        run=run,
        arm=run.experiment.arms.get(is_baseline=True),
        example=version.examples.get(),
        position=0,
        outcome="answered",
        value="A",
        winner_seat=0,
        consensus=1.0,
        stages_called=1,
        call_count=1,
        created_at=NOW,
    )


def make_failed_answer() -> Answer:
    answer = make_answer()
    Answer.objects.filter(pk=answer.pk).update(outcome="failed", value=None, winner_seat=None)
    return answer


def make_live_request() -> LiveRequest:
    answer = Answer.objects.create(
        outcome="answered", value="A", winner_seat=0, consensus=1.0, stages_called=1, call_count=1, created_at=NOW
    )
    return LiveRequest.objects.create(
        answer=answer,
        panel_version=make_panel_version([[make_model()]]),
        answer_kind="text",
        messages='[{"role": "user", "content": "Who?"}]',
        masked=True,
        vault=b"sealed",
        vault_until=NOW,
        created_at=NOW,
    )


def make_call() -> Call:
    return Call.objects.create(
        answer=make_answer(), model=make_model(), stage=0, seat=0, outcome=Call.OK, created_at=NOW
    )


def make_reused_call() -> Call:
    call = make_call()
    Call.objects.filter(pk=call.pk).update(reused_from=make_call())
    return call


def make_api_key() -> ApiKey:
    return create_api_key(name=f"Key {uuid4()}", workflows=[make_workflow()], expires_at=None, by=None, now=NOW).key


CONSTRAINTS: dict[str, Check | Unique] = {
    "api_key_named": Check(make=make_api_key, changes={"name": ""}),
    "api_key_prefix_not_empty": Check(make=make_api_key, changes={"prefix": ""}),
    "api_key_expires_after_created": Check(make=make_api_key, changes={"expires_at": NOW}),
    "api_key_revoked_after_created": Check(make=make_api_key, changes={"revoked_at": NOW - timedelta(seconds=1)}),
    "workflow_data_class_known": Check(make=make_workflow, changes={"data_class": "secret"}),
    "workflow_target_accuracy_is_share": Check(make=make_workflow, changes={"target_accuracy": 92.0}),
    "workflow_target_p95_positive": Check(make=make_workflow, changes={"target_p95_ms": 0}),
    "workflow_target_cost_saves_at_most_all": Check(make=make_workflow, changes={"target_cost_change": -1.01}),
    "dataset_version_number_unique": Unique(make=make_version, fields=["dataset", "number"]),
    "dataset_version_number_from_one": Check(make=make_version, changes={"number": 0}),
    "dataset_version_kind_known": Check(make=make_version, changes={"answer_kind": "essay"}),
    "dataset_version_scorer_known": Check(make=make_version, changes={"scorer": "taste"}),
    "dataset_version_tolerance_not_negative": Check(make=make_version, changes={"tolerance": -1e-9}),
    "dataset_version_published_is_hashed": Check(make=make_version, changes={"content_hash": ""}),
    "dataset_import_state_known": Check(make=make_import, changes={"state": "stuck"}),
    "dataset_import_running_has_lease": Check(make=make_import, changes={"state": "running"}),
    "dataset_import_published_has_version": Check(make=make_import, changes={"state": "published"}),
    "example_position_unique": Unique(make=make_saved_example, fields=["version", "position"], also={"item_id": "x"}),
    "example_item_unique": Unique(make=make_saved_example, fields=["version", "item_id"], also={"position": 7}),
    "example_item_id_not_empty": Check(make=make_saved_example, changes={"item_id": ""}),
    "example_prompt_not_empty": Check(make=make_saved_example, changes={"prompt": ""}),
    "recorded_output_unique": Unique(make=make_output, fields=["example", "model"]),
    "recorded_output_predicted_is_marked": Check(make=make_output, changes={"predicted": "A"}),
    "recorded_output_latency_not_negative": Check(make=make_output, changes={"latency_s": -0.1}),
    "experiment_replies_known": Check(make=make_comparison, changes={"replies": "invented"}),
    "experiment_title_not_empty": Check(make=make_comparison, changes={"title": ""}),
    "arm_position_unique": Unique(make=make_challenger, fields=["experiment", "position"]),
    "arm_name_unique": Unique(make=make_challenger, fields=["experiment", "name"], also={"position": 7}),
    "arm_one_baseline": Unique(make=make_baseline, fields=["experiment"]),
    "arm_name_not_empty": Check(make=make_challenger, changes={"name": ""}),
    "run_number_unique": Unique(make=make_started_run, fields=["experiment", "number"]),
    "run_state_known": Check(make=make_started_run, changes={"state": "lost"}),
    "run_concurrency_positive": Check(make=make_started_run, changes={"concurrency": 0}),
    "run_slots_within_concurrency": Check(make=make_started_run, changes={"slots_leased": 5}),
    "run_money_not_negative": Check(make=make_started_run, changes={"reserved_nanousd": -1}),
    "run_money_within_cap": Check(make=make_started_run, changes={"cap_nanousd": 9, "spent_nanousd": 10}),
    "lease_slots_positive": Check(make=make_lease, changes={"slots": 0}),
    "batch_number_unique": Unique(make=make_batch, fields=["run", "number"]),
    "batch_range_in_order": Check(make=make_batch, changes={"first_position": 1}),
    "batch_state_known": Check(make=make_batch, changes={"state": "late"}),
    "batch_leased_has_lease": Check(make=make_batch, changes={"state": "leased"}),
    "batch_reserved_not_negative": Check(make=make_batch, changes={"reserved_nanousd": -1}),
    "arm_progress_unique": Unique(make=make_progress, fields=["run", "arm"]),
    "calibration_unique": Unique(make=make_calibration, fields=["panel_version", "run"]),
    "calibration_error_is_share": Check(make=make_calibration, changes={"error": 1.5}),
    "calibration_n_positive": Check(make=make_calibration, changes={"n": 0}),
    "calibration_method_named": Check(make=make_calibration, changes={"method": ""}),
    "answer_unique": Unique(make=make_answer, fields=["run", "arm", "example"]),
    "answer_is_of_a_run_or_live": Check(make=make_answer, changes={"arm": None}),
    "live_request_kind_known": Check(make=make_live_request, changes={"answer_kind": "essay"}),
    "live_request_asks_something": Check(make=make_live_request, changes={"messages": ""}),
    "live_request_vault_has_an_end": Check(make=make_live_request, changes={"vault_until": None}),
    "live_request_vault_only_if_masked": Check(make=make_live_request, changes={"masked": False}),
    "live_request_ceiling_positive": Check(make=make_live_request, changes={"ceiling_nanousd": 0}),
    "answer_outcome_known": Check(make=make_failed_answer, changes={"outcome": "shrugged"}),
    "answer_value_only_if_answered": Check(make=make_answer, changes={"outcome": "abstained"}),
    "answer_is_somebodys_words": Check(make=make_answer, changes={"winner_seat": None}),
    "answer_confidence_is_share": Check(make=make_answer, changes={"confidence": 95.0}),
    "answer_consensus_is_share": Check(make=make_answer, changes={"consensus": 1.01}),
    "answer_cost_not_negative": Check(make=make_answer, changes={"cost_nanousd": -1}),
    "call_unique": Unique(make=make_call, fields=["answer", "role", "seat", "attempt"]),
    "call_attempt_from_one": Check(make=make_call, changes={"attempt": 0}),
    "call_money_not_negative": Check(make=make_call, changes={"cost_nanousd": -1}),
    "call_region_judged_by_contract": Check(make=make_call, changes={"region_allowed": True}),
}


@pytest.mark.parametrize("name", sorted(CONSTRAINTS))
def test_the_database_refuses(name):
    refuse("evaluation", name, CONSTRAINTS[name])


def test_a_call_has_one_source():
    replayed = Check(make=make_reused_call, changes={"recorded_output": make_output()})
    refuse("evaluation", "call_one_source", replayed)


def test_every_constraint_has_its_test():
    tested = {*CONSTRAINTS, "call_one_source", *REVIEW_CONSTRAINTS, *ROLLUP_CONSTRAINTS, *OF_THEIR_OWN}
    assert tested == set(constraints_of("evaluation"))


@pytest.mark.parametrize("share", [-0.01, 1.01])
def test_a_target_is_a_share(share):
    refuse(
        "evaluation", "workflow_target_accuracy_is_share", Check(make=make_workflow, changes={"target_accuracy": share})
    )


@pytest.mark.parametrize("share", [-0.01, 1.01])
def test_a_consensus_is_a_share(share):
    refuse("evaluation", "answer_consensus_is_share", Check(make=make_answer, changes={"consensus": share}))


@pytest.mark.parametrize("share", [-0.01, 1.01])
def test_a_confidence_is_a_share(share):
    refuse("evaluation", "answer_confidence_is_share", Check(make=make_answer, changes={"confidence": share}))


def test_an_answer_has_a_value():
    refuse("evaluation", "answer_value_only_if_answered", Check(make=make_answer, changes={"value": None}))


def test_an_answer_that_no_member_wrote_has_a_text_of_its_own():
    answer = make_answer()
    written = Answer.objects.filter(pk=answer.pk).update(winner_seat=None, text="Both say A.")
    assert written == 1


@pytest.mark.parametrize("changes", [{"value": "A", "text": "A"}, {"winner_seat": 0}, {"text": "A"}])
def test_a_failed_answer_has_neither_value_nor_words(changes):
    refuse("evaluation", "answer_value_only_if_answered", Check(make=make_failed_answer, changes=changes))


@pytest.mark.parametrize("field", ["reserved_nanousd", "spent_nanousd", "lost_nanousd"])
def test_no_sum_of_a_run_is_negative(field):
    refuse("evaluation", "run_money_not_negative", Check(make=make_started_run, changes={field: -1}))


@pytest.mark.parametrize(
    "changes", [{"spent_nanousd": 10}, {"reserved_nanousd": 10}, {"spent_nanousd": 5, "reserved_nanousd": 5}]
)
def test_what_is_spent_and_reserved_stays_within_the_cap(changes):
    refuse("evaluation", "run_money_within_cap", Check(make=make_started_run, changes={"cap_nanousd": 9, **changes}))


def test_a_cap_may_be_reached():
    run = make_started_run(cap_nanousd=9)
    assert Run.objects.filter(pk=run.pk).update(spent_nanousd=4, reserved_nanousd=5) == 1


@pytest.mark.parametrize("field", ["cost_nanousd", "spent_nanousd"])
def test_no_sum_of_a_call_is_negative(field):
    refuse("evaluation", "call_money_not_negative", Check(make=make_call, changes={field: -1}))


def test_a_batch_that_nobody_holds_names_no_lease():
    refuse("evaluation", "batch_leased_has_lease", Check(make=make_batch, changes={"lease": make_lease()}))


@pytest.mark.parametrize("make", [make_workflow, make_dataset])
def test_a_slug_names_one_thing(make):
    one, other = make(), make()
    with pytest.raises(IntegrityError), transaction.atomic():
        type(other).objects.filter(pk=other.pk).update(slug=one.slug)


def test_a_token_is_of_one_lease():
    one, other = make_lease(), make_lease()
    with pytest.raises(IntegrityError), transaction.atomic():
        Lease.objects.filter(pk=other.pk).update(token=one.token)


def test_a_run_has_one_result():
    run = make_started_run()
    RunResult.objects.create(run=run, format=1, data={}, computed_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        RunResult.objects.create(run=run, format=1, data={}, computed_at=NOW)
