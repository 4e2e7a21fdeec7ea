"""Panels whose calls have round prices."""

from __future__ import annotations

from dataclasses import replace

from panels.fusion.pricing import Price
from panels.fusion.quote import Terms
from panels.fusion.types import (
    AnswerKind,
    Arbiter,
    ArbiterWhen,
    Member,
    Panel,
    Question,
    Sampling,
    Stage,
    StrategyName,
)
from tests.unit.panels.fusion.fused import question

TEXT = question(AnswerKind.TEXT)
CHEAP = Price(in_nanousd_per_mtok=1_000_000, out_nanousd_per_mtok=10_000_000)  # 1 and 10 nano-dollars a token
DEAR = Price(in_nanousd_per_mtok=100_000_000, out_nanousd_per_mtok=1_000_000_000)
PRICES = {"a": CHEAP, "b": CHEAP, "c": DEAR, "j": DEAR}
# A body of 800 bytes and 40 tokens at most: least 100, usual 200 + 100, worst 800 + 400 nano-dollars; a hundredfold.
LEAST, USUAL, WORST = 100, 300, 1_200


def arbiter_bytes(asked: Question, panel: Panel) -> int:
    """1,600 bytes around the members' words, of which any token may be 24 bytes."""
    return 1_600 + 24 * sum(member.sampling.max_tokens for member in panel.members)


def terms(**changes: object) -> Terms:
    given = Terms(prices=PRICES, body_bytes_of=lambda *_: 800, arbiter_bytes_of=arbiter_bytes)
    return replace(given, **changes)  # type: ignore[arg-type]


def panel_of(*stages: str, settles: bool = False, when: ArbiterWhen | None = None, **changes: object) -> Panel:
    """A stage for each word, a member for each of its letters; with ``when`` and an arbiter it synthesises."""
    sampling = Sampling(max_tokens=40)
    built = tuple(
        Stage(
            members=tuple(Member(model=model, sampling=sampling) for model in stage),
            settles=settles and number == len(stages) - 1,
        )
        for number, stage in enumerate(stages)
    )
    judge = None if when is None else Arbiter(model="j", prompt="synthesis-1", when=when, sampling=sampling)
    whole = Panel(strategy=StrategyName.SYNTHESIS, stages=built, arbiter=judge)
    return replace(whole, **changes)  # type: ignore[arg-type]


ALWAYS, DISPUTED = ArbiterWhen.ALWAYS, ArbiterWhen.DISPUTED

# Two members write 20 tokens, 80 bytes, into the 1,600 of the arbiter's body: (1,680 / 4 + 100) * 100 nano-dollars; at
# worst 1,600 + 24 * 80 bytes and 400 for the 40 tokens.
JUDGE_LEAST, JUDGE_USUAL, JUDGE_WORST = 100 * LEAST, 52_000, 100 * (3_520 + 400)
