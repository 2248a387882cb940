"""The hosts and addresses to which a source may redirect. Pure; nothing here resolves or connects.

An answer may redirect anywhere: it must not make this daemon read addresses that only this machine or its network can
reach (server-side request forgery), nor send a token to another site.
"""

import functools
import ipaddress
from collections.abc import Collection
from typing import Any

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# RFC 6052 §2.1: the last 32 bits are the IPv4 address that a translator connects to.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def literal(host: str) -> _Address | None:
    """The address in a URL's host; None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_public(address: _Address) -> bool:
    """True for globally reachable unicast addresses (IANA's special-purpose registries, as `ipaddress` has them).

    An IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is public if that one is.
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
    """True if a source at `base` may redirect to `target`: the same host, its registrable domain, or a listed host.

    The registrable domain is one label below a public suffix (https://publicsuffix.org): planet4589.org and
    host.planet4589.org are one, a.github.io and b.github.io are not. An address matches itself alone.
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
def _suffixes() -> Any:  # noqa: ANN401 - the library's class, imported at the first redirect, since it reads a long list
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - the same

    # a name under no listed suffix ("intranet.corp") has no registrable domain
    return PublicSuffixList(accept_unknown=False)
