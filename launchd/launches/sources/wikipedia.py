"""Wikipedia's List of Falcon 9 and Falcon Heavy launches: outcomes of flown launches, and all plans, also vague ones.

Read from the HTML of the page, as such or within the answer of the parse API
(https://www.mediawiki.org/wiki/API:Parsing_wikitext). The list is split by years; its main page links to the others.

A row has no stable key: flight numbers are given after the flight and change, and dates slip. So the key of a launch is
the first line of its payload, which stays the same from the plan to the record ("Crew-2", "Starlink 28 v1.0"); a
repeated name is numbered in the order of the dates.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import msgspec

from launchd.errors import InvalidError
from launchd.launches.launch import Net, Parsed, Sighting
from launchd.launches.sources.markup import tables
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.sources.wikipedia_rows import NEEDED, ROW, TABLE, FoundRow, read_table
from launchd.launches.validate import Report, clean, plain

NAME = "wikipedia"
TITLE = "List of Falcon 9 and Falcon Heavy launches"
MAX_PAGES = 20
_OPENS, _CLOSES = re.compile(r"<table\b", re.IGNORECASE), re.compile(r"</table\b", re.IGNORECASE)
# JSON nested too deeply is a RecursionError.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Link(msgspec.Struct):
    title: str = ""


class _Page(msgspec.Struct):
    title: str
    text: str | dict[str, str]  # formatversion 2 | 1: {"*": html}
    links: list[_Link] = []


class _Error(msgspec.Struct):
    code: str = ""
    info: str = ""


class _Answer(msgspec.Struct):
    parse: _Page | None = None
    error: _Error | None = None


async def pull(client: Client) -> list[Payload]:
    """The main page and the pages by years that it links to, one after the other."""
    main = await client.get("api.php", _query(TITLE))
    if main is None:
        return []
    pages = [await client.get("api.php", _query(title)) for title in _by_years(main.body or b"")]
    return [main, *(page for page in pages if page is not None)]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """The launches of all pages. A row that is not as expected is rejected whole, with the reason.

    The list is complete if every page and table could be read, so renamed and removed rows can be retired; else nothing
    of it is believed.
    """
    report = Report(NAME)
    pages: list[list[FoundRow]] = []
    rows = 0
    for body in payloads:
        pages.append([])
        try:
            title, page = _page(body)
            _check_whole(page)
            before = rows
            for table in tables(page):
                read, seen = read_table(table, _url(title), report)
                pages[-1] += read
                rows += seen
            if rows == before:
                report.reject(
                    "page", f"{title}: no table on the page has launches with the columns {', '.join(NEEDED)}"
                )
        except InvalidError as error:
            report.reject("page", error.detail)
    fault = next((one.reason for one in report.rejections if one.record in {"page", TABLE}), None)
    found = tuple(one for one in (clean(one, report) for one in _keyed(pages)) if one is not None)
    complete = bool(payloads) and fault is None and all(one.record != ROW for one in report.rejections)
    return Parsed(found, tuple(report.rejections), rows, complete=complete, fault=fault)


def _query(title: str) -> dict[str, str]:
    """The query for a page; servers that lag ask to wait: https://www.mediawiki.org/wiki/Manual:Maxlag_parameter."""
    asked = {"action": "parse", "page": title, "prop": "text|revid|links", "redirects": "1", "maxlag": "5"}
    return asked | {"format": "json", "formatversion": "2"}


def _by_years(main: bytes) -> list[str]:
    try:
        answer = msgspec.json.decode(main, type=_Answer)
    except _UNREADABLE:
        return []
    titles = (link.title for link in answer.parse.links) if answer.parse else ()
    return sorted({title for title in titles if title.startswith(f"{TITLE} (")})[:MAX_PAGES]


def _page(body: bytes) -> tuple[str, str]:
    """The title and the HTML of an answer. Raises InvalidError."""
    if not body.lstrip().startswith(b"{"):
        return TITLE, body.decode("utf-8", errors="replace")
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except _UNREADABLE as error:
        raise InvalidError(f"it is not an answer of the parse API: {error}") from error
    if answer.parse is None:
        reason = f"{answer.error.code}: {answer.error.info}" if answer.error else "it holds no page"
        raise InvalidError(plain(reason)[:200])
    text = answer.parse.text
    return plain(answer.parse.title)[:200] or TITLE, text if isinstance(text, str) else text.get("*", "")


def _check_whole(page: str) -> None:
    """Raises InvalidError for a page that is cut off: one of its tables does not end."""
    opened, closed = len(_OPENS.findall(page)), len(_CLOSES.findall(page))
    if opened > closed:
        raise InvalidError(f"it is cut off: {opened - closed} of its {opened} tables do not end")


def _url(title: str) -> str:
    return f"https://en.wikipedia.org/wiki/{quote(title.replace(' ', '_'))}"


def _keyed(pages: list[list[FoundRow]]) -> Iterator[Sighting]:
    """The sightings in the order of their dates with unique keys; a row on several pages is taken once."""
    rows: dict[tuple[str, Net | None, int], FoundRow] = {}
    for page in pages:
        alike: Counter[tuple[str, Net | None]] = Counter()
        for one in page:  # several plans for "Starlink" in "July 2021" on one page are as many launches
            row = one.key, one.sighting.net
            alike[row] += 1
            rows.setdefault((*row, alike[row]), one)
    counts: Counter[str] = Counter()
    for key, sighting in sorted(rows.values(), key=_order):
        counts[key] += 1
        again = f"#{counts[key]}" if counts[key] > 1 else ""
        yield msgspec.structs.replace(sighting, source_id=f"{key}{again}")


def _order(one: FoundRow) -> tuple[bool, int, str]:
    net = one.sighting.net
    return net is None, net.earliest if net else 0, one.key


SOURCE = Source(
    name=NAME,
    title="Wikipedia: Falcon 9 and Falcon Heavy launches",
    attribution=f"Wikipedia (CC BY-SA 4.0), {_url(TITLE)}",
    base_url="https://en.wikipedia.org/w/",
    rate="60/h",
    priority=30,
    revision=2,
    pull=pull,
    parse=parse,
)
