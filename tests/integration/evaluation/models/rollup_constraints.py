"""What the database refuses of rollups, by the constraint that does."""

from __future__ import annotations

from evaluation.models import AnswerRollup, CallRollup, Grain, RollupState
from tests.constraints import Check, Unique
from tests.factories import NOW, make_model, make_panel_version


def make_state() -> RollupState:
    return RollupState.objects.create(pk=RollupState.ONLY)


def make_call_rollup() -> CallRollup:
    version = make_panel_version([[make_model()]])
    return CallRollup.objects.create(
        grain=Grain.HOUR,
        starts_at=NOW,
        panel_version=version,
        model=version.members.get().model,
        role="member",
        calls=1,
    )


def make_answer_rollup() -> AnswerRollup:
    version = make_panel_version([[make_model()]])
    return AnswerRollup.objects.create(
        grain=Grain.HOUR, starts_at=NOW, panel_version=version, answers=2, answered=2, scored=2, correct=1
    )


ROLLUP_CONSTRAINTS: dict[str, Check | Unique] = {
    "rollup_state_is_one_row": Check(make=make_state, changes={"id": 2}),
    # No workflow and no arm: the nulls of a live answer that was asked for no workflow are a key too.
    "call_rollup_unique": Unique(make=make_call_rollup, fields=["panel_version", "model"]),
    "call_rollup_grain_known": Check(make=make_call_rollup, changes={"grain": "week"}),
    "call_rollup_money_not_negative": Check(make=make_call_rollup, changes={"cost_nanousd": -1}),
    "answer_rollup_unique": Unique(make=make_answer_rollup, fields=["panel_version"]),
    "answer_rollup_grain_known": Check(make=make_answer_rollup, changes={"grain": "week"}),
    "answer_rollup_outcomes_add_up": Check(make=make_answer_rollup, changes={"answered": 1}),
    "answer_rollup_parts_within": Check(make=make_answer_rollup, changes={"correct": 3}),
}
