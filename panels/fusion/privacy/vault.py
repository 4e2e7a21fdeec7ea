"""Placeholder maps at rest: encrypted, bound to an end, and readable while the key is changed."""

from __future__ import annotations

import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from panels.fusion.privacy.placeholder_map import Entry, PlaceholderMap, SensitiveValue
from panels.fusion.privacy.placeholders import Placeholder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MIN_SECRET_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12
_PURPOSE = b"quorum placeholder map"
_SEALED = re.compile(r"q1\.([A-Za-z0-9_-]{1,32})\.(\d{1,12})\.([A-Za-z0-9_-]+=*)", re.ASCII)
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)


class WeakVaultKey(ValueError):
    """A key that does not protect, or an id that cannot be written down."""


class UnreadableMap(Exception):
    """A sealed map cannot be opened. Holds nothing of what is in it."""


class UnknownVaultKey(UnreadableMap):
    """It was sealed with a key that is not among those given."""


class TamperedMap(UnreadableMap):
    """It is damaged, was changed, or was sealed with another secret of the same id."""


class ExpiredMap(UnreadableMap):
    """Its time to live is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKey:
    """``secret``: at least 32 random bytes; keys are derived from it. ``key_id`` is written beside what it sealed."""

    key_id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise WeakVaultKey(f"The secret of a vault key needs at least {MIN_SECRET_BYTES} bytes.")
        if not _KEY_ID.fullmatch(self.key_id):
            raise WeakVaultKey("The id of a vault key takes 1 to 32 letters, digits, hyphens and underscores.")


def seal(placeholder_map: PlaceholderMap, *, key: VaultKey, now_s: float, ttl_s: float) -> str:
    """Printable text (ASCII) to keep. Times are seconds, ``now_s`` since 1970; openable until ``now_s + ttl_s``.

    AES-256-GCM under a key of its own (HKDF-SHA256 with a random salt); key id and end are authenticated too.
    """
    head = f"q1.{key.key_id}.{int(now_s + ttl_s)}"
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    encrypted = _cipher(key, salt).encrypt(nonce, _dump(placeholder_map), head.encode())
    return f"{head}.{urlsafe_b64encode(salt + nonce + encrypted).decode()}"


def open_sealed(sealed: str, *, keys: Sequence[VaultKey], now_s: float) -> PlaceholderMap:
    """``keys``: the present one and those it replaced. Raises UnknownVaultKey, TamperedMap, ExpiredMap."""
    from cryptography.exceptions import InvalidTag

    key_id, end_s, payload = _split(sealed)
    key = next((key for key in keys if key.key_id == key_id), None)
    if key is None:
        raise UnknownVaultKey(f"The map was sealed with the key {key_id!r}, which is not among the vault's keys.")
    salt, nonce, encrypted = _cut(payload)
    head = sealed.rpartition(".")[0]
    try:
        plain = _cipher(key, salt).decrypt(nonce, encrypted, head.encode())
    except InvalidTag:
        raise TamperedMap("The map was changed or damaged, or its key's secret is another one now.") from None
    if now_s >= end_s:
        raise ExpiredMap("The map's time to live is over: its placeholders stay as they are.")
    return _load(plain)


def end_of(sealed: str) -> int:
    """When a sealed map's time to live is over, in seconds since 1970, for those who delete. Raises TamperedMap."""
    return _split(sealed)[1]


def _cipher(key: VaultKey, salt: bytes) -> AESGCM:
    # Imported where used: most processes never open a map.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=_PURPOSE).derive(key.secret))


def _split(sealed: str) -> tuple[str, int, str]:
    match = _SEALED.fullmatch(sealed)
    if match is None:
        raise TamperedMap("This is not a sealed map, or only a part of one.")
    return match[1], int(match[2]), match[3]


def _cut(payload: str) -> tuple[bytes, bytes, bytes]:
    try:
        content = urlsafe_b64decode(payload)
    except ValueError:
        content = b""
    # The last letter may hold bits that decoding ignores; a map has one way to be written.
    if len(content) <= _SALT_BYTES + _NONCE_BYTES or urlsafe_b64encode(content).decode() != payload:
        raise TamperedMap("The map was cut off or changed.")
    nonce_end = _SALT_BYTES + _NONCE_BYTES
    return content[:_SALT_BYTES], content[_SALT_BYTES:nonce_end], content[nonce_end:]


def _dump(placeholder_map: PlaceholderMap) -> bytes:
    content = {
        "kinds": placeholder_map.kinds,
        "sensitive": [asdict(value) for value in placeholder_map.sensitive],
        "entries": [asdict(entry) for entry in placeholder_map.entries],
    }
    # Escaped, since a text may hold half a surrogate pair.
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()


def _load(plain: bytes) -> PlaceholderMap:
    content = json.loads(plain)
    return PlaceholderMap(
        kinds=tuple(content["kinds"]),
        sensitive=tuple(
            SensitiveValue(kind=value["kind"], value=value["value"], parts=tuple(value["parts"]))
            for value in content["sensitive"]
        ),
        entries=tuple(
            Entry(
                placeholder=Placeholder(**entry["placeholder"]), original=entry["original"], identity=entry["identity"]
            )
            for entry in content["entries"]
        ),
    )
