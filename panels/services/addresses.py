"""Which addresses a provider may have. A request carries prompts and a key, so a wrong address leaks both."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from panels.fusion.clients.peers import LINK_LOCAL, Address, PeerRules, unwrapped

# Where clouds hand out a machine's own credentials, by name.
_METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\Z")


def address_problem(url: str, *, rules: PeerRules) -> str | None:
    """Why a provider may not have this base URL, None if it may.

    Names are not resolved here, but whenever something is sent: what a name leads to may change.
    """
    return next(_address_problems(url, rules), None)


def _address_problems(url: str, rules: PeerRules) -> Iterator[str]:
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        yield "Give a full address, for example https://openrouter.ai/api/v1."
        return
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        yield "Leave out names, passwords and everything after ? or #. The key is read from the environment."
    host = _plain_host(parts.hostname)
    yield from _host_problems(host, rules, scheme=parts.scheme)


def _split(url: str) -> SplitResult | None:
    if re.search(r"[\s\x00-\x1f\\]", url):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return None
    return parts


def _host_problems(host: str, rules: PeerRules, *, scheme: str) -> Iterator[str]:
    address = _read_address(host)
    if address is None and not _HOST_NAME.match(host):
        yield "The host name has characters that no host name has."
    if host in _METADATA_HOSTS:
        yield LINK_LOCAL
    if address is not None and (problem := rules.problem(address, names_itself=True)):
        yield problem
    if scheme == "http" and not _is_loopback(host, address):
        yield "Use https. Plain http is for providers on this machine (localhost) alone."


def _plain_host(host: str) -> str:
    # A resolver folds wide digits and other dots into the plain ones, so the check has to as well.
    return unicodedata.normalize("NFKC", host).lower().rstrip(".")


def _read_address(host: str) -> Address | None:
    """The address a host is, also in the short, octal and hexadecimal forms that a resolver understands."""
    try:
        return unwrapped(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_loopback(host: str, address: Address | None) -> bool:
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)
