"""The plan of the requests for details: Launch Library allows few requests an hour, and its detailed pages are large.

Two kinds of pages in mode detailed are asked for, after the lists. The near pages have all launches around today, by
days, so that their addresses stay the same all day; once they were read, they are left unasked until tomorrow. The page
of changes has what was updated since yesterday, whatever its date. The store keeps the details of all others. Pure.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from launchd.clock import DAY, Instant, format_instant, parse_instant
from launchd.errors import InvalidError
from launchd.launches.sources.records import UNREADABLE

THROTTLE = "api-throttle/"
PAGE = 100
MAX_NEAR_PAGES = 2
BEFORE, AFTER = 2 * DAY, 14 * DAY
_LONGEST_WAIT = 24 * 3600
Parameters = Mapping[str, str]


class Throttle(NamedTuple):
    """The answer about our own use: requests that are left, and the seconds until there are more."""

    left: int
    wait: float


class DetailPlan(NamedTuple):
    """The pages to ask for, the pages of the last pull to leave unasked, and why other pages are not asked for."""

    asked: tuple[Parameters, ...]
    left: tuple[Parameters, ...]
    skipped: str | None


class _Throttle(msgspec.Struct):
    your_request_limit: int
    current_use: int
    next_use_secs: float | None = None


class _Dated(msgspec.Struct):
    net: str | None = None


class _Page(msgspec.Struct):
    results: list[_Dated] = []


def throttle_in(body: bytes | None) -> Throttle | None:
    """The answer of `api-throttle/`; None if there is none or it cannot be read.

    >>> throttle_in(b'{"your_request_limit": 15, "current_use": 12, "next_use_secs": 0, "ident": "x"}')
    Throttle(left=3, wait=0.0)
    """
    try:
        found = None if body is None else msgspec.json.decode(body, type=_Throttle)
    except UNREADABLE:
        return None
    if found is None or found.your_request_limit < 0 or found.current_use < 0:
        return None
    wait = min(max(found.next_use_secs or 0.0, 0.0), _LONGEST_WAIT)
    return Throttle(max(found.your_request_limit - found.current_use, 0), wait)


def near(bodies: Sequence[bytes | None], now: Instant) -> int | None:
    """The number of launches around today in the lists; None if a list has not changed and so was not sent."""
    if any(body is None for body in bodies):
        return None
    found = 0
    for body in bodies:
        try:
            dates = msgspec.json.decode(body or b"{}", type=_Page).results
        except UNREADABLE:
            continue  # the parser reports it
        found += sum(_is_near(one.net, now) for one in dates)
    return found


def plan(*, budget: int, around: int | None, known: Callable[[Parameters], bool], now: Instant) -> DetailPlan:
    """The requests for details that fit into a budget of requests; near launches come before changes.

    `around` is the result of `near`; `known` is True for a page of the last pull.
    """
    count = 1 if around is None else min(math.ceil(around / PAGE), MAX_NEAR_PAGES)
    wanted = [near_page(now, number) for number in range(count)]
    left = [page for page in wanted if known(page)]
    todo = [page for page in wanted if not known(page)] + [changes_page(now)]
    asked, rest = todo[: max(budget, 0)], todo[max(budget, 0) :]
    left += [page for page in rest if known(page)]
    skipped = f"{len(rest)} of {len(todo)} pages of details do not fit into the rate" if rest else None
    return DetailPlan(tuple(asked), tuple(left), skipped)


def near_page(now: Instant, number: int) -> dict[str, str]:
    """A page of the launches around today, the same all day."""
    today = now // DAY * DAY
    span = {"net__gte": format_instant(today - BEFORE), "net__lte": format_instant(today + DAY + AFTER)}
    page = {"mode": "detailed", "limit": str(PAGE), "ordering": "net"} | span
    return page | {"offset": str(number * PAGE)} if number else page


def changes_page(now: Instant) -> dict[str, str]:
    """The page of the launches that were updated since yesterday, the newest first; the same all day."""
    since = format_instant(now // DAY * DAY - DAY)
    return {"mode": "detailed", "limit": str(PAGE), "ordering": "-last_updated", "last_updated__gte": since}


def _is_near(net: str | None, now: Instant) -> bool:
    try:
        return net is not None and now - BEFORE <= parse_instant(net) <= now + AFTER
    except InvalidError:
        return False
