"""The hosts and addresses to which a source may redirect."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.launches.fetch.hosts import is_public, may_redirect

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # where clouds serve their credentials
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_that_only_this_machine_or_network_reaches_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "192.0.66.2", "2606:4700::6810:1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_the_world_reaches_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_in_ipv6_changes_nothing(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [f"::ffff:{address}", str(ipaddress.IPv6Address((0x64FF9B << 96) | number))]
    wrapped.append(str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))))
    assert {is_public(ipaddress.ip_address(one)) for one in wrapped} == {is_public(address)}


@pytest.mark.parametrize(
    ("base", "target", "allowed"),
    [
        ("planet4589.org", "planet4589.org", True),
        ("planet4589.org", "host.Planet4589.org.", True),
        ("ll.thespacedevs.com", "lldev.thespacedevs.com", True),
        ("planet4589.org", "planet4589.com", False),
        ("planet4589.org", "notplanet4589.org", False),
        ("a.github.io", "b.github.io", False),
        ("ll.example.co.uk", "evil.co.uk", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("1.0.0.127", "2.0.0.127", False),
        ("planet4589.org", "127.1", False),
        ("intranet", "other", False),
    ],
)
def test_a_redirect_stays_on_the_registrable_domain(base: str, target: str, allowed: bool) -> None:
    assert may_redirect(base, target) is allowed


def test_a_source_may_list_other_hosts() -> None:
    assert may_redirect("planet4589.org", "planet4589.com", ["planet4589.com"])
