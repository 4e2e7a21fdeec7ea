from __future__ import annotations

import base64

import pytest

from panels.fusion.privacy.masking import mask_question
from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.unmasking import unmask
from panels.fusion.privacy.vault import (
    ExpiredMap,
    TamperedMap,
    UnknownVaultKey,
    UnreadableMap,
    VaultKey,
    WeakVaultKey,
    end_of,
    open_sealed,
    seal,
)
from panels.fusion.types import Message

OLD = VaultKey(key_id="2025", secret=b"o" * 32)
NEW = VaultKey(key_id="2026", secret=b"n" * 32)
NOW_S = 1_800_000_000.5
MASKED = mask_question(
    [Message(role="user", content="Zoë Schmidt, ZOË, zoe@x.org, [[A_1]], \ud800@x.org")],
    sensitive={"name": "Zoë Schmidt", "empty": ""},
)


def sealed(key=NEW, ttl_s=60):
    return seal(MASKED.placeholder_map, key=key, now_s=NOW_S, ttl_s=ttl_s)


def test_a_map_comes_out_as_it_went_in():
    opened = open_sealed(sealed(), keys=[NEW], now_s=NOW_S + 59)
    assert opened == MASKED.placeholder_map
    masked = MASKED.messages[0].content
    assert unmask(masked, opened) == unmask(masked, MASKED.placeholder_map)


def test_what_is_kept_shows_neither_values_nor_kinds_and_never_repeats():
    text = sealed()
    assert text.isascii()
    assert text.split(".")[:3] == ["q1", "2026", "1800000060"]
    content = base64.urlsafe_b64decode(text.rpartition(".")[2])
    for shown in (b"Schmidt", b"NAME", b"x.org"):
        assert shown not in content
    assert text != sealed()


def test_a_map_sealed_with_a_former_key_opens_while_that_key_is_kept():
    text = sealed(OLD)
    assert open_sealed(text, keys=[NEW, OLD], now_s=NOW_S) == MASKED.placeholder_map
    with pytest.raises(UnknownVaultKey, match="'2025'"):
        open_sealed(text, keys=[NEW], now_s=NOW_S)


def test_a_map_opens_until_its_time_is_over():
    text = sealed(ttl_s=60)
    assert end_of(text) == 1_800_000_060
    assert open_sealed(text, keys=[NEW], now_s=NOW_S + 59) == MASKED.placeholder_map
    with pytest.raises(ExpiredMap, match="time to live"):
        open_sealed(text, keys=[NEW], now_s=NOW_S + 60)


@pytest.mark.parametrize("values", ["", "a", "ab"])
def test_any_change_is_noticed(values):
    # One of the three lengths leaves no padding; in the others the last letter has bits that decoding ignores.
    placeholder_map = PlaceholderMap(kinds=("TEXT", values))
    text = seal(placeholder_map, key=NEW, now_s=NOW_S, ttl_s=60)
    assert open_sealed(text, keys=[NEW], now_s=NOW_S) == placeholder_map
    for place in range(len(text)):
        for other in {"A", "B", "z", "="} - {text[place]}:
            with pytest.raises(UnreadableMap):
                open_sealed(text[:place] + other + text[place + 1 :], keys=[NEW, OLD], now_s=NOW_S)


@pytest.mark.parametrize("change", [("1800000060", "1900000060"), ("2026", "2025")])
def test_neither_its_end_nor_its_key_can_be_written_anew(change):
    with pytest.raises(TamperedMap, match="changed or damaged"):
        open_sealed(sealed().replace(*change), keys=[NEW, OLD], now_s=NOW_S)


def test_another_secret_under_the_same_id_is_noticed():
    with pytest.raises(TamperedMap, match="secret is another one"):
        open_sealed(sealed(), keys=[VaultKey(key_id="2026", secret=b"x" * 32)], now_s=NOW_S)


@pytest.mark.parametrize(
    "text", ["", "q1", "q1.2026.1.", "q2.2026.1.AAAA", "q1.2026.1.AAAA", "q1.2026.1.AAAAA", "q1.2026.x.AAAA", "{}"]
)
def test_what_is_no_sealed_map_is_refused(text):
    with pytest.raises(TamperedMap):
        open_sealed(text, keys=[NEW], now_s=0)


@pytest.mark.parametrize(
    ("key_id", "secret", "message"),
    [("k", b"short", "32 bytes"), ("a.b", b"x" * 32, "letters, digits"), ("", b"x" * 32, "letters, digits")],
)
def test_a_weak_key_is_refused(key_id, secret, message):
    with pytest.raises(WeakVaultKey, match=message):
        VaultKey(key_id=key_id, secret=secret)


def test_no_secret_is_printed():
    assert "oooo" not in repr(OLD)
