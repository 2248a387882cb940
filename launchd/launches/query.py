"""Queries for launches: filters and full-text search as conditions of SQL, and the cursor of a page. Pure.

Values of a client are passed as parameters only; the search text becomes quoted phrases, so nothing in it is syntax.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from launchd.clock import DAY, Instant
from launchd.cursor import invalid_cursor
from launchd.errors import InvalidError
from launchd.launches import filters
from launchd.launches.launch import LaunchStatus

_FLOWN = "('success', 'partial_failure', 'failure', 'cancelled')"
# Launches without a date come last; the expression is that of the index launches_by_net.
_LAST = 9223372036854775807
_TIME = f"coalesce(net_earliest, {_LAST})"
# Launches to come are in the order in which they can fly at the latest: by the end of the NET, and of NETs that end
# together the shortest, which is the most precise, first. The expressions are those of the index launches_to_come.
_ENDS = f"coalesce(net_latest, {_LAST})"
_SOONEST = f"{_ENDS}, -coalesce(net_earliest, 0), name, id"
# The expression is that of the indexes of launches_to_come.
_TO_COME = f"gone = 0 AND coalesce(status, '') NOT IN {_FLOWN}"
_UPCOMING = f"({_TO_COME} AND {_ENDS} >= ?)"
# A plan that no source has any longer is neither to come nor past.
_PAST = f"(NOT {_UPCOMING} AND (gone = 0 OR coalesce(status, '') IN {_FLOWN}))"
# A launch that can be counted down to: its NET is known to a day or better, and it has not lifted off.
_COUNTABLE = f"net_latest - net_earliest < {DAY} AND coalesce(status, '') <> 'in_flight'"
# The first instant, from a given one on, at which the NET of a launch to come ends; None if no NET does.
NEXT_END = f"SELECT min(net_latest) AS at FROM launches WHERE {_TO_COME} AND net_latest >= ?"  # noqa: S608 - constants
# A value of the details in `body`; nothing for a body that is not JSON.
_DETAIL = "CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_extract(CAST(body AS TEXT), '$.details.{}') END"
_CREWED, _WEBCAST = _DETAIL.format("crewed"), _DETAIL.format("webcasts[0].url")
MAX_TEXT, MAX_WORDS = 200, 20


class LaunchQuery(NamedTuple):
    """A query for launches. `upcoming` lists the soonest first, any other the newest first; a limit of None lists all.

    The soonest launch is the one whose NET ends first: "tomorrow 06:00" comes before "this year". `provider`,
    `vehicle`, `place` and `country` match as launches/filters.py says; `crewed` selects launches of which that is
    known. `q` matches launches that have all of its words, or words that begin with them. `countable` leaves out
    launches whose day is not known, and those in flight.
    """

    when: str | None = None
    provider: str | None = None
    status: str | None = None
    source: str | None = None
    q: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: int | None = 50
    cursor: str | None = None
    crewed: bool | None = None
    webcast: bool | None = None
    vehicle: str | None = None
    place: str | None = None
    country: str | None = None
    countable: bool = False


class Selection(NamedTuple):
    """The WHERE and ORDER BY of a query and its parameters. `order` reads the columns of launches."""

    where: str
    values: list[object]
    order: str


def selection(query: LaunchQuery, now: Instant) -> Selection:
    """The SQL of a query; raises InvalidError for an invalid filter."""
    conditions = list(_conditions(query, now))
    upcoming = query.when == "upcoming"
    if query.cursor is not None:
        after = _parse_soonest(query.cursor) if upcoming else _parse_cursor(query.cursor)
        conditions.append((f"({_SOONEST}) > (?, ?, ?, ?)" if upcoming else f"({_TIME}, id) < (?, ?)", after))
    where = " AND ".join(condition for condition, _ in conditions) or "1"
    order = _SOONEST if upcoming else f"{_TIME} DESC, id DESC"
    return Selection(where, [value for _, values in conditions for value in values], order)


def cursor(query: LaunchQuery, net: tuple[Instant | None, Instant | None], name: str, launch_id: str) -> str:
    """The cursor of the page after a launch with these columns of its row; `net` has the first and last instant."""
    earliest, latest = net
    if query.when != "upcoming":
        return f"{_LAST if earliest is None else earliest}~{launch_id}"
    return f"{_LAST if latest is None else latest}~{-(earliest or 0)}~{launch_id}~{name}"


def _conditions(query: LaunchQuery, now: Instant) -> Iterator[tuple[str, tuple[object, ...]]]:
    if query.when not in {None, "upcoming", "past"}:
        raise InvalidError.at("when", f"expected upcoming or past, got {query.when!r}")
    if query.when is not None:
        yield (_UPCOMING if query.when == "upcoming" else _PAST), (now,)
    if query.status is not None:
        if query.status not in set(LaunchStatus):
            raise InvalidError.at("status", f"expected one of {', '.join(LaunchStatus)}, got {query.status!r}")
        yield "status = ?", (query.status,)
    yield from _names(query)
    if query.countable:
        yield _COUNTABLE, ()
    if query.source is not None:
        yield "id IN (SELECT launch_id FROM sightings WHERE source = ?)", (query.source,)
    yield from _of_details(query)
    if query.q is not None:
        yield from _search(query.q)
    if query.since is not None:
        yield f"coalesce(net_latest, {_LAST}) >= ?", (query.since,)
    if query.until is not None:
        yield "net_earliest <= ?", (query.until,)


def _of_details(query: LaunchQuery) -> Iterator[tuple[str, tuple[object, ...]]]:
    if query.crewed is not None:
        yield f"{_CREWED} = ?", (query.crewed,)
    if query.webcast is not None:
        yield f"({_WEBCAST} IS NOT NULL) = ?", (query.webcast,)


def _names(query: LaunchQuery) -> Iterator[filters.Condition]:
    if query.provider is not None:
        yield filters.by_provider(query.provider)
    if query.vehicle is not None:
        yield filters.by_vehicle(query.vehicle)
    if query.place is not None:
        yield filters.by_place(query.place)
    if query.country is not None:
        yield filters.by_country(query.country)


def _search(text: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    match = search_expression(text)
    if match is None:  # the text has no word, so no launch matches
        yield "0", ()
        return
    yield (
        "id IN (SELECT launch_id FROM searchable JOIN search ON search.rowid = searchable.id WHERE search MATCH ?)",
        (match,),
    )


def search_expression(text: str) -> str | None:
    """The FTS5 expression that finds all words of a text, each by its beginning; None when it holds no word.

    Words without a blank between them ("10-10") are a phrase. Raises InvalidError when the text is too long.
    FTS5 (https://www.sqlite.org/fts5.html §3.1): between double quotes nothing but a double quote is special, and
    only letters, digits and white space are left here.
    """
    phrases = [" ".join(re.findall(r"[^\W_]+", part)) for part in text.split()]
    phrases = [phrase for phrase in phrases if phrase]
    if len(text) > MAX_TEXT or len(phrases) > MAX_WORDS:
        raise InvalidError.at("q", f"expected at most {MAX_WORDS} words and {MAX_TEXT} characters")
    return " AND ".join(f'"{phrase}" *' for phrase in phrases) or None


def _parse_cursor(text: str) -> tuple[int, str]:
    instant, _, launch_id = text.partition("~")
    if not launch_id:
        raise invalid_cursor()
    return _number(instant), launch_id


def _parse_soonest(text: str) -> tuple[int, int, str, str]:
    """The key of the last launch of the page before; its name stands last, since it may hold any character."""
    latest, earliest, launch_id, name = (*text.split("~", 3), "", "", "")[:4]
    if not launch_id or not name:
        raise invalid_cursor()
    return _number(latest), _number(earliest), name, launch_id


def _number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", text, re.ASCII) or abs(int(text)) > _LAST:
        raise invalid_cursor()
    return int(text)
