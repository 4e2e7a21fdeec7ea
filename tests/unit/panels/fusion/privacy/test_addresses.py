from __future__ import annotations

import pytest

from panels.fusion.privacy.addresses import find_credentials, find_emails, find_ips


def found(find, text):
    return [text[start:end] for start, end in find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**anna@x.org**, <b.c+d@sub.example.co.uk>.", ["anna@x.org", "b.c+d@sub.example.co.uk"]),
        ("mailto:anna@x.org?subject=x, from=b@x.org", ["anna@x.org", "b@x.org"]),
        (
            "é.ü@münchen.de, a@xn--mnchen-3ya.de, a@b.xn--p1ai",
            ["é.ü@münchen.de", "a@xn--mnchen-3ya.de", "a@b.xn--p1ai"],
        ),
        ("anna@x.org.", ["anna@x.org"]),
        ("@mention a@b @ a@ b@.org 3 @ 5", []),
        ("x" * 100 + "@x.org", ["x" * 64 + "@x.org"]),
    ],
)
def test_emails(text, expected):
    assert found(find_emails, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://anna:pa$$@db.example/x", ["anna:pa$$"]),
        ("https://token@github.com/x.git", ["token"]),
        ("https://x.org/?token=abc&page=2&API_KEY=d-e", ["abc", "d-e"]),
        ("https://x.org/@anna http://x.org/a b@c", []),
        ("token = 5, a=b", []),
        ("no address at all", []),
    ],
)
def test_credentials_in_urls(text, expected):
    assert found(find_credentials, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 10.0.0.1, 192.168.1.255:80.", ["10.0.0.1", "192.168.1.255"]),
        ("fe80::1%eth0, [2001:db8::8a2e:370:7334]:443", ["fe80::1", "2001:db8::8a2e:370:7334"]),
        ("::ffff:10.0.0.1.", ["10.0.0.1", "::ffff:10.0.0.1"]),
        ("1:2:3:4:5:6:7:8", ["1:2:3:4:5:6:7:8"]),
        # The machine itself, nobody, and what is no address.
        ("127.0.0.1 0.0.0.0 ::1 ::", []),
        ("1.2.3.4.5 1.2.3 256.1.1.1 v1.2.3.4 01.2.3.4", []),
        ("at 12:30:45, std::move, dead::beef, a::b, ratio 3:4:5", []),
    ],
)
def test_ip_addresses(text, expected):
    assert found(find_ips, text) == expected


def test_long_runs_do_not_slow_the_search_down():
    # Quadratic searching would take minutes here.
    for text in ("a" * 200_000, "a." * 100_000, "@" * 20_000, "1:" * 50_000, "://" + "a" * 200_000):
        assert found(find_emails, text) == found(find_credentials, text) == found(find_ips, text) == []
