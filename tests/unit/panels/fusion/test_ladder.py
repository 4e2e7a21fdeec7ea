from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.arbiter import ArbiterDesk
from panels.fusion.arbitration import Claim, Finding, Mark, PromptRef, Stance, Verification
from panels.fusion.budget import Budget, BudgetedClient
from panels.fusion.clients.openai import request_body
from panels.fusion.cost_lines import Payer, Role, add_up, cost_lines
from panels.fusion.fuse import fuse
from panels.fusion.ladder import Fitted, Refused, fit_under
from panels.fusion.outcomes import ArbiterCall, Arbitration, Degradation
from panels.fusion.pricing import Price
from panels.fusion.quote import Terms, planned_worst
from panels.fusion.types import (
    AnswerKind,
    Arbiter,
    Failure,
    Member,
    ModelRequest,
    Panel,
    Question,
    Reply,
    StrategyName,
    Usage,
)
from tests.unit.panels.fusion.fused import DEAD, ScriptedAsk, question, reply
from tests.unit.panels.fusion.priced import (
    ALWAYS,
    CHEAP,
    DISPUTED,
    JUDGE_WORST,
    PRICES,
    TEXT,
    WORST,
    panel_of,
    terms,
)

VOTING = StrategyName.MAJORITY


def fitted(panel: Panel, ceiling: int | None, **changes: object) -> Fitted:
    found = fit_under(panel, TEXT, ceiling, terms(**changes))
    assert isinstance(found, Fitted)
    return found


def models(panel: Panel) -> list[str]:
    return ["".join(member.model for member in stage.members) for stage in panel.stages]


def kinds(found: Fitted) -> list[tuple[str, int | None]]:
    return [(cut.kind, cut.seat) for cut in found.degraded]


def test_what_fits_is_asked_as_it_is() -> None:
    whole = panel_of("aab", when=DISPUTED)
    worst = planned_worst(whole, TEXT, terms())
    assert fitted(whole, worst) == Fitted(panel=whole, seats=(0, 1, 2))


def test_members_are_left_out_from_the_end_down_to_two_with_the_arbiter() -> None:
    found = fitted(panel_of("aab", "b", when=DISPUTED), 2 * WORST + JUDGE_WORST)
    assert models(found.panel) == ["aa"]
    assert found.panel.arbiter is not None
    assert kinds(found) == [("members_trimmed", 2), ("members_trimmed", 3)]
    assert found.degraded[0].reason == (
        "with b the worst case is $0.0004916, over the ceiling of $0.0003944"  # 3 members, and an arbiter that reads 3
    )


def test_then_all_vote_without_the_arbiter() -> None:
    found = fitted(panel_of("aab", when=DISPUTED), 3 * WORST)
    assert models(found.panel) == ["aab"]
    assert found.panel.arbiter is None
    assert found.degraded == (
        Degradation(
            kind="without_arbiter",
            reason="with the arbiter j the worst case is $0.0003944, over the ceiling of $0.0000036",
        ),
    )
    assert kinds(fitted(panel_of("aab", when=DISPUTED), 3 * WORST - 1)) == [
        ("members_trimmed", 2),
        ("without_arbiter", None),
    ]


def test_then_the_first_member_that_fits_answers_alone() -> None:
    found = fitted(panel_of("cab", when=DISPUTED), WORST)
    assert (models(found.panel), found.seats) == (["a"], (1,))
    assert found.degraded == (
        Degradation(
            kind="single_member",
            reason="with two members the worst case is $0.0001212, over the ceiling of $0.0000012",
            seat=1,
        ),
    )


def test_then_nothing_is_asked() -> None:
    assert fit_under(panel_of("cab"), TEXT, WORST - 1, terms()) == Refused(
        reason="Even a alone may cost $0.0000012, which is over the ceiling of $0.000001199."
    )
    assert fit_under(panel_of("a"), TEXT, 0, terms()) == Refused(
        reason="Even a alone may cost $0.0000012, which is over the ceiling of $0.00."
    )


def test_what_has_no_price_is_left_out_first() -> None:
    found = fitted(panel_of("axb", strategy=VOTING), 10**9)
    assert (models(found.panel), found.seats) == (["ab"], (0, 2))
    assert found.degraded == (
        Degradation(
            kind="members_trimmed",
            reason="the price of x is not known, so it is not asked under the ceiling of $1.00",
            seat=1,
        ),
    )
    judged = fitted(panel_of("ab", when=ALWAYS), 10**9, prices={"a": CHEAP, "b": CHEAP})
    assert judged.panel.arbiter is None
    assert judged.degraded[0].reason == ("the price of j is not known, so it is not asked under the ceiling of $1.00")
    alone = fitted(panel_of("xa"), 10**9)
    assert alone.degraded == (Degradation(kind="single_member", reason="only one member has a known price", seat=1),)
    assert fit_under(panel_of("xy"), TEXT, 10**9, terms()) == Refused(
        reason="No member has a known price, so none can be asked under the ceiling of $1.00."
    )


def test_without_a_ceiling_everybody_is_asked_and_what_has_no_price_is_flagged() -> None:
    whole = panel_of("axb", when=DISPUTED)
    found = fitted(whole, None, prices={"a": CHEAP, "b": CHEAP})
    assert (found.panel, found.seats) == (whole, (0, 1, 2))
    assert found.degraded == (
        Degradation(kind="price_unknown", reason="the price of x is not known", seat=1),
        Degradation(kind="price_unknown", reason="the price of j is not known"),
    )
    assert fitted(panel_of("ab"), None).degraded == ()


def test_an_arbiter_that_is_not_asked_anyway_is_not_missed() -> None:
    voting = panel_of("aab", when=ALWAYS, strategy=StrategyName.AUTO)
    found = fit_under(voting, question(AnswerKind.CHOICE), 2 * WORST, terms())
    assert isinstance(found, Fitted)
    assert kinds(found) == [("members_trimmed", 2)]


async def test_seats_are_those_of_the_panel_version_again() -> None:
    found = fitted(panel_of("x", "ab", strategy=VOTING), 10**9)
    asked = ScriptedAsk({"a": reply("A"), "b": DEAD})
    fused = await fuse(question=question(), panel=found.panel, ask=asked)
    record = found.on_the_version(fused)
    assert [(call.seat, call.ballot.seat, call.member.model) for call in record.calls] == [(1, 1, "a"), (2, 2, "b")]
    assert record.final is not None
    assert record.final.seat == 1
    assert [group.leader.seat for group in record.tally.groups] == [1]
    assert [(cut.kind, cut.seat) for cut in record.degraded] == [("member_failed", 2), ("single_survivor", 1)]


async def test_what_the_arbiter_found_names_the_seats_of_the_panel_version_too() -> None:
    found = Fitted(panel=panel_of("ab"), seats=(1, 3))
    marks = (Mark(seat=1, stance=Stance.SUPPORTS), Mark(seat=0, stance=Stance.SILENT))
    analysis = Verification(claims=(Claim(text="It is.", finding=Finding.SUPPORTED, marks=marks),), ranking=(1, 0))
    call = ArbiterCall(
        attempt=1,
        arbiter=Arbiter(model="j", prompt="verification-1"),
        prompt=PromptRef(name="verification-1", sha256=""),
        result=Reply(text="{}"),
    )
    record = found.on_the_version(Arbitration(calls=(call,), seats=(1, 0), analysis=analysis))
    assert isinstance(record.analysis, Verification)
    assert (record.seats, record.analysis.ranking) == ((3, 1), (3, 1))
    assert [mark.seat for mark in record.analysis.claims[0].marks] == [3, 1]
    assert record.calls == (call,)


@settings(deadline=None)
@given(
    st.lists(st.text("abcxy", min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from([None, ALWAYS, DISPUTED]),
    st.integers(0, 1_000_000),
    st.booleans(),
)
def test_what_is_asked_fits_and_a_higher_ceiling_never_asks_less(
    stages: list[str], when: object, ceiling: int, hedges: bool
) -> None:
    panel = panel_of(*stages, when=when)  # type: ignore[arg-type]
    panel = replace(panel, timing=replace(panel.timing, hedges=hedges))
    found = fit_under(panel, TEXT, ceiling, terms())
    if isinstance(found, Refused):
        return
    worst = planned_worst(found.panel, TEXT, terms())
    assert worst is not None
    assert worst <= ceiling
    assert [member.model for member in found.panel.members] == [panel.members[seat].model for seat in found.seats]
    assert (found.panel == panel) == (found.degraded == ())
    more = fit_under(panel, TEXT, 2 * ceiling, terms())
    assert isinstance(more, Fitted)
    assert len(more.seats) >= len(found.seats) or more.panel.arbiter is not None


class Bank:
    """Everybody is asked under one budget, writes as much as allowed, and bills the worst case of the real body."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.bodies: list[int] = []

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        length = len(request_body(request))
        self.bodies.append(length)
        most = request.sampling.max_tokens
        text = f"{request.model}\x01" * 8 * most
        return Reply(text=text, usage=Usage(prompt_tokens=length, completion_tokens=most))

    def client(self, model: str, seat: int | None) -> BudgetedClient:
        payer = Payer(role=Role.ARBITER if seat is None else Role.MEMBER, model=model, seat=seat)
        return BudgetedClient(
            client=self, budget=self.budget, payer=payer, price=CHEAP, body_bytes=lambda asked: len(request_body(asked))
        )

    async def ask(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        asked = ModelRequest(model=member.model, messages=question.messages, sampling=member.sampling)
        return await self.client(member.model, seat).complete(asked)

    async def ask_arbiter(self, *, question: Question, request: ModelRequest, attempt: int) -> Reply | Failure:
        return await self.client(request.model, None).complete(request)


def own_body(asked: Question, member: Member) -> int:
    return len(request_body(ModelRequest(model=member.model, messages=asked.messages, sampling=member.sampling)))


@pytest.mark.parametrize("stages", [("ab",), ("ab", "c")])
async def test_all_that_was_planned_for_is_paid_for(stages: tuple[str, ...]) -> None:
    own = Terms(prices=dict.fromkeys("abcj", CHEAP), body_bytes_of=own_body)
    panel = panel_of(*stages, when=ALWAYS)
    ceiling = planned_worst(panel, TEXT, own)
    assert ceiling is not None
    found = fit_under(panel, TEXT, ceiling, own)
    assert isinstance(found, Fitted)
    assert found.degraded == ()
    bank = Bank(Budget(ceiling))
    desk = ArbiterDesk(ask=bank.ask_arbiter, secret=b"secret")
    fused = await fuse(question=TEXT, panel=found.panel, ask=bank.ask, arbiter=desk)
    assert all(isinstance(call.result, Reply) for call in fused.calls)
    assert fused.arbitration is not None
    assert isinstance(fused.arbitration.calls[0].result, Reply)
    assert max(bank.bodies) <= own.arbiter_bytes_of(TEXT, panel)
    assert bank.budget.spent_nanousd <= ceiling
    assert add_up(bank.budget.lines) == add_up(cost_lines(fused, own.prices))


@pytest.mark.parametrize("price", [None, Price(in_nanousd_per_mtok=1, out_nanousd_per_mtok=1)])
def test_a_panel_of_one_is_asked_or_not(price: Price | None) -> None:
    found = fit_under(panel_of("a"), TEXT, 100, terms(prices={**PRICES, "a": price}))
    assert isinstance(found, Refused) == (price is None)
