"""The minority report: who dissents from the answer, on what, and with which words. Nobody's dissent is dropped."""

from __future__ import annotations

from collections.abc import Iterator

from panels.fusion.agreement import same_number
from panels.fusion.answers import normalise_short
from panels.fusion.arbitration import Analysis, Claim, Dissent, Finding, Stance, Synthesis, Verification
from panels.fusion.outcomes import BallotValue, Final, Fused, Group, Tally

ANSWER = "the answer"
_DENIES = "denies a claim that is supported"
_MAKES = "makes a claim that is contradicted"
_TOLERANCE = 1e-6


def minority_report(fused: Fused) -> tuple[Dissent, ...]:
    """First the ballots outside the group that the answer belongs to, then what an arbiter found, in its order.

    A span is quoted only if it stands in the member's words. Abstentions and failures do not dissent.
    """
    analysis = None if fused.arbitration is None else fused.arbitration.analysis
    return dissents(tally=fused.tally, final=fused.final, analysis=analysis)


def dissents(*, tally: Tally, final: Final | None, analysis: Analysis | None) -> tuple[Dissent, ...]:
    """The minority report of an answer that was stored in parts."""
    found: Iterator[Dissent] = iter(())
    if isinstance(analysis, Verification):
        found = _over_claims(analysis)
    elif isinstance(analysis, Synthesis):
        found = _over_topics(analysis)
    return (*_over_the_answer(tally, final), *found)


def _over_the_answer(tally: Tally, final: Final | None) -> Iterator[Dissent]:
    home = _home(tally, final)
    for group in tally.groups:
        for ballot in () if group is home else group.ballots:
            yield Dissent(seat=ballot.seat, topic=ANSWER, says=_said(ballot.value))


def _home(tally: Tally, final: Final | None) -> Group | None:
    """The group of the seat that answered, or that says the same; else the one that won the vote."""
    seat, value = (None, None) if final is None else (final.seat, final.value)
    same = [group for group in tally.groups if any(ballot.seat == seat for ballot in group.ballots)]
    same += [group for group in tally.groups if any(_is_same(ballot.value, value) for ballot in group.ballots)]
    same += [group for group in tally.groups if tally.winner in group.ballots]
    return same[0] if same else None


def _is_same(left: BallotValue | None, right: BallotValue | None) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return same_number(left, right, _TOLERANCE)
    # A choice may be the letter A, of which the normalised form leaves nothing.
    return left == right or normalise_short(str(left)) == normalise_short(str(right)) != ""


def _said(value: BallotValue | None) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _over_claims(verification: Verification) -> Iterator[Dissent]:
    for claim in verification.claims:
        if claim.finding is Finding.SUPPORTED:
            yield from _marked(claim, Stance.CONTRADICTS, _DENIES)
        elif claim.finding is Finding.CONTRADICTED:
            yield from _marked(claim, Stance.SUPPORTS, _MAKES)


def _marked(claim: Claim, stance: Stance, says: str) -> Iterator[Dissent]:
    for mark in claim.marks:
        if mark.stance is stance:
            yield Dissent(seat=mark.seat, topic=claim.text, says=says, quote=mark.quote if mark.quote_found else "")


def _over_topics(synthesis: Synthesis) -> Iterator[Dissent]:
    for contradiction in synthesis.contradictions:
        for stand in contradiction.stands:
            yield Dissent(seat=stand.seat, topic=contradiction.topic, says=stand.stance)
