"""Which addresses a provider may be reached at. A request carries prompts and a key, so a wrong one leaks both."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds hand out a machine's own credentials outside the link-local range.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
LINK_LOCAL = "This address belongs to the machine's own network or metadata service, which hosts no models."
PRIVATE = "This address lies in a private network. Whoever runs the service allows those with QUORUM_PRIVATE_PROVIDERS."
ELSEWHERE = "This name leads to the machine itself, which only localhost may."


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRules:
    """``allows_private``: providers may stand in private networks, such as 10.0.0.0/8."""

    allows_private: bool = False

    def problem(self, address: Address, *, names_itself: bool) -> str | None:
        """Why nothing is sent there, None if it may be. ``names_itself``: it was asked for as this machine."""
        plain = unwrapped(address)
        if plain.is_loopback:
            return None if names_itself else ELSEWHERE
        if is_forbidden(plain):
            return LINK_LOCAL
        return PRIVATE if plain.is_private and not self.allows_private else None


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_forbidden(address: Address) -> bool:
    special = address.is_link_local or address.is_multicast or address.is_unspecified
    return special or address in _METADATA or (address.is_reserved and not address.is_loopback)


def names_this_machine(host: str) -> bool:
    """``localhost``, a name below it, or a loopback address."""
    try:
        return unwrapped(ipaddress.ip_address(host.strip("[]"))).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
