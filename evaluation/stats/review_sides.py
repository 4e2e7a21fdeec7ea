"""Which of two answers stands on side A, and when a known item comes up: drawn by a secret, the same when asked again.

Nobody who lacks the session's seed can tell one arm from the other by where it stands.
"""

import hashlib
import hmac


def first_is_a(seed: str, item: int, number: int) -> bool:
    """HMAC-SHA256 of the item, one bit, XOR the slot number's last bit: the next slot shows the complement."""
    return bool((_digest(seed, f"side:{item}")[0] & 1) ^ (number & 1))


def gold_is_due(seed: str, person: int, given: int, share: float) -> bool:
    """Whether the item after ``given`` others is a gold one for this person: in the long run ``share`` of them are."""
    drawn = int.from_bytes(_digest(seed, f"gold:{person}:{given}")[:8], "big")
    return drawn < share * 2**64


def _digest(seed: str, message: str) -> bytes:
    return hmac.new(seed.encode(), message.encode(), hashlib.sha256).digest()
