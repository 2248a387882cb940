"""The values that are believed: names, coarse readings, facts before plans, withdrawals, ghosts and duplicates."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from launchd.clock import SystemClock, parse_instant
from launchd.db.database import open_database
from launchd.launches.ingest import IngestPlan, plan
from launchd.launches.launch import LaunchStatus, Parsed, Precision, Sighting
from launchd.launches.query import LaunchQuery
from launchd.launches.sources import SOURCES
from launchd.launches.store import Detail, LaunchStore
from launchd.launches.validate import Report, clean, plain
from tests.launches.sources.test_wikipedia import future, planned
from tests.support.payloads import FLOWN_ROW, LIST_ROW, gcat, gcat_list, ll2, page
from tests.support.sightings import GCAT, LL2, PRIORITIES, ROCKETLAUNCH, SPACEX_API, WIKIPEDIA, at, sight

NOW = parse_instant("2026-01-01T00:00:00Z")


class Scraped:
    """A store that scrapes write to, each an hour after the one before."""

    def __init__(self, store: LaunchStore) -> None:
        self.store, self.now, self._ids = store, NOW, iter(f"{number:04d}" for number in range(1, 1000))

    async def scrape(self, *sightings: Sighting, complete: tuple[str, ...] = ()) -> IngestPlan:
        self.now += 3_600_000_000
        stored = await self.store.stored()
        made = plan(stored, sightings, PRIORITIES, self.now, lambda: next(self._ids), complete=complete)
        await self.store.apply(made, None, self.now)
        return made

    async def of(self, sighting: Sighting) -> Detail:
        seen = (await self.store.stored()).seen[sighting.source, sighting.source_id]
        return await self.store.get(seen.launch_id)

    async def names(self, when: str) -> list[str]:
        return [one.launch.name for one in (await self.store.list(LaunchQuery(when=when), NOW)).items]


@pytest.fixture
async def scraped(tmp_path: Path) -> AsyncIterator[Scraped]:
    async with open_database(tmp_path / "launches.db", "launches", SystemClock()) as db:
        yield Scraped(LaunchStore(db))


def library(*records: object) -> Parsed:
    return SOURCES["launch_library"].parse([page(*records)])


# --- names ---


@pytest.mark.parametrize(
    ("flight", "mission", "payload", "name"),
    [
        ("Apollo 11", "Apollo CM-107", "Apollo CM-107", "Apollo 11"),
        ("Dragon Crew-12", "Dragon C212.5", "Starlink", "Dragon Crew-12"),
        ("CSG 3", "COSMO-Skymed SG FM3", "COSMO-Skymed SG FM3", "CSG 3"),
        ("Starlink-355", "Starlink Group 17-33", "Starlink Group 17-33-01", "Starlink Group 17-33"),
        ("SpX-31", "CRS-31", "Dragon C208.5", "CRS-31"),
        ("-", "Kosmos-2600?", "Unknown", "Kosmos-2600"),
        ("Shi Jian 32 (?)", "-", "SJ-32", "Shi Jian 32"),
    ],
)
def test_a_launch_of_gcat_has_the_name_that_people_use_and_keeps_the_others(
    flight: str, mission: str, payload: str, name: str
) -> None:
    listed = LIST_ROW.replace("Starlink-300\tStarlink Group 9-1", f"{flight}\t{mission}")
    logged = FLOWN_ROW.replace("\tStarlink\t", f"\t{payload}\t")
    (found,) = SOURCES["gcat"].parse([gcat(logged), gcat_list(listed)]).sightings
    assert found.name == name
    assert payload in (found.name, *found.names)
    assert not any("?" in one for one in (found.name, *found.names))


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ("Surface Water Ocean Topography (SWOT)", "Surface Water Ocean Topography (SWOT)"),
        ("Double Asteroid Redirection Test (DART)", "Double Asteroid Redirection Test (DART)"),
        ("Starlink 28 v1.0 (60 satellites)", "Starlink 28 v1.0"),
        ("Hakuto-R Moon lander (secondary payload)", "Hakuto-R Moon lander"),
    ],
)
def test_a_name_of_wikipedia_keeps_its_brackets_but_no_remark(payload: str, name: str) -> None:
    (found,) = SOURCES["wikipedia"].parse([future(planned("July 2026", payload))]).sightings
    assert found.name == name
    assert "(" not in found.source_id


def test_zero_width_and_bidirectional_characters_are_dropped_from_every_text() -> None:
    dirty = "Fal\u200bcon\u202e 9\u2066 |\ufeff Crew\u00ad-20"
    assert plain(dirty) == "Falcon 9 | Crew-20"
    fields = dict.fromkeys(("provider", "vehicle", "pad", "mission", "orbit", "status_word"), dirty)
    found = clean(Sighting(source="gcat", source_id="1", name=dirty, names=(f"{dirty}!",), **fields), Report("gcat"))  # type: ignore[arg-type]
    assert found is not None
    assert "\\u" not in ascii(msgspec.json.encode(found).decode())


# --- readings ---


def test_an_unknown_precision_is_read_as_the_coarsest_and_reported() -> None:
    for status in (1, 2, 8):
        found = library(ll2("Falcon 9 | Crew-20", "2026-04-20T10:00:00Z", status=status, precision=99))
        assert found.sightings[0].net is not None
        assert found.sightings[0].net.precision is Precision.DECADE
        assert [(one.field, one.reason) for one in found.rejections] == [("net_precision", "unknown precision 99")]


async def test_an_unknown_status_or_precision_keeps_the_known_value_and_marks_it(scraped: Scraped) -> None:
    (good,) = library(ll2("Falcon 9 | Crew-20", "2026-04-20T10:00:00Z")).sightings
    await scraped.scrape(good)
    before = await scraped.of(good)
    (odd,) = library(ll2("Falcon 9 | Crew-20", "2026-04-20T10:00:00Z", status=99, precision=99)).sightings
    made = await scraped.scrape(odd)
    found = await scraped.of(good)
    assert (found.record.launch.net, found.record.launch.status) == (good.net, LaunchStatus.GO)
    assert set(found.sightings[0].sighting.kept) >= {"net", "status"}
    assert found.history == before.history
    assert "their known values are kept" in made.doubts["launch_library"]
    (moved,) = library(ll2("Falcon 9 | Crew-20", "2026-05-01T10:00:00Z", precision=99)).sightings
    await scraped.scrape(moved)
    net = (await scraped.of(good)).record.launch.net
    assert net is not None
    assert net.precision is Precision.DECADE
    assert (await scraped.scrape(good)).doubts == {}


# --- facts and plans ---


async def test_a_flown_launch_has_date_conflicts_between_facts_alone(scraped: Scraped) -> None:
    flown = sight(GCAT, "Crew-20", "2026-05-02T12:00:00Z", key="g", vehicle="Falcon 9", designator="2026-050")
    stale = sight(
        ROCKETLAUNCH, "Crew-20", at("2026-04-20T12:00:00Z", Precision.MINUTE), key="r", vehicle="Falcon 9", status=None
    )
    await scraped.scrape(flown, stale)
    found = await scraped.of(flown)
    assert {one.sighting.source for one in found.sightings} == {GCAT, ROCKETLAUNCH}
    assert found.conflicts == ()
    other = sight(LL2, "Falcon 9 | Crew-20", "2026-05-02T12:09:00Z", key="u", vehicle="Falcon 9", designator="2026-050")
    await scraped.scrape(other)
    (conflict,) = (await scraped.of(flown)).conflicts
    assert (conflict.kind, set(conflict.values)) == ("net", {GCAT, LL2})


async def test_a_withdrawn_value_is_history_with_its_source_and_the_time(scraped: Scraped) -> None:
    net = at("2026-04-20T10:00:00Z", Precision.MINUTE)
    given = sight(LL2, "Falcon 9 | Crew-20", net, key="u", status=LaunchStatus.GO, orbit="LEO")
    await scraped.scrape(given)
    await scraped.scrape(msgspec.structs.replace(given, orbit=None, net=None))
    history = (await scraped.of(given)).history
    assert {row.field for row in history} == {"net", "net_precision", "orbit"}
    assert {(row.new, row.source, row.seen_at) for row in history} == {(None, LL2, scraped.now)}


# --- ghosts and renames ---


def row(name: str, day: str, key: str) -> Sighting:
    net = at(day, Precision.DAY)
    return sight(WIKIPEDIA, name, net, key=key, vehicle="Falcon 9", status=None, pad="KSC LC-39A")


async def test_a_plan_that_no_source_has_any_longer_is_neither_upcoming_nor_past(scraped: Scraped) -> None:
    kept, gone = row("Crew-20", "2026-06-01T00:00:00Z", "a"), row("Ax-9", "2026-07-01T00:00:00Z", "b")
    await scraped.scrape(kept, gone)
    await scraped.scrape(kept, complete=(WIKIPEDIA,))
    assert (await scraped.names("upcoming"), await scraped.names("past")) == (["Crew-20"], [])
    assert (await scraped.of(gone)).record.launch.name == "Ax-9"
    await scraped.scrape(kept, gone, complete=(WIKIPEDIA,))
    assert await scraped.names("upcoming") == ["Crew-20", "Ax-9"]


async def test_a_row_that_was_renamed_is_the_same_launch_where_all_else_agrees(scraped: Scraped) -> None:
    kept, old = row("Crew-20", "2026-06-01T00:00:00Z", "a"), row("TBD cargo", "2026-07-01T00:00:00Z", "b")
    await scraped.scrape(kept, old)
    launch_id = (await scraped.of(old)).record.launch.id
    new = row("CRS-40", "2026-07-01T00:00:00Z", "c")
    await scraped.scrape(kept, new, complete=(WIKIPEDIA,))
    found = await scraped.of(new)
    assert (found.record.launch.id, found.record.launch.name) == (launch_id, "CRS-40")
    assert [(one.field, one.old, one.new) for one in found.history] == [("name", "TBD cargo", "CRS-40")]
    assert await scraped.names("upcoming") == ["Crew-20", "CRS-40"]


async def test_a_short_list_retires_nothing_and_is_told(scraped: Scraped) -> None:
    many = [row(f"Mission {n}", f"2026-{n // 20 + 1:02}-{n % 20 + 1:02}T00:00:00Z", str(n)) for n in range(100)]
    await scraped.scrape(*many)
    made = await scraped.scrape(*many[:89], complete=(WIKIPEDIA,))
    assert "lacks 11 of 100 known records" in made.doubts[WIKIPEDIA]
    assert all(one.retired_at is None for one in (await scraped.store.stored()).seen.values())
    made = await scraped.scrape(*many[:90], complete=(WIKIPEDIA,))
    assert made.doubts == {}
    assert made.counts(WIKIPEDIA)["retired"] == 10


# --- duplicates ---


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            sight(LL2, "Electron | A", "2026-05-01T12:00:00Z", pad="LC-1A", place="Mahia Peninsula, New Zealand"),
            sight(SPACEX_API, "Other", "2026-05-01T12:00:00Z", vehicle="Electron", place="Wallops Island, Virginia"),
        ),
        (
            sight(SPACEX_API, "Starlink 4-19 (v1.5)", "2022-06-01T17:08:00Z", vehicle="Falcon 9"),
            sight(GCAT, "Starlink Group 4-19", "2022-06-17T16:09:00Z", vehicle="Falcon 9"),
        ),
        (
            sight(LL2, "Falcon 9 | Satria-1", "2023-06-18T22:21:00Z"),
            sight(WIKIPEDIA, "Satria", at("2023-03-01T00:00:00Z", Precision.MONTH), vehicle="Falcon 9", status=None),
        ),
        (
            sight(LL2, "Falcon 9 | Astra 1P/SES-24", "2024-06-20T21:35:00Z"),
            sight(WIKIPEDIA, "Astra 1P", at("2024-05-01T00:00:00Z", Precision.MONTH), vehicle="Falcon 9", status=None),
        ),
    ],
)
async def test_launches_that_are_probably_one_are_listed_with_the_evidence(
    scraped: Scraped, first: Sighting, second: Sighting
) -> None:
    await scraped.scrape(first, second)
    a, b = await scraped.of(first), await scraped.of(second)
    if a.record.launch.id != b.record.launch.id:
        (conflict,) = (one for one in a.conflicts if one.kind == "possible_duplicate")
        assert conflict.other_id in {a.record.launch.id, b.record.launch.id}
        assert conflict.values["evidence"]
