"""What one request shows to whom: the question as members get it, and what they answer as it may be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from panels.fusion.privacy.detectors import MaskingBlocked
from panels.fusion.privacy.leaks import LeakGuardedClient
from panels.fusion.privacy.masking import MASKING_VERSION, Masked, MaskedText, mask_question, remask
from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.spellings import alike_spellings
from panels.fusion.privacy.trust import can_reuse, masking_of, view_for
from panels.fusion.privacy.unmasking import IntegrityCount, unmask
from panels.fusion.replies import NOT_MASKED
from panels.fusion.schemas import schema_problem
from panels.fusion.types import Failure, FailureKind, Member, Message, ModelClient, ModelRequest, Question, Reply

Masking = int | str


class UnmaskableSchema(ValueError):
    """Nothing was sent: with placeholders in the place of what has to be masked, the schema is none any more."""

    def __init__(self) -> None:
        super().__init__(
            "The schema of the answer holds a value that has to be masked, in a place where no placeholder can stand. "
            "Nothing was sent. Take the value out of the schema, and ask again."
        )


def cover_of(question: Question, sensitive: Mapping[str, str] | None) -> Cover:
    """For what the question's messages hold; None masks nothing. Raises MaskingBlocked and SensitiveValueTooShort."""
    return Cover(masked=None if sensitive is None else mask_question(question.messages, sensitive=sensitive))


@dataclass(slots=True, kw_only=True)
class Cover:
    """The masking of one request; the map grows where an in-house reply brings something new.

    ``counts``: places masked in what was asked, by kind.
    """

    masked: Masked | None
    integrity: dict[str, IntegrityCount] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter, init=False)
    _map: PlaceholderMap | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.masked is not None:
            self._map = self.masked.placeholder_map
            self.counts.update(self.masked.counts)

    @property
    def placeholder_map(self) -> PlaceholderMap | None:
        return self._map

    def question(self, question: Question) -> Question:
        """What may be sent, hashed and kept of it. Raises MaskingBlocked and UnmaskableSchema."""
        if self.masked is None:
            return question
        schema = self._mask_asked(question.schema)
        if schema != question.schema and schema_problem(schema):
            raise UnmaskableSchema
        return replace(
            question,
            messages=self.masked.messages,
            evidence=self._mask_asked(question.evidence),
            choices=tuple(self._mask_asked(choice) for choice in question.choices),
            schema=schema,
        )

    def mask(self, text: str) -> str:
        """A text that is compared with others of this question: an accepted answer, a recorded one."""
        return text if self._map is None else self.comparable(self._mask(text).text)

    def comparable(self, text: str) -> str:
        """A masked text as its values would compare: spellings that say the same under one placeholder."""
        return text if self._map is None else alike_spellings(text, self._map)

    def _mask_asked(self, text: str) -> str:
        covered = self._mask(text)
        self.counts.update(covered.counts)
        return covered.text

    def _mask(self, text: str) -> MaskedText:
        assert self._map is not None
        covered = remask(text, self._map)
        self._map = covered.placeholder_map
        return covered

    def view(self, question: Question, member: Member) -> tuple[Message, ...]:
        if self.masked is None:
            return question.messages
        return view_for(self.masked, member_is_in_house=member.in_house)

    def masking(self, member: Member, secret: bytes) -> Masking:
        if self.masked is None:
            return NOT_MASKED
        return masking_of(self.masked, member_is_in_house=member.in_house, secret=secret)

    @property
    def arbiter_masking(self) -> Masking:
        return NOT_MASKED if self.masked is None else MASKING_VERSION

    def can_reuse(self, reply: Reply, member: Member) -> bool:
        return self.masked is None or can_reuse(reply.text, self.masked, member_is_in_house=member.in_house)

    def guarded(self, client: ModelClient, member: Member, body_of: Callable[[ModelRequest], bytes]) -> ModelClient:
        """Nothing leaves for anybody outside while it still holds a masked value."""
        if self._map is None or member.in_house:
            return client
        return LeakGuardedClient(client=client, body_of=body_of, placeholder_map=self._map)

    def covered(self, result: Reply | Failure, member: Member) -> Reply | Failure:
        """What came back, as everybody else may see it, and as it may be kept."""
        if self._map is None:
            return result
        if member.in_house:
            return self._masked_reply(result) if isinstance(result, Reply) else self._masked_failure(result)
        if isinstance(result, Reply):
            count = unmask(result.text, self._map).count
            self.integrity[member.model] = self.integrity.get(member.model, IntegrityCount()) + count
        return result

    def _masked_reply(self, reply: Reply) -> Reply | Failure:
        earlier = tuple(self._masked_failure(failure) for failure in reply.earlier)
        try:
            return replace(reply, text=self._mask(reply.text).text, earlier=earlier)
        except MaskingBlocked as blocked:
            return Failure(
                kind=FailureKind.MASKING,
                detail=f"its reply cannot be shown to anybody: the detector {blocked.detector} broke on it",
                usage=reply.usage,
                latency_s=reply.latency_s,
                provider_model=reply.provider_model,
                response_id=reply.response_id,
                earlier=earlier,
            )

    def _masked_failure(self, failure: Failure) -> Failure:
        """A provider's message may quote the request."""
        earlier = tuple(self._masked_failure(each) for each in failure.earlier)
        try:
            detail = self._mask(failure.detail).text
        except MaskingBlocked as blocked:
            detail = f"what the provider said is not kept: the detector {blocked.detector} broke on it"
        return replace(failure, detail=detail, earlier=earlier)
