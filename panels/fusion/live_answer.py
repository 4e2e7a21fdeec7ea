"""One live answer from a question as it came in to the words its reader gets: masked, priced, asked, and unmasked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from panels.fusion.arbiter import ArbiterDesk, frame_bytes, words_bytes
from panels.fusion.budget import Budget, BudgetedClient
from panels.fusion.cost_lines import Basis, Charge, CostLine, CostSum, Payer, Role, add_up
from panels.fusion.fuse import fuse
from panels.fusion.ladder import Fitted, Refused, fit_under
from panels.fusion.live import Live
from panels.fusion.outcomes import Degradation, Fused, MemberCall
from panels.fusion.pricing import Price
from panels.fusion.privacy.cover import Cover, Masking, cover_of
from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.unmasking import IntegrityCount, unmask
from panels.fusion.quote import Quote, Terms, quote
from panels.fusion.replies import seat_twins
from panels.fusion.types import (
    Failure,
    FailureKind,
    Member,
    Message,
    ModelClient,
    ModelRequest,
    Panel,
    Question,
    Reply,
)

ALL_FAILED = "all_panels_failed"
NO_MONEY = "insufficient_credits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The key under which a request's reply is kept, and the one that is: fresh enough, with its age."""

    key: str = ""
    reply: Reply | None = None


async def _nothing_kept(request: ModelRequest, masking: Masking, /) -> Held:
    del request, masking
    return Held()


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A seat that the answer did not wait for: what it brought in the end, and its lines, now that they are settled."""

    call: MemberCall
    lines: tuple[CostLine, ...]


async def _to_nobody(late: Late, /) -> None:
    del late


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a live answer reaches its models, all named by inventory key.

    ``body_of`` is the body as it goes over the wire. ``find_held`` is asked for every request, with the masked
    messages, whoever gets it. ``secret`` keys the arbiter's fences and tells in-house replies apart. ``on_late`` is
    told of every seat that answers after the answer.
    """

    clients: Mapping[str, ModelClient]
    prices: Mapping[str, Price | None]
    body_of: Callable[[ModelRequest], bytes]
    secret: bytes = field(repr=False)
    find_held: Callable[[ModelRequest, Masking], Awaitable[Held]] = _nothing_kept
    on_late: Callable[[Late], Awaitable[None]] = _to_nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What is masked: the values of these fields, whatever they look like, and then what patterns find."""

    sensitive: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it may be kept, masked, with the key of its reply. ``seat`` None is the arbiter."""

    seat: int | None
    request: ModelRequest
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAnswer:
    """What came of a live question. ``fused`` holds masked text alone, None where nothing was asked.

    ``sent`` are the requests in the order in which they were made. ``text`` is for the reader: unmasked. ``reason`` is
    why there is no answer, in one of the words of the fusion format, ``explanation`` the same in a sentence. ``lines``
    are the money of this request; a seat that was not waited for stands there at its worst case.
    ``placeholder_map`` is what was masked, ``masks`` how often by kind, ``integrity`` what each model did to the
    placeholders.
    """

    question: Question
    quote: Quote
    fused: Fused | None = None
    text: str = field(default="", repr=False)
    reason: str = ""
    explanation: str = ""
    degraded: tuple[Degradation, ...] = ()
    lines: tuple[CostLine, ...] = ()
    sent: tuple[Sent, ...] = ()
    placeholder_map: PlaceholderMap | None = None
    masks: Mapping[str, int] = field(default_factory=dict)
    integrity: Mapping[str, IntegrityCount] = field(default_factory=dict)

    @property
    def cost(self) -> CostSum:
        return add_up(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scales:
    """How long bodies are as these models' wires write them, each measured once."""

    reach: Reach
    cover: Cover
    _members: dict[Member, int] = field(default_factory=dict)
    _frames: dict[int, int] = field(default_factory=dict)

    @property
    def terms(self) -> Terms:
        """What a quote has to know."""
        return Terms(prices=self.reach.prices, body_bytes_of=self.of_member, arbiter_bytes_of=self.of_arbiter)

    def of_member(self, question: Question, member: Member) -> int:
        if member not in self._members:
            request = _request(question, member, self.cover.view(question, member))
            self._members[member] = len(self.reach.body_of(request))
        return self._members[member]

    def of_arbiter(self, question: Question, panel: Panel) -> int:
        assert panel.arbiter is not None
        count = len(panel.members)
        if count not in self._frames:
            self._frames[count] = frame_bytes(question, panel.arbiter, count)
        return self._frames[count] + words_bytes(panel)


async def answer_live(
    *, question: Question, panel: Panel, reach: Reach, live: Live, privacy: Privacy | None = None
) -> LiveAnswer:
    """Ask ``panel`` under its ceiling and its timing; of ``live``, whom to tell what comes late is the reach's to say.

    Members see placeholders where ``privacy`` is given, unless they are in-house; the arbiter always does. Raises
    MaskingBlocked, SensitiveValueTooShort and UnmaskableSchema, having sent nothing.
    """
    cover = cover_of(question, None if privacy is None else privacy.sensitive)
    asked = cover.question(question)
    scales = _Scales(reach=reach, cover=cover)
    found = LiveAnswer(question=asked, quote=quote(panel, asked, scales.terms))
    fitted = fit_under(panel, asked, panel.max_cost_nanousd, scales.terms, whole_nanousd=found.quote.planned_nanousd)
    if isinstance(fitted, Refused):
        return _for_the_reader(cover, replace(found, reason=NO_MONEY, explanation=fitted.reason))
    budget = Budget(panel.max_cost_nanousd)
    desk = _Desk(twins=seat_twins(panel.members), fitted=fitted, reach=reach, budget=budget, cover=cover)
    fused = await fuse(
        question=asked,
        panel=fitted.panel,
        ask=desk.ask_member,
        arbiter=ArbiterDesk(ask=desk.ask_arbiter, secret=reach.secret),
        live=replace(live, ask_again=desk.ask_member_again, on_late=desk.report_late),
    )
    return _for_the_reader(cover, _concluded(found, fitted.on_the_version(fused), desk))


def _concluded(found: LiveAnswer, fused: Fused, desk: _Desk) -> LiveAnswer:
    degraded = (*desk.fitted.degraded, *fused.degraded, *_new_flags(desk.budget, desk.fitted))
    found = replace(found, fused=fused, degraded=degraded, lines=desk.budget.lines, sent=tuple(desk.sent))
    if fused.final is None:
        return replace(found, reason=ALL_FAILED, explanation=_why_nobody(fused))
    return replace(found, text=fused.final.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """Where the engine's requests are made out: reuse first, then money, then the last look, then the model."""

    twins: Sequence[int]
    fitted: Fitted
    reach: Reach
    budget: Budget
    cover: Cover
    sent: list[Sent] = field(default_factory=list)

    async def report_late(self, call: MemberCall) -> None:
        own = self.fitted.on_the_version(call)
        lines = tuple(line for line in self.budget.lines if line.seat == own.seat)
        await self.reach.on_late(Late(call=own, lines=lines))

    async def ask_member(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        del stage
        own = self.fitted.seats[seat]
        known = await self._held(question, member, own)
        return await self._buy(question, member, own) if known is None else known

    async def ask_member_again(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        """A second, equal request: what the first one may be waiting for is not waited for again."""
        del stage
        return await self._buy(question, member, self.fitted.seats[seat])

    async def ask_arbiter(self, *, question: Question, request: ModelRequest, attempt: int) -> Reply | Failure:
        del question, attempt
        payer = Payer(role=Role.ARBITER, model=request.model)
        held = await self._look_up(request, self.cover.arbiter_masking, payer.seat)
        if held is not None:
            return self._reused(held, payer)
        outsider = Member(model=request.model, sampling=request.sampling)
        return self.cover.covered(await self._client(outsider, payer).complete(request), outsider)

    async def _held(self, question: Question, member: Member, seat: int) -> Reply | None:
        request = self._request(question, member, seat, question.messages)
        held = await self._look_up(request, self.cover.masking(member, self.reach.secret), seat)
        if held is None or not self.cover.can_reuse(held, member):
            return None
        return self._reused(held, _seated(member, seat))

    async def _look_up(self, request: ModelRequest, masking: Masking, seat: int | None) -> Reply | None:
        held = await self.reach.find_held(request, masking)
        self.sent.append(Sent(seat=seat, request=request, key=held.key))
        return held.reply

    async def _buy(self, question: Question, member: Member, seat: int) -> Reply | Failure:
        request = self._request(question, member, seat, self.cover.view(question, member))
        return self.cover.covered(await self._client(member, _seated(member, seat)).complete(request), member)

    def _client(self, member: Member, payer: Payer) -> ModelClient:
        client = self.reach.clients.get(member.model)
        if client is None:
            return _Nobody(model=member.model)
        return BudgetedClient(
            client=self.cover.guarded(client, member, self.reach.body_of),
            budget=self.budget,
            payer=payer,
            price=self.reach.prices.get(member.model),
            body_bytes=lambda request: len(self.reach.body_of(request)),
        )

    def _reused(self, held: Reply, payer: Payer) -> Reply:
        """It costs nothing again, and says so in a line of its own."""
        reservation = self.budget.reserve(0, payer=payer)
        if reservation is not None:
            self.budget.settle(reservation, Charge(nanousd=0, basis=Basis.REUSED))
        return held

    def _request(self, question: Question, member: Member, seat: int, messages: tuple[Message, ...]) -> ModelRequest:
        return replace(_request(question, member, messages), twin=self.twins[seat])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nobody:
    """Stands for a model that no provider answers for from here."""

    model: str

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        del request
        return Failure(
            kind=FailureKind.INVALID_MODEL, detail="no provider answers for this model; it can be replayed only"
        )


def _request(question: Question, member: Member, messages: tuple[Message, ...]) -> ModelRequest:
    return ModelRequest(model=member.model, messages=messages, sampling=member.sampling, item_id=question.item_id)


def _seated(member: Member, seat: int) -> Payer:
    return Payer(role=Role.MEMBER, model=member.model, seat=seat)


def _new_flags(budget: Budget, fitted: Fitted) -> tuple[Degradation, ...]:
    """What the money has to say and the ladder has not said yet."""
    said = {(cut.kind, cut.seat) for cut in fitted.degraded}
    return tuple(cut for cut in budget.degraded if (cut.kind, cut.seat) not in said)


def _for_the_reader(cover: Cover, answer: LiveAnswer) -> LiveAnswer:
    """With the text unmasked, and what masking did."""
    if cover.placeholder_map is None:
        return answer
    return replace(
        answer,
        text=unmask(answer.text, cover.placeholder_map).text,
        placeholder_map=cover.placeholder_map,
        masks=cover.counts,
        integrity=dict(cover.integrity),
    )


def _why_nobody(fused: Fused) -> str:
    """Each member's reason; without a member that was asked, what kept them from it."""
    reasons = [f"{call.member.model}, seat {call.seat + 1}: {_why(call.result)}" for call in fused.calls]
    return "; ".join(reasons or [cut.reason for cut in fused.degraded])


def _why(result: Reply | Failure) -> str:
    if isinstance(result, Failure):
        return f"{result.kind.value} ({result.detail})"
    return "no ballot could be read from its answer"
