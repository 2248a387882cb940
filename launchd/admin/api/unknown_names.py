"""The endpoint of names that sources use and the registry does not have."""

from typing import Literal

from launchd.admin.api.mapper import mapper
from launchd.admin.http.view import View
from launchd.admin.route import Api, Body, PageQuery, Request, Response, SourceName
from launchd.clock import FOREVER
from launchd.cursor import parse_cursor
from launchd.errors import InvalidError
from launchd.launches.sources import SOURCES
from launchd.launches.unknown import UnknownName


class UnknownNamesQuery(PageQuery, kw_only=True):
    """`GET /v1/sources/unknown`."""

    source: SourceName | None = None
    subject: Literal["provider", "vehicle", "pad", "orbit"] | None = None


class UnknownNameView(View):
    """A word that a source uses and the registry of names does not have; `records` counts its records with it."""

    source: str
    subject: str
    word: str
    records: int


class UnknownNamePageView(View):
    """A page of unknown words."""

    items: list[UnknownNameView]
    next: str | None


_unknown = mapper(UnknownNameView, UnknownName)


async def unknown_names(api: Api, request: Request[UnknownNamesQuery, Body]) -> Response:
    """The words of sources that the registry of names does not have, the most frequent first."""
    given = request.query
    if given.source is not None and given.source not in SOURCES:
        raise InvalidError.at("source", f"no such source {given.source}; known: {', '.join(SOURCES)}")
    wanted = [
        one
        for one in await api.launches.unknown_names()
        if given.source in {None, one.source} and given.subject in {None, one.subject}
    ]
    start = parse_cursor(given.cursor) or 0
    end = start + given.limit
    items = [_unknown(one) for one in wanted[start:end]]
    return Response(UnknownNamePageView(items=items, next=str(end) if len(wanted) > end else None), until=FOREVER)
