from __future__ import annotations

import pytest

from evaluation.execution.data_gate import policy_of
from evaluation.models import Answer, Run, RunResult
from evaluation.services.change_evidence import NoResult, gather_evidence, runs_with
from panels.evidence import evidence_json, read_evidence
from panels.gate import DataPolicy, Purpose
from panels.models import Contract, PanelVersion
from panels.selectors.panels import with_members
from panels.services.panels import create_panel
from panels.specs import spec_of
from tests.factories import NOW, make_model, make_panel_version, make_workflow
from tests.integration.evaluation.finished_runs import make_finished_run
from tests.triggers import triggers_off

pytestmark = pytest.mark.django_db
PUBLIC = DataPolicy(data_class="public", purpose=Purpose.PRODUCT)


@pytest.fixture
def made():
    return make_finished_run("RRRRRRWF", "RWWWWRRW", workflow=make_workflow(name="Sales"))


def gathered(made, *, policy=PUBLIC, arm=None):
    version = (arm or made.panel).panel_version
    return gather_evidence(candidate=version, run=made.run, policy=policy, now=NOW)


def test_a_run_says_what_the_candidate_gains_and_loses(made):
    evidence = gathered(made)
    assert (evidence.run.id, evidence.dataset.examples, evidence.workflow) == (made.run.pk, 8, "Sales")
    assert [arm.part for arm in evidence.arms] == ["baseline", "candidate"]
    candidate = evidence.arms[1]
    assert (candidate.accuracy.value, candidate.accuracy.n) == (3 / 8, 8)
    assert candidate.accuracy.low < 3 / 8 < candidate.accuracy.high
    assert evidence.differences.accuracy.value == pytest.approx(-3 / 8)
    assert evidence.differences.cost_nanousd.value > 0
    assert evidence.differences.cost_nanousd.low <= evidence.differences.cost_nanousd.value
    assert evidence.gate.findings == ()
    assert read_evidence(evidence_json(evidence)) == evidence


def test_the_three_most_agreed_regressions_stand_first(made):
    Answer.objects.filter(arm=made.panel, position=3).update(consensus=0.9)
    Answer.objects.filter(arm=made.panel, position=4).update(consensus=0.1)
    evidence = gathered(made)
    assert evidence.lost == 4
    assert [one.item_id for one in evidence.regressions] == ["item-3", "item-1", "item-2"]
    assert evidence.regressions[0].said == "B"
    assert evidence.regressions[0].right == "A"


@pytest.mark.parametrize("data_class", ["personal", "health"])
def test_personal_words_are_not_kept_with_the_request(made, data_class):
    worst = gathered(made, policy=DataPolicy(data_class=data_class, purpose=Purpose.PRODUCT)).regressions[0]
    assert (worst.title, worst.said, worst.right) == ("", "", "")
    assert worst.item_id == "item-1"


def test_the_baseline_itself_has_figures_and_no_difference(made):
    evidence = gathered(made, arm=made.baseline)
    assert [arm.part for arm in evidence.arms] == ["candidate"]
    assert (evidence.differences, evidence.regressions) == (None, ())


def test_the_same_content_under_another_name_was_measured_too(made):
    version = with_members(PanelVersion.objects.filter(pk=made.panel.panel_version_id)).get()
    twin = create_panel(name="Twin", description="", spec=spec_of(version), by=None, now=NOW)
    assert runs_with(twin) == [made.run]
    assert gather_evidence(candidate=twin, run=made.run, policy=PUBLIC, now=NOW).arms[1].part == "candidate"


def test_a_version_that_took_no_part_or_a_run_without_result_is_no_evidence(made):
    other = make_panel_version([[make_model()]])
    assert runs_with(other) == []
    with pytest.raises(NoResult, match="took no part"):
        gather_evidence(candidate=other, run=made.run, policy=PUBLIC, now=NOW)
    RunResult.objects.all().delete()
    with pytest.raises(NoResult, match="no result yet"):
        gathered(made)
    Run.objects.update(state=Run.State.CANCELLED)
    with pytest.raises(NoResult):
        gathered(made)


def test_without_a_run_the_gate_speaks_alone(made):
    with triggers_off():
        Contract.objects.all().delete()
    evidence = gather_evidence(candidate=made.panel.panel_version, run=None, policy=PUBLIC, now=NOW)
    assert (evidence.run, evidence.arms) == (None, ())
    assert len(evidence.gate.findings) == 3
    assert "no contract" in evidence.gate.findings[0]


def test_data_of_no_workflow_is_internal():
    assert policy_of(None, purpose=Purpose.PRODUCT).data_class == "internal"
