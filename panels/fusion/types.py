"""The values that travel through the engine. Frozen, slotted, keyword-only; no behaviour that needs I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class AnswerKind(StrEnum):
    """How a member's text becomes a ballot."""

    CHOICE = "choice"
    LABEL = "label"
    NUMBER = "number"
    SHORT = "short"
    TEXT = "text"
    JSON = "json"


class StrategyName(StrEnum):
    """How answers become one. ``AUTO`` picks one of the others by what is asked."""

    MAJORITY = "majority"
    WEIGHTED = "weighted"
    VERIFICATION = "verification"
    SYNTHESIS = "synthesis"
    AUTO = "auto"


class ArbiterWhen(StrEnum):
    """When the arbiter is asked."""

    DISPUTED = "disputed"
    ALWAYS = "always"


class FailureKind(StrEnum):
    """Why a call brought no reply.

    ``NOT_RECORDED``: the replayed data holds no output for this item and model. ``MASKING``: its body still held a
    masked value, so it was not sent. The last five were never answered
    for: the circuit breaker was open, the worst case did not fit under the money ceiling, the deadline came first, the
    grace period after the others was over, the reply was no longer needed.
    """

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
    MASKING = "masking"
    BREAKER_OPEN = "breaker_open"
    CEILING = "ceiling"
    DEADLINE = "deadline"
    LATE = "late"
    CANCELLED = "cancelled"


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
    derives the weight from it and the example's number of choices, and ``weight`` is not used. A member that is
    ``in_house`` may see raw text where the others see placeholders.
    """

    model: str
    weight: float = 1.0
    skill: float | None = None
    sampling: Sampling = Sampling()
    in_house: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arbiter:
    """The model that verifies or synthesises. ``prompt`` names the versioned text it is given (``synthesis-1``).

    Unless ``may_be_member``, a panel on which the same model sits recuses it.
    """

    model: str
    prompt: str
    when: ArbiterWhen = ArbiterWhen.DISPUTED
    sampling: Sampling = Sampling(max_tokens=2048)
    may_be_member: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a live answer waits; offline every member of a called stage is waited for. Seconds.

    ``min_replies`` of a stage have to be in before it may end early; None is more than half of it, under a stop rule
    alone. ``grace_s`` is how much longer the others are waited for from then on; None waits for them unless nothing
    they say could change the winner. After ``deadline_s``, counted from the request, the best answer at hand is given.
    ``hedges`` asks the slowest member a second time after its own P95.
    """

    min_replies: int | None = None
    grace_s: float | None = None
    deadline_s: float | None = None
    hedges: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Members called at once. Only the last stage may settle: its own plurality is then the answer."""

    members: tuple[Member, ...]
    settles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel version as the engine runs it. ``stop_at`` is a consensus in (0, 1]; None never stops early.

    ``max_cost_nanousd`` is the ceiling of one live request.
    """

    strategy: StrategyName
    stages: tuple[Stage, ...]
    stop_at: float | None = None
    arbiter: Arbiter | None = None
    timing: Timing = Timing()
    max_cost_nanousd: int | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(member for stage in self.stages for member in stage.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One example as the engine sees it: what to ask, and how to read what comes back.

    ``evidence`` is the text that claims are checked against. ``schema`` is the text of the JSON schema that a ``json``
    answer has to satisfy; empty asks for any object.
    """

    item_id: str
    messages: tuple[Message, ...]
    kind: AnswerKind
    choices: tuple[str, ...] = ()
    tolerance: float = 1e-6
    evidence: str = ""
    schema: str = ""


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
    """A model's answer. Latencies in seconds, None where not measured.

    ``earlier`` are the failed attempts before it, oldest first. ``age_s`` is how long ago a reused reply was bought;
    None was asked for now. ``region`` is where the provider says that it was made, as a short code, ``served_by`` whom
    a reseller passed the request on to; empty where it does not say.
    """

    text: str
    usage: Usage = Usage()
    latency_s: float | None = None
    first_token_s: float | None = None
    finish_reason: str = ""
    provider_model: str = ""
    response_id: str = ""
    region: str = ""
    served_by: str = ""
    recorded: Recorded | None = None
    earlier: tuple[Failure, ...] = ()
    age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A call that brought no reply; a value, so that a panel survives a dead member.

    ``earlier`` are the failed attempts before this last one, oldest first. ``pause_s`` is how long was waited after it
    before the next attempt began, in seconds.
    """

    kind: FailureKind
    detail: str
    status_code: int | None = None
    retry_after_s: float | None = None
    latency_s: float | None = None
    usage: Usage = Usage()
    provider_model: str = ""
    response_id: str = ""
    region: str = ""
    served_by: str = ""
    earlier: tuple[Failure, ...] = ()
    pause_s: float = 0.0


class ModelClient(Protocol):
    """Sends one request and brings back a reply or a failure; never raises for what a provider does."""

    async def complete(self, request: ModelRequest) -> Reply | Failure: ...


class Ask(Protocol):
    """How the engine reaches a member: queues, reuse and limits are the caller's. ``stage`` gives priority."""

    async def __call__(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure: ...


class AskArbiter(Protocol):
    """How the engine reaches the arbiter. ``request.model`` is its inventory key; ``attempt`` counts from 1."""

    async def __call__(self, *, question: Question, request: ModelRequest, attempt: int) -> Reply | Failure: ...


class Similarity(Protocol):
    """Similarity of two texts in [0, 1], symmetric."""

    def __call__(self, left: str, right: str, /) -> float: ...
