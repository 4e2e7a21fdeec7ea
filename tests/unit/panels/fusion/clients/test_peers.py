from __future__ import annotations

from ipaddress import ip_address

import pytest

from panels.fusion.clients.peers import ELSEWHERE, LINK_LOCAL, PRIVATE, PeerRules, names_this_machine


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("8.8.8.8", None),
        ("2606:4700::1111", None),
        ("10.0.0.1", PRIVATE),
        ("fd12:3456::1", PRIVATE),
        ("::ffff:192.168.0.1", PRIVATE),
        ("169.254.169.254", LINK_LOCAL),
        ("64:ff9b::a9fe:a9fe", LINK_LOCAL),
        ("2002:a9fe:a9fe::1", LINK_LOCAL),
        ("fe80::1", LINK_LOCAL),
        ("100.100.100.200", LINK_LOCAL),
        ("0.0.0.0", LINK_LOCAL),
        ("240.0.0.1", LINK_LOCAL),
        ("127.0.0.1", ELSEWHERE),
        ("::1", ELSEWHERE),
    ],
)
def test_where_a_name_may_lead(address, problem):
    assert PeerRules().problem(ip_address(address), names_itself=False) == problem


def test_private_networks_are_the_operators_to_allow_and_nothing_else_is():
    rules = PeerRules(allows_private=True)
    assert rules.problem(ip_address("10.0.0.1"), names_itself=False) is None
    assert rules.problem(ip_address("169.254.169.254"), names_itself=False) == LINK_LOCAL
    assert rules.problem(ip_address("127.0.0.1"), names_itself=True) is None


@pytest.mark.parametrize(
    ("host", "is_itself"),
    [
        ("localhost", True),
        ("sim.localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
    ],
)
def test_this_machine_is_named_by_few_names(host, is_itself):
    assert names_this_machine(host) is is_itself
