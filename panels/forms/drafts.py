"""A panel on its way through the form, as texts: nothing in it has to be valid yet.

It lets rows be added and removed by a plain submit, with or without JavaScript, and nothing typed is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.http import QueryDict

from panels.fusion.pricing import dollars_from_nanousd
from panels.models import LanguageModel
from panels.selectors.models import full_name
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec

STAGES = 3
ROWS_AT_MOST = 50
ARBITER_FIELDS = (
    *("arbiter", "arbiter_when", "arbiter_max_tokens"),
    *("arbiter_temperature", "arbiter_seed", "arbiter_may_be_member"),
)
LIVE_FIELDS = ("min_replies", "grace_s", "deadline_s", "hedges", "max_cost")
HEAD_FIELDS = ("name", "description", "strategy", "stop_at", "settles", *ARBITER_FIELDS, *LIVE_FIELDS)
ROW_FIELDS = ("model", "weight", "skill", "max_tokens", "temperature", "top_p", "seed", "in_house")
BLANK_ROW: Mapping[str, str] = {"weight": "1", "max_tokens": "1024"}

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """``stages`` has STAGES tuples of rows. ``fresh`` is the stage and row just added, which wants the focus."""

    head: Mapping[str, str]
    stages: tuple[tuple[Row, ...], ...]
    fresh: tuple[int, int] | None = None

    def with_row(self, stage: int) -> Draft:
        rows = self.stages[stage]
        if len(rows) >= ROWS_AT_MOST:
            return self
        return replace(self._changed(stage, (*rows, BLANK_ROW)), fresh=(stage, len(rows)))

    def without_row(self, stage: int, row: int) -> Draft:
        rows = self.stages[stage]
        left = (*rows[:row], *rows[row + 1 :]) or (BLANK_ROW,)
        return replace(self._changed(stage, left), fresh=(stage, min(row, len(left) - 1)))

    def _changed(self, stage: int, rows: tuple[Row, ...]) -> Draft:
        return replace(self, stages=(*self.stages[:stage], rows, *self.stages[stage + 1 :]))


def blank_draft() -> Draft:
    """Three seats in the first stage, the smallest panel that can outvote a member."""
    return Draft(head={"strategy": "majority"}, stages=((BLANK_ROW,) * 3, (BLANK_ROW,), (BLANK_ROW,)))


def baseline_draft(model: LanguageModel) -> Draft:
    """A panel of one. Needs ``model.provider`` loaded."""
    seat = {**BLANK_ROW, "model": full_name(model)}
    limit = model.max_output_tokens
    if limit is not None and limit < int(BLANK_ROW["max_tokens"]):
        seat["max_tokens"] = str(limit)
    return Draft(head={"strategy": "majority", "name": model.name[:120]}, stages=((seat,), (BLANK_ROW,), (BLANK_ROW,)))


def draft_of_spec(spec: PanelSpec, *, models: Mapping[int, LanguageModel]) -> Draft:
    """Needs the provider of every model loaded. Stages beyond STAGES do not fit the form: see ``fits_form``."""
    stages = [tuple(_row_of_member(member, models) for member in stage.members) for stage in spec.stages]
    stages += [(BLANK_ROW,)] * (STAGES - len(stages))
    head = {
        "strategy": spec.strategy.value,
        "stop_at": _text(spec.stop_at),
        "settles": _tick(spec.stages[-1].settles),
        **_arbiter_head(spec.arbiter, models),
        **_live_head(spec),
    }
    return Draft(head=head, stages=tuple(stages))


def _arbiter_head(arbiter: ArbiterSpec | None, models: Mapping[int, LanguageModel]) -> Mapping[str, str]:
    if arbiter is None:
        return {}
    sampling = arbiter.sampling
    return {
        "arbiter": full_name(models[arbiter.model_id]),
        "arbiter_when": arbiter.when.value,
        "arbiter_max_tokens": str(sampling.max_tokens),
        "arbiter_temperature": _text(sampling.temperature),
        "arbiter_seed": "" if sampling.seed is None else str(sampling.seed),
        "arbiter_may_be_member": _tick(arbiter.may_be_member),
    }


def _live_head(spec: PanelSpec) -> Mapping[str, str]:
    timing, ceiling = spec.timing, spec.max_cost_nanousd
    return {
        "min_replies": "" if timing.min_replies is None else str(timing.min_replies),
        "grace_s": _text(timing.grace_s),
        "deadline_s": _text(timing.deadline_s),
        "hedges": _tick(timing.hedges),
        "max_cost": "" if ceiling is None else format(dollars_from_nanousd(ceiling).normalize(), "f"),
    }


def fits_form(spec: PanelSpec) -> bool:
    return len(spec.stages) <= STAGES


def draft_after_button(data: QueryDict) -> Draft | None:
    """What was typed, with a row more or less, where a row's button sent the form; else None."""
    # A control called "remove" would hide the form element's own method of that name from every script.
    if (stage := _places(data.get("add_row"), 1)) is not None:
        return _draft_of_post(data).with_row(stage[0])
    if (place := _places(data.get("remove_row"), 2)) is not None:
        return _draft_of_post(data).without_row(*place)
    return None


def _draft_of_post(data: QueryDict) -> Draft:
    stages = tuple(
        tuple(
            {name: data.get(f"stage{stage}-{row}-{name}", "") for name in ROW_FIELDS}
            for row in range(_row_count(data, stage))
        )
        for stage in range(STAGES)
    )
    return Draft(head={name: data.get(name, "") for name in HEAD_FIELDS}, stages=stages)


def _row_count(data: QueryDict, stage: int) -> int:
    places = _places(data.get(f"stage{stage}-TOTAL_FORMS"), 1, below=ROWS_AT_MOST + 1)
    return places[0] if places else 0


def _places(text: str | None, count: int, *, below: int = STAGES) -> tuple[int, ...] | None:
    """``"2"`` or ``"2-0"``: whole numbers, the first under ``below``; None for anything else."""
    parts = (text or "").split("-")
    if len(parts) != count or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return None
    numbers = tuple(int(part) for part in parts)
    return numbers if numbers[0] < below else None


def _row_of_member(member: MemberSpec, models: Mapping[int, LanguageModel]) -> Row:
    sampling = member.sampling
    return {
        "model": full_name(models[member.model_id]),
        "weight": _text(member.weight),
        "skill": _text(member.skill),
        "max_tokens": str(sampling.max_tokens),
        "temperature": _text(sampling.temperature),
        "top_p": _text(sampling.top_p),
        "seed": "" if sampling.seed is None else str(sampling.seed),
        "in_house": _tick(member.in_house),
    }


def _tick(ticked: bool) -> str:
    return "on" if ticked else ""


def _text(value: float | None) -> str:
    """A float in full, so that an unchanged form makes an unchanged version."""
    if value is None:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
