"""A hostile variant of an answer, fed after a good one: no known value is lost, nothing is retired, and it is reported.

The variants are made from the shapes of each source's small example: columns and fields that are renamed, removed or of
another type, files that are cut, emptied, replaced by an error page or missing. They go through the source's parser and
the tracker's own ingest into a real database.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.launches.fetch.client import Identity
from launchd.launches.ingest import Stored
from launchd.launches.scrape import PullTrouble, read
from launchd.launches.source_store import SourceStore
from launchd.launches.sources import SOURCES
from launchd.launches.sources.source import Payload
from launchd.launches.store import LaunchStore
from launchd.launches.tasks import Tracker
from tests.launches.sources.test_hostile_payloads import changed, encode, places
from tests.support.payloads import EXAMPLES, FLOWN_ROW, LIST_ROW, gcat, gcat_list

Bodies = Sequence[bytes]
Variant = tuple[str, Bodies]
ERROR_PAGE = b"<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>\n"


def file(columns: str, *rows: str) -> bytes:
    return "\n".join(["#" + columns.replace(" ", "\t"), *rows, ""]).encode()


_PLACES = "Site Code UCode ShortName Name Longitude Latitude ShortEName EName"
WHOLE: Mapping[str, Bodies] = EXAMPLES | {
    "gcat": (
        gcat(FLOWN_ROW, FLOWN_ROW.replace("2026-001", "2026-003"), FLOWN_ROW.replace("2026-001", "2026-F01")),
        gcat_list(LIST_ROW, LIST_ROW.replace("2026-001", "2026-003"), LIST_ROW.replace("2026-001", "2026-F01")),
        file(_PLACES, "CC\t-\tCC\tCanaveral\tCape Canaveral\t-80.54\t28.46\t-\t-"),
        file(_PLACES, "CC\tLC40\t-\tCC LC40\tSpace Launch Complex 40\t-80.5772\t28.5620\t-\t-"),
        file("Code ShortName ShortEName", "SPX\tSpaceX\t-"),
        file("LV_Name LV_Alias Class", "Falcon 9\tFalcon 9 v1.2\tO"),
    ),
}
# Parts of the answer that a server may lack.
OPTIONAL = {"gcat": range(1, 6)}


class World:
    """A database that has scraped one source once, and the tracker that writes to it."""

    def __init__(self, store: LaunchStore, tracker: Tracker, name: str) -> None:
        self.store, self.tracker, self.name = store, tracker, name

    async def feed(self, bodies: Bodies) -> str | None:
        """Ingest an answer; returns the error or the doubt that the source has after it."""
        payloads = [Payload(f"/{number}", body) for number, body in enumerate(bodies)]
        reading = await read(SOURCES[self.name], payloads)
        if isinstance(reading, PullTrouble):
            return reading.detail
        ctx: Any = SimpleNamespace(fence=None)
        numbers = (await self.tracker._apply(ctx, {self.name: reading}))[self.name]
        return numbers.get("error") or numbers.get("doubt")

    async def values(self) -> dict[str, dict[str, Any]]:
        """Every known value of every launch."""
        stored: Stored = await self.store.stored()
        fields = [one for one in next(iter(stored.launches.values())).__struct_fields__ if one != "provenance"]
        return {
            one.id: {field: value for field in fields if (value := getattr(one, field)) not in (None, ())}
            for one in stored.launches.values()
        }

    async def retired(self) -> int:
        return sum(one.retired_at is not None for one in (await self.store.stored()).seen.values())


@pytest.fixture
async def worlds(tmp_path: Path) -> AsyncIterator[Any]:
    opened = []

    async def world(name: str) -> World:
        db = open_database(tmp_path / f"{name}.db", "launches", SystemClock())
        opened.append(db)
        store_db = await db.__aenter__()
        store = LaunchStore(store_db)
        made = World(store, Tracker(store, SourceStore(store_db), {}, SystemClock(), Identity()), name)
        assert await made.feed(WHOLE[name]) is None
        return made

    yield world
    for db in opened:
        await db.__aexit__(None, None, None)


def must_be_told(name: str, bodies: Bodies) -> bool:
    """True if the parser rejects something as a whole; a field is told of if its value was known."""
    found = SOURCES[name].parse(bodies)
    return found.fault is not None or any(one.field is None for one in found.rejections)


def swapped(bodies: Bodies, number: int, body: bytes | None) -> Bodies:
    return [*bodies[:number], *([] if body is None else [body]), *bodies[number + 1 :]]


def of_files(name: str) -> Iterator[Variant]:
    """Each part of the answer cut at every tenth, empty, an error page, or missing where it may be."""
    bodies = WHOLE[name]
    for number, body in enumerate(bodies):
        for tenth in range(1, 10):
            yield f"part {number} cut at {tenth}0 %", swapped(bodies, number, body[: len(body) * tenth // 10])
        yield f"part {number} empty", swapped(bodies, number, b"")
        yield f"part {number} an error page", swapped(bodies, number, ERROR_PAGE)
        if number in OPTIONAL.get(name, ()):
            yield f"part {number} missing", swapped(bodies, number, None)


def of_fields(name: str) -> Iterator[Variant]:
    """Each field of a JSON document removed, renamed, and of another type."""
    bodies = WHOLE[name]
    for number, body in enumerate(bodies):
        try:
            document = json.loads(body)
        except ValueError:
            return
        for path in list(places(document))[1:]:
            parent: Any = document
            for step in path[:-1]:
                parent = parent[step]
            shown = f"part {number} {'/'.join(map(str, path))}"
            for value in ({"new": "shape"}, ["new"], "new", -7, 99):
                yield f"{shown} = {value}", swapped(bodies, number, encode(changed(document, path, value)))
            if isinstance(parent, dict):
                rest = {key: value for key, value in parent.items() if key != path[-1]}
                for what, other in (("removed", rest), ("renamed", rest | {f"{path[-1]}_2": parent[path[-1]]})):
                    yield f"{shown} {what}", swapped(bodies, number, encode(changed(document, path[:-1], other)))


def of_columns(name: str) -> Iterator[Variant]:
    """Each column of a table renamed, removed, and with other cells; and a row with a cell too many or too few."""
    bodies = WHOLE[name]
    if name != "gcat":
        return
    for number, body in enumerate(bodies):
        head, *rows = [line.split("\t") for line in body.decode().splitlines() if not line.startswith("# ")]
        tables = {f"column {head[at]} removed": [_without(row, at) for row in (head, *rows)] for at in range(len(head))}
        for at in range(len(head)):
            tables[f"column {head[at]} renamed"] = [[*head[:at], f"{head[at]}_2", *head[at + 1 :]], *rows]
            tables[f"a row without {head[at]}"] = [head, _without(rows[0], at), *rows[1:]]
        tables["a row with a cell more"] = [head, [*rows[0], "more"], *rows[1:]]
        for what, table in tables.items():
            if not table[0][0].startswith("#"):
                table[0] = [f"#{table[0][0]}", *table[0][1:]]
            text = "\n".join("\t".join(row) for row in table) + "\n"
            yield f"part {number} {what}", swapped(bodies, number, text.encode())


def _without(row: list[str], at: int) -> list[str]:
    return [*row[:at], *row[at + 1 :]]


def of_heads(name: str) -> Iterator[Variant]:
    """Each head of a table of Wikipedia renamed or removed, and each cell of a row removed."""
    if name != "wikipedia":
        return
    (body,) = WHOLE[name]
    text = body.decode()
    head, rest = text[: text.index("</tr>")], text[text.index("</tr>") :]
    heads = head.split("<th")
    for at in range(1, len(heads)):
        yield f"head {at} removed", ["<th".join([*heads[:at], *heads[at + 1 :]]).encode() + rest.encode()]
        other = [*heads[:at], ">Another</th>\n", *heads[at + 1 :]]
        yield f"head {at} renamed", ["<th".join(other).encode() + rest.encode()]
    cells = rest.split("<td")
    for at in range(1, len(cells)):
        yield f"cell {at} removed", [(head + "<td".join([*cells[:at], *cells[at + 1 :]])).encode()]


KINDS = {"files": of_files, "fields": of_fields, "columns": of_columns, "heads": of_heads}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list(WHOLE))
async def test_a_hostile_variant_loses_nothing_retires_nothing_and_is_reported(
    worlds: Any,  # noqa: ANN401 - a function of the fixture
    name: str,
    kind: str,
) -> None:
    world: World = await worlds(name)
    good = await world.values()
    wrong = []
    for shown, bodies in KINDS[kind](name):
        doubt = await world.feed(bodies)
        now = await world.values()
        lost = {
            (field, value, now.get(one, {}).get(field))
            for one, known in good.items()
            for field, value in known.items()
            if field not in now.get(one, {})
        }
        if lost:
            wrong.append(f"{shown}: lost {lost}")
        if await world.retired():
            wrong.append(f"{shown}: retired")
        if doubt is None and must_be_told(name, bodies):
            wrong.append(f"{shown}: not reported")
        assert await world.feed(WHOLE[name]) is None, shown
        assert {one: (await world.values())[one] for one in good} == good, shown
    assert not wrong, "\n".join([*wrong[:40], f"{len(wrong)} variants"])
