"""What a simulated model is made of: its planted figures, and what it may do instead of answering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

GENERAL = "general"


class Fault(StrEnum):
    """What a provider does instead of answering, or to a reply that is otherwise good."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    HANG = "hang"
    HTML_PAGE = "html_page"
    ERROR_BODY = "error_body"
    MALFORMED = "malformed"
    EMPTY = "empty"
    REFUSED = "refused"
    UNAUTHORISED = "unauthorised"
    PAYMENT_REQUIRED = "payment_required"
    RETIRED = "retired"
    HTML_REPLY = "html_reply"
    ERROR_CHUNK = "error_chunk"
    NO_USAGE = "no_usage"
    EARLY_USAGE = "early_usage"
    KEEPALIVE = "keepalive"
    KEEPALIVE_ONLY = "keepalive_only"
    SLOW_FIRST_BYTE = "slow_first_byte"
    RESET = "reset"
    RESET_MIDWAY = "reset_midway"
    ENDLESS = "endless"
    FLOOD = "flood"


# After these the whole answer comes all the same.
ANSWERING_FAULTS = frozenset({Fault.NO_USAGE, Fault.EARLY_USAGE, Fault.KEEPALIVE, Fault.SLOW_FIRST_BYTE})
# These hold the connection for as long as the model hangs, unless the client leaves before.
HOLDING_FAULTS = frozenset({Fault.HANG, Fault.KEEPALIVE, Fault.KEEPALIVE_ONLY, Fault.SLOW_FIRST_BYTE, Fault.ENDLESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedModel:
    """One model: what it charges, how often it is right, how its errors go together with others', how fast it is.

    Prices are dollars per million tokens, in steps of a tenth of a cent; ``hides_price`` lists them as −1. ``skill`` is
    the probability of being right by topic (the stem of the answer file's name), with ``general`` for the rest.
    ``shared_error_share`` is the share of its errors that it has in common with the other models: it fails where the
    example is hard for all, with the wrong answer they give too; the rest of its errors are its own. Latency is
    lognormal: ``latency_median_s`` and the standard deviation of its logarithm; ``first_token_share`` of it passes
    before the first token of a stream. ``verbosity`` is the share of short answers given as a sentence; ``postscript``
    ends every answer.

    ``faults`` are rates per request. After ``recovers_after`` of them in a row the same request is answered.
    ``hang_s`` is how long a fault that holds the connection does so. Replies name their ``region``, unless it is empty.

    As an arbiter it tells right from wrong among what it is shown with probability ``judging`` (None: its skill), and
    ``bad_analysis_rate`` of its analyses cannot be read. Asked once more it mends them, unless it is ``stubborn``.
    """

    id: str
    price_in: Decimal
    price_out: Decimal
    skill: Mapping[str, float]
    hides_price: bool = False
    shared_error_share: float = 0.3
    latency_median_s: float = 0.5
    latency_spread: float = 0.3
    first_token_share: float = 0.4
    faults: Mapping[Fault, float] = field(default_factory=dict)
    recovers_after: int | None = None
    retry_after_date: bool = False
    unreadable_rate: float = 0.01
    verbosity: float = 0.1
    postscript: str = ""
    reasoning_tokens: int = 0
    hang_s: float = 20.0
    last_message_must_be_user: bool = False
    region: str = "eu-central"
    judging: float | None = None
    bad_analysis_rate: float = 0.02
    stubborn: bool = False

    def __post_init__(self) -> None:
        for price in (self.price_in, self.price_out):
            if price < 0 or price * 1000 % 1:
                raise ValueError(f"{self.id}: a price is a multiple of 0.001 dollars per million tokens, not {price}")
        shares = (self.shared_error_share, self.first_token_share, self.unreadable_rate, self.verbosity)
        arbitration = (self.judging or 0, self.bad_analysis_rate)
        for share in (*shares, *arbitration, *self.skill.values(), sum(self.faults.values())):
            if not 0 <= share <= 1:
                raise ValueError(f"{self.id}: a share is between 0 and 1, not {share}")
        if GENERAL not in self.skill:
            raise ValueError(f"{self.id}: skill needs an entry for {GENERAL!r}")

    @property
    def nanousd_per_token_in(self) -> int:
        return int(self.price_in * 1000)

    @property
    def nanousd_per_token_out(self) -> int:
        return int(self.price_out * 1000)

    def skill_in(self, topic: str) -> float:
        return self.skill.get(topic, self.skill[GENERAL])

    def judging_in(self, topic: str) -> float:
        return self.skill_in(topic) if self.judging is None else self.judging
