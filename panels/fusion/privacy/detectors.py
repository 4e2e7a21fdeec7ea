"""What is looked for besides exact values: patterns, in a fixed order. No pattern finds names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from panels.fusion.privacy.accounts import find_cards, find_ibans
from panels.fusion.privacy.addresses import find_credentials, find_emails, find_ips
from panels.fusion.privacy.folding import end_of_marks
from panels.fusion.privacy.national_ids import find_national_ids
from panels.fusion.privacy.phones import find_phones
from panels.fusion.privacy.spans import Span

Found: TypeAlias = tuple[int, int]


class MaskingBlocked(Exception):
    """A detector broke, so nobody knows what the text holds: nothing may be sent. Holds no text and no cause."""

    def __init__(self, *, detector: str) -> None:
        self.detector = detector
        super().__init__(
            f"The detector {detector!r} broke while the question was being masked, so nothing was sent. "
            "Repair or remove it, and ask again."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """``find`` gives (start, end) of every hit in a text. ``kind``: 2 to 16 letters A to Z, seen by the models."""

    name: str
    kind: str
    find: Callable[[str], Iterable[Found]]


def default_detectors(*, phone_regions: Sequence[str] = ()) -> tuple[Detector, ...]:
    """Strict shapes before loose ones. Numbers without a country code are read as of ``phone_regions`` (GB, DE...)."""
    return (
        Detector(name="url_credentials", kind="CREDENTIAL", find=find_credentials),
        Detector(name="email", kind="EMAIL", find=find_emails),
        Detector(name="iban", kind="IBAN", find=find_ibans),
        Detector(name="card", kind="CARD", find=find_cards),
        Detector(name="ip", kind="IP", find=find_ips),
        Detector(name="phone", kind="PHONE", find=partial(find_phones, regions=tuple(phone_regions))),
        Detector(name="national_id", kind="ID", find=find_national_ids),
    )


def detect(text: str, detectors: Iterable[Detector]) -> list[Span]:
    """What each of them finds, in their order. Raises MaskingBlocked."""
    return [span for detector in detectors for span in _spans(text, detector)]


def _spans(text: str, detector: Detector) -> list[Span]:
    spans = _try(text, detector)
    if spans is None:
        # Raised here and not where it was caught: the cause may quote the text.
        raise MaskingBlocked(detector=detector.name)
    return spans


def _try(text: str, detector: Detector) -> list[Span] | None:
    try:
        found = list(detector.find(text))
        if not all(0 <= start < end <= len(text) for start, end in found):
            return None
    except Exception:
        return None
    return [Span(start=start, end=end_of_marks(text, end), kind=detector.kind) for start, end in found]
