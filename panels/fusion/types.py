"""The values that travel through the engine. Frozen, slotted, keyword-only; no behaviour that needs I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias


class AnswerKind(StrEnum):
    """How a member's text becomes a ballot."""

    CHOICE = "choice"
    LABEL = "label"
    NUMBER = "number"
    SHORT = "short"
    TEXT = "text"


class StrategyName(StrEnum):
    """How answers become one."""

    MAJORITY = "majority"
    WEIGHTED = "weighted"


class FailureKind(StrEnum):
    """Why a call brought no reply. ``NOT_RECORDED``: the replayed data holds no output for this item and model."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    PAYMENT = "payment"
    AUTHENTICATION = "authentication"
    INVALID_MODEL = "invalid_model"
    REQUEST = "request"
    SERVER = "server"
    MALFORMED = "malformed"
    STREAM_CUT = "stream_cut"
    EMPTY = "empty"
    REFUSED = "refused"
    NOT_RECORDED = "not_recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling settings of a seat. ``max_tokens`` is always sent; the rest only where set."""

    max_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A model's seat on a panel. ``model`` is the inventory key the client understands.

    ``skill`` is the model's estimated probability of being right, in (0, 1). Where it is set, the weighted strategy
    derives the weight from it and the example's number of choices, and ``weight`` is not used.
    """

    model: str
    weight: float = 1.0
    skill: float | None = None
    sampling: Sampling = Sampling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Members called at once. Only the last stage may settle: its own plurality is then the answer."""

    members: tuple[Member, ...]
    settles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel version as the engine runs it. ``stop_at`` is a consensus in (0, 1]; None never stops early."""

    strategy: StrategyName
    stages: tuple[Stage, ...]
    stop_at: float | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(member for stage in self.stages for member in stage.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One example as the engine sees it: what to ask, and how to read what comes back."""

    item_id: str
    messages: tuple[Message, ...]
    kind: AnswerKind
    choices: tuple[str, ...] = ()
    tolerance: float = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them, and the cost it reported, in nano-dollars. None: not said."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    reported_cost_nanousd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One request to one model. ``item_id`` and ``twin`` never reach the wire: they address recorded replies.

    ``twin`` is the index among equal seats (same model and sampling), so that three seats are three replies.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    item_id: str = ""
    twin: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recorded data says of an output: its parsed ballot (None: unreadable) and whether it was right."""

    predicted: str | None = None
    has_predicted: bool = False
    correct: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A model's answer. Latencies in seconds, None where not measured."""

    text: str
    usage: Usage = Usage()
    latency_s: float | None = None
    first_token_s: float | None = None
    finish_reason: str = ""
    provider_model: str = ""
    response_id: str = ""
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A call that brought no reply; a value, so that a panel survives a dead member."""

    kind: FailureKind
    detail: str
    status_code: int | None = None
    retry_after_s: float | None = None
    latency_s: float | None = None
    usage: Usage = Usage()
    provider_model: str = ""
    response_id: str = ""


BallotValue: TypeAlias = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A member's answer in canonical form. ``value`` None is an abstention; a failure abstains too.

    ``seat`` is the member's index in panel order, ``stage`` the index of its stage.
    """

    seat: int
    stage: int
    member: Member
    value: BallotValue | None
    text: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Ballots that say the same. ``support`` is what stands behind them: ballots, or weight."""

    ballots: tuple[Ballot, ...]
    support: float

    @property
    def leader(self) -> Ballot:
        return self.ballots[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The vote after some stages: groups in order of support, the winner, and the consensus in [0, 1].

    ``winner`` is the ballot that speaks for the winning group; None if everybody abstained.
    """

    groups: tuple[Group, ...]
    winner: Ballot | None
    consensus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCall:
    """One member's seat in one fused answer: what it was and what came back."""

    seat: int
    stage: int
    member: Member
    result: Reply | Failure
    ballot: Ballot


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """Something that was cut short in an answer: what (``kind``), at which seat, and why (``reason``)."""

    kind: str
    reason: str
    seat: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """The fused result for one question. Whatever was cut short stands in ``degraded``; nothing is silent."""

    calls: tuple[MemberCall, ...]
    tally: Tally
    stages_called: int
    settled: bool = False
    degraded: tuple[Degradation, ...] = ()

    @property
    def winner(self) -> Ballot | None:
        return self.tally.winner

    @property
    def consensus(self) -> float:
        return self.tally.consensus

    @property
    def escalated(self) -> bool:
        return self.stages_called > 1


class ModelClient(Protocol):
    """Sends one request and brings back a reply or a failure; never raises for what a provider does."""

    async def complete(self, request: ModelRequest) -> Reply | Failure: ...


class Ask(Protocol):
    """How the engine reaches a member: queues, reuse and limits are the caller's. ``stage`` gives priority."""

    async def __call__(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure: ...


class Similarity(Protocol):
    """Similarity of two texts in [0, 1], symmetric."""

    def __call__(self, left: str, right: str, /) -> float: ...
