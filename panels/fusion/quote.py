"""What a request will cost, before anything is sent: least, expected and most, in nano-dollars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from panels.fusion.arbiter import is_recused, worst_body_bytes
from panels.fusion.pricing import Price, call_cost, worst_case_cost
from panels.fusion.strategies.auto import choose_strategy
from panels.fusion.types import Arbiter, ArbiterWhen, Member, Panel, Question, Sampling, Stage, StrategyName, Usage

# Bytes of a body per token of input: as many as plain prose may get, and as many as it has as a rule.
_MOST_BYTES, _USUAL_BYTES = 8, 4
_ARBITRATED = frozenset({StrategyName.VERIFICATION, StrategyName.SYNTHESIS})


def _a_quarter(model: str, max_tokens: int, /) -> int:
    del model
    return max_tokens // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What has to be known to say what a request costs.

    ``prices`` by inventory key; None or absent is unknown. ``body_bytes_of`` is the length of the body that a member
    is sent; ``arbiter_bytes_of`` the longest body of the arbiter. ``attempts`` is how often a call may be billed: once,
    because only what was not billed is tried again. ``output_tokens_of`` is how much a model writes as a rule, from
    its key and ``max_tokens``: a quarter of it, unless it was measured. ``disputed_share`` is how many requests go on
    after a stage, or to the arbiter, in [0, 1].
    """

    prices: Mapping[str, Price | None]
    body_bytes_of: Callable[[Question, Member], int]
    arbiter_bytes_of: Callable[[Question, Panel], int] = worst_body_bytes
    attempts: int = 1
    output_tokens_of: Callable[[str, int], int] = _a_quarter
    disputed_share: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Nano-dollars; a figure is None where a model in it has no known price.

    ``planned_nanousd`` is ``planned_worst``: what has to fit under a ceiling. ``unpriced`` are all models without a
    price that may be asked, by inventory key: members in order, then the arbiter.
    """

    least_nanousd: int | None
    expected_nanousd: int | None
    most_nanousd: int | None
    planned_nanousd: int | None = None
    unpriced: tuple[str, ...] = ()


def quote(panel: Panel, question: Question, terms: Terms) -> Quote:
    """What ``question`` costs on ``panel`` if every member answers.

    Least: the first stage alone where there is a stop rule, else all of them; the arbiter only if it is asked every
    time; 8 bytes a token of input and no output. Expected: 4 bytes a token and the usual output; each later stage
    under a stop rule, and the arbiter for what is disputed, for ``disputed_share`` of the requests that got so far;
    nothing is billed twice. Most: the worst case of every stage, of a second request to the dearest member of each
    where the panel hedges, and of the arbiter with its one retry; it is not crossed. A deadline, a stage that ends
    early and replies that were bought before make it cheaper.
    """
    members = _members(panel, question, terms)
    stages = [_added(spans) for spans in members]
    arbiter = _arbiter(panel, question, terms)
    planned = _planned(panel, members, arbiter)
    return Quote(
        least_nanousd=_least(panel, stages, arbiter),
        expected_nanousd=_expected(panel, stages, arbiter, terms.disputed_share),
        most_nanousd=_total([planned, arbiter.most]),
        planned_nanousd=planned,
        unpriced=unpriced(panel, question, terms),
    )


def planned_worst(panel: Panel, question: Question, terms: Terms) -> int | None:
    """The worst case of what an answer needs: every stage with its second request, and the arbiter. Nano-dollars.

    The arbiter's retry is not in it: nothing comes after it, so it is made if there is money left.
    """
    return _planned(panel, _members(panel, question, terms), _arbiter(panel, question, terms))


def unpriced(panel: Panel, question: Question, terms: Terms) -> tuple[str, ...]:
    """The models that may be asked and have no known price: members in order, then the arbiter."""
    judge = may_ask(panel, question)
    models = [*(member.model for member in panel.members), *([] if judge is None else [judge.model])]
    return tuple(dict.fromkeys(model for model in models if terms.prices.get(model) is None))


def may_ask(panel: Panel, question: Question) -> Arbiter | None:
    """The panel's arbiter, if the strategy that applies to ``question`` asks one at all and it may judge."""
    if choose_strategy(question, panel).strategy not in _ARBITRATED or is_recused(panel):
        return None
    return panel.arbiter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """What one call, or several, costs at least, as a rule, and at most."""

    least: int | None
    usual: int | None
    most: int | None


_NOTHING = _Span(least=0, usual=0, most=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bytes:
    """How long a body is at least, as a rule, and at most."""

    least: int
    usual: int
    most: int


def _span(model: str, max_tokens: int, body: _Bytes, terms: Terms) -> _Span:
    price = terms.prices.get(model)
    if price is None:
        return _Span(least=None, usual=None, most=None)
    written = min(max_tokens, terms.output_tokens_of(model, max_tokens))
    return _Span(
        least=call_cost(price, Usage(prompt_tokens=body.least // _MOST_BYTES, completion_tokens=0)),
        usual=call_cost(price, Usage(prompt_tokens=body.usual // _USUAL_BYTES, completion_tokens=written)),
        most=terms.attempts * worst_case_cost(price, body_bytes=body.most, max_tokens=max_tokens),
    )


def _members(panel: Panel, question: Question, terms: Terms) -> list[list[_Span]]:
    """By stage."""
    return [[_member(member, question, terms) for member in stage.members] for stage in panel.stages]


def _planned(panel: Panel, members: list[list[_Span]], arbiter: _Span) -> int | None:
    stages = [[span.most for span in spans] for spans in members]
    seconds = [max(_known(worst), default=0) for worst in stages] if panel.timing.hedges else []
    return _total([*(worst for stage in stages for worst in stage), *seconds, arbiter.most])


def _member(member: Member, question: Question, terms: Terms) -> _Span:
    length = terms.body_bytes_of(question, member)
    return _span(member.model, member.sampling.max_tokens, _Bytes(least=length, usual=length, most=length), terms)


def _arbiter(panel: Panel, question: Question, terms: Terms) -> _Span:
    """One question to the arbiter: at least the question itself, as a rule with what the members write."""
    judge = may_ask(panel, question)
    if judge is None:
        return _NOTHING
    least = terms.body_bytes_of(question, Member(model=judge.model, sampling=judge.sampling))
    most = max(least, terms.arbiter_bytes_of(question, panel))
    written = sum(terms.output_tokens_of(member.model, member.sampling.max_tokens) for member in panel.members)
    around = terms.arbiter_bytes_of(question, _silent(panel))
    usual = min(most, max(least, around + _USUAL_BYTES * written))
    return _span(judge.model, judge.sampling.max_tokens, _Bytes(least=least, usual=usual, most=most), terms)


@lru_cache(maxsize=64)
def _silent(panel: Panel) -> Panel:
    """The panel if its members wrote nothing."""
    mute = Sampling(max_tokens=0)
    stages = (tuple(replace(member, sampling=mute) for member in stage.members) for stage in panel.stages)
    return replace(panel, stages=tuple(Stage(members=members) for members in stages))


def _least(panel: Panel, stages: list[_Span], arbiter: _Span) -> int | None:
    """The cheapest way through: it ends with the first stage where that may stop, or with a last one that settles."""
    always = arbiter.least if _is_always_asked(panel) else 0
    whole = _total([*(stage.least for stage in stages), 0 if _settles(panel) else always])
    short = _total([stages[0].least, always])
    if panel.stop_at is None or len(stages) == 1:
        return whole
    if not _settles(panel):
        return short
    return None if whole is None or short is None else min(whole, short)


def _expected(panel: Panel, stages: list[_Span], arbiter: _Span, share: float) -> int | None:
    goes_on = 1.0 if panel.stop_at is None else share
    shares = [*(goes_on**number for number in range(len(stages))), _share_of_arbiter(panel, share)]
    parts = [(part, span.usual) for part, span in zip(shares, [*stages, arbiter], strict=True) if part]
    known = [part * usual for part, usual in parts if usual is not None]
    return round(sum(known)) if len(known) == len(parts) else None


def _share_of_arbiter(panel: Panel, share: float) -> float:
    """How many requests come to the arbiter: none that a last stage settles."""
    goes_on, number = (1.0 if panel.stop_at is None else share), len(panel.stages)
    if _is_always_asked(panel):
        return 1.0 - goes_on ** (number - 1) if _settles(panel) else 1.0
    if _settles(panel):
        return 0.0
    return share if panel.stop_at is None else share**number


def _is_always_asked(panel: Panel) -> bool:
    return panel.arbiter is not None and panel.arbiter.when is ArbiterWhen.ALWAYS


def _settles(panel: Panel) -> bool:
    return panel.stages[-1].settles


def _added(spans: Iterable[_Span]) -> _Span:
    every = list(spans)
    return _Span(
        least=_total([span.least for span in every]),
        usual=_total([span.usual for span in every]),
        most=_total([span.most for span in every]),
    )


def _known(figures: Iterable[int | None]) -> list[int]:
    return [figure for figure in figures if figure is not None]


def _total(figures: list[int | None]) -> int | None:
    known = _known(figures)
    return sum(known) if len(known) == len(figures) else None
