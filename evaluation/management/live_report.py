"""A live answer for a terminal: the words first, then how they came about; or as the one JSON object of a fusion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unicodedata import category

from django.urls import reverse

from evaluation.execution.live_answers import Answered
from evaluation.models import Answer
from evaluation.selectors.runs import failure_words
from fusion_site.lib.figures import format_duration, format_money, format_seconds
from panels.fusion.cost_lines import CostLine
from panels.fusion.minority import minority_report
from panels.fusion.outcomes import Fused, MemberCall
from panels.fusion.result_object import Naming, result_object
from panels.fusion.types import Failure, FailureKind
from panels.models import PanelVersion

_LATE = frozenset({FailureKind.DEADLINE, FailureKind.LATE})


def report_text(answered: Answered, version: PanelVersion) -> str:
    """Several lines of plain text, without anything that a terminal would obey."""
    return "\n".join(_plain(line) for line in _lines(answered, version))


def report_json(answered: Answered, version: PanelVersion) -> dict[str, Any]:
    """``answer`` for the reader, and ``fusion``, the result object of the wire format."""
    live, answer = answered.live, answered.answer
    naming = Naming(
        panel=f"{version.panel.slug}@{version.number}",
        panel_hash=version.content_hash,
        answer_id=str(answer.pk),
        confidence=answer.confidence,
    )
    total = live.cost.total_nanousd
    return {
        "answer": live.text if not live.reason else None,
        "quote_usd": {
            name: _dollars(nanousd)
            for name, nanousd in (
                ("least", live.quote.least_nanousd),
                ("expected", live.quote.expected_nanousd),
                ("most", live.quote.most_nanousd),
            )
        },
        "cost_usd": _dollars(total),
        "trace": _trace(answer),
        "simulated": _simulated(version),
        "fusion": result_object(live, naming),
    }


def late_members(answered: Answered) -> list[str]:
    """Who was not waited for."""
    fused = answered.live.fused
    calls = () if fused is None else fused.calls
    return [call.member.model for call in calls if isinstance(call.result, Failure) and call.result.kind in _LATE]


def _simulated(version: PanelVersion) -> list[str]:
    """The models whose provider is made up, and with it every number of theirs."""
    seated = [seat.model for seat in version.members.all()]
    judges = [] if version.arbiter_model is None else [version.arbiter_model]
    return list(dict.fromkeys(model.name for model in (*seated, *judges) if model.provider.is_simulated))


def _trace(answer: Answer) -> str:
    return reverse("evaluation:answer", args=[answer.pk])


def _plain(text: str) -> str:
    return "".join(character for character in text if character in "\n\t" or category(character) != "Cc")


def _dollars(nanousd: int | None) -> float | None:
    return None if nanousd is None else nanousd / 1_000_000_000


def _lines(answered: Answered, version: PanelVersion) -> Iterator[str]:
    live = answered.live
    yield live.text if not live.reason else f"No answer ({live.reason}): {live.explanation}"
    yield ""
    yield from _head(answered, version)
    if live.fused is not None:
        yield "members"
        yield from (_member(call, call.member.model) for call in live.fused.calls)
        yield from _arbiter(live.fused)
    yield from _section("degraded", (f"  {cut.kind}: {cut.reason}" for cut in live.degraded))
    yield from _section("minority report", _minority(answered))
    yield from _section("cost", (_cost(line, line.model) for line in live.lines))
    yield from _section("masked", (f"  {kind}: {count}" for kind, count in live.masks.items()))
    yield from _section(
        "placeholders lost or invented",
        (f"  {model}: {count.lost} of {count.total}" for model, count in live.integrity.items() if count.lost),
    )


def _head(answered: Answered, version: PanelVersion) -> Iterator[str]:
    live, answer = answered.live, answered.answer
    yield f"{version.panel.slug} v{version.number}, answer {answer.pk}, trace {_trace(answer)}"
    quote = live.quote
    quoted = f"{format_money(quote.least_nanousd)} to {format_money(quote.most_nanousd)}"
    expected = format_money(quote.expected_nanousd)
    if simulated := _simulated(version):
        yield f"simulated, with all their numbers: {', '.join(simulated)}"
    yield f"cost {format_money(live.cost.total_nanousd)} (quoted {quoted}, expected {expected})"
    if live.fused is None:
        return
    fused = live.fused
    because = f" ({fused.strategy_reason})" if fused.strategy_reason else ""
    confidence = "not calibrated" if answer.confidence is None else f"{answer.confidence:.2f}"
    yield f"strategy {fused.strategy.value}{because}, stages {fused.stages_called}"
    yield f"consensus {fused.consensus:.2f}, confidence {confidence}, took {format_seconds(answer.latency_s)}"


def _member(call: MemberCall, name: str) -> str:
    result = call.result
    retried = f", attempt {len(result.earlier) + 1}" if result.earlier else ""
    if isinstance(result, Failure):
        status = "" if result.status_code is None else f" {result.status_code}"
        return f"  {name}: {failure_words(result.kind.value)}{status}{retried} ({result.detail})"
    said = "no ballot could be read" if call.ballot.value is None else _short(str(call.ballot.value))
    age = "" if result.age_s is None else f", reused, bought {format_duration(result.age_s)} ago"
    return f"  {name}: {said}{retried}{age}"


def _arbiter(fused: Fused) -> Iterator[str]:
    if fused.arbitration is None:
        return
    for call in fused.arbitration.calls:
        result = call.result
        said = failure_words(result.kind.value) if isinstance(result, Failure) else "answered"
        yield f"arbiter {call.arbiter.model}, prompt {call.prompt.name}, attempt {call.attempt}: {said}"
    if fused.arbitration.problem:
        yield f"  no analysis: {fused.arbitration.problem}"


def _minority(answered: Answered) -> Iterator[str]:
    fused = answered.live.fused
    if fused is None:
        return
    names = {call.seat: call.member.model for call in fused.calls}
    for dissent in minority_report(fused):
        quote = f" “{_short(dissent.quote)}”" if dissent.quote else ""
        yield f"  {names[dissent.seat]} on {_short(dissent.topic)}: {_short(dissent.says)}{quote}"


def _cost(line: CostLine, name: str) -> str:
    return f"  {line.role.value} {name}, attempt {line.attempt}: {format_money(line.nanousd, 9)} {line.basis.value}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield title
        yield from found


def _short(text: str, limit: int = 100) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= limit else f"{one_line[: limit - 1]}…"
