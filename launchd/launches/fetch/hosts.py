"""Which hosts and addresses a source may send us to. Pure; nothing here resolves or connects.

A source's answer may redirect anywhere it likes: it must not make this daemon read what only this machine or its
network can reach (server-side request forgery), nor carry a token to somebody else.
"""

import functools
import ipaddress
from collections.abc import Collection
from typing import Any

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# RFC 6052 §2.1: the last 32 bits are the IPv4 address that a translator connects to.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def literal(host: str) -> _Address | None:
    """The address that a host of a URL is, None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_public(address: _Address) -> bool:
    """Whether an address is globally reachable unicast (IANA's special-purpose registries, as `ipaddress` has them).

    An IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is as public as what it carries.
    """
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_unspecified


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def may_redirect(base: str, target: str, listed: Collection[str] = ()) -> bool:
    """Whether a source at host `base` may send us to host `target`: itself, its registrable domain, or a listed host.

    The registrable domain is one label below a public suffix (https://publicsuffix.org): planet4589.org and
    host.planet4589.org are one, a.github.io and b.github.io are not. Addresses are only ever themselves.
    """
    base, target = _plain(base), _plain(target)
    if target == base or target in {_plain(host) for host in listed}:
        return True
    if literal(base) is not None or literal(target) is not None:
        return False
    domain = _suffixes().privatesuffix(base)
    return domain is not None and domain == _suffixes().privatesuffix(target)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


@functools.cache
def _suffixes() -> Any:  # noqa: ANN401 - the library's class, imported only when somebody redirects: it reads a long list
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - the same

    # a name under no listed suffix ("intranet.corp") has no registrable domain
    return PublicSuffixList(accept_unknown=False)
