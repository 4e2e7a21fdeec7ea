"""Addresses of people and machines: credentials in URLs, e-mail, IP. Each function gives (start, end) of its hits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

_USER_INFO = re.compile(r"(?<=://)[^\s/?#@\"'<>]{1,256}(?=@)")
_SECRET_PARAMETER = re.compile(
    r"[?&;](?:access_token|api_?key|auth|client_secret|key|passwd|password|pwd|secret|sig|signature|token)=([^\s&#;\"'<>]+)",
    re.IGNORECASE,
)
_MAX_LOCAL = 64
_LOCAL_PART = re.compile(r"\w[\w.!#$%'*+^~-]*\Z")
_DOMAIN = re.compile(r"(?:\w[\w-]{0,62}\.)+(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,63})", re.IGNORECASE)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?!\w|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:)[0-9A-Fa-f:.]{2,45}(?<![.])(?![\w:])", re.ASCII)


def find_credentials(text: str) -> Iterator[tuple[int, int]]:
    """User and password before a URL's host, and what its parameters call a key, token or password."""
    if "://" in text:
        yield from (match.span() for match in _USER_INFO.finditer(text))
    if "=" in text:
        yield from (match.span(1) for match in _SECRET_PARAMETER.finditer(text))


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Addresses with a dotted domain, international ones included."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL_PART.search(text, max(0, at - _MAX_LOCAL), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            yield local.start(), domain.end()
        at = text.find("@", at + 1)


def find_ips(text: str) -> Iterator[tuple[int, int]]:
    """IPv4 and IPv6, but for the machine itself (127.0.0.1, ::1) and the unspecified address."""
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            address = _parse_ip(match[0])
            if address and not (address.is_loopback or address.is_unspecified):
                yield match.span()


def _parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    if not any(map(str.isdigit, text)):
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None
