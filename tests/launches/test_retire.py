"""Scrapes through the real store: the order of sources, repeats, missing records, renames, merges and splits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.launches.ingest import IngestPlan, plan
from launchd.launches.launch import Launch, LaunchStatus, Precision, Sighting
from launchd.launches.retire import FEW
from launchd.launches.sources import SOURCES
from launchd.launches.store import Detail, LaunchStore
from tests.support.payloads import FLOWN_ROW, LIST_ROW, gcat, gcat_list
from tests.support.sightings import (
    AGREEING,
    CONTRADICTING,
    LIBRARY,
    LL2,
    PRIORITIES,
    ROCKETLAUNCH,
    VAGUE,
    WIKIPEDIA,
    at,
    by_source,
    sight,
    worlds,
)
from tests.support.wikipedia_pages import AMOS_6, CRS_1, past

# Each example opens databases and syncs them to disk.
FEWER = settings(max_examples=15, deadline=None)


class Scraped:
    """A store that scrapes write to; ids are counted, so a younger one is larger."""

    def __init__(self, store: LaunchStore) -> None:
        self.store = store
        self._ids = count(1)
        self._now = count(1)

    async def scrape(self, *sightings: Sighting, now: int | None = None, complete: Sequence[str] = ()) -> IngestPlan:
        at_ = next(self._now) if now is None else now
        stored = await self.store.stored()
        made = plan(stored, sightings, PRIORITIES, at_, lambda: f"{next(self._ids):04d}", complete=complete)
        await self.store.apply(made, None, at_)
        return made

    def written(self) -> int:
        """The number of rows that were ever changed, by SQLite's own count."""
        return self.store._db._writer._connection.total_changes

    async def launch_of(self, sighting: Sighting) -> Detail:
        seen = (await self.store.stored()).seen[sighting.source, sighting.source_id]
        return await self.store.get(seen.launch_id)

    async def records(self) -> list[dict[str, Any]]:
        """The launches without their ids, and which sightings each has."""
        stored = await self.store.stored()
        found = []
        for launch in stored.launches.values():
            members = sorted(str(one) for one, seen in stored.seen.items() if seen.launch_id == launch.id)
            found.append({"members": members} | {field: getattr(launch, field) for field in FIELDS})
        return sorted(found, key=lambda one: str(one["members"]))


FIELDS = tuple(field for field in Launch.__struct_fields__ if field != "id")


@asynccontextmanager
async def scraped(directory: Path) -> AsyncIterator[Scraped]:
    async with open_database(directory / "launches.db", "launches", SystemClock()) as db:
        yield Scraped(LaunchStore(db))


# --- properties ---


@FEWER
@given(worlds())
def test_the_order_of_sources_changes_no_stored_row(sightings: list[Sighting]) -> None:
    async def check() -> None:
        found = []
        for order in list(permutations(by_source(sightings)))[:4]:
            with TemporaryDirectory() as place:
                async with scraped(Path(place)) as one:
                    for batch in order:
                        await one.scrape(*batch, now=1)
                    found.append(await one.records())
        assert all(records == found[0] for records in found)

    asyncio.run(check())


@FEWER
@given(worlds(), worlds(), st.booleans())
def test_scraping_the_same_sightings_twice_writes_no_row(
    first: list[Sighting], second: list[Sighting], everything: bool
) -> None:
    complete = {one.source for one in second} if everything else set[str]()

    async def check() -> None:
        with TemporaryDirectory() as place:
            async with scraped(Path(place)) as one:
                await one.scrape(*first)
                await one.scrape(*second, complete=sorted(complete))
                before, written = await one.store.stored(), one.written()
                await one.scrape(*second, complete=sorted(complete))
                assert one.written() == written
                assert await one.store.stored() == before

    asyncio.run(check())


@FEWER
@given(st.lists(st.tuples(worlds(), st.booleans()), min_size=2, max_size=5))
def test_every_id_ever_served_still_answers_and_no_record_is_lost_whatever_is_merged_split_or_retired(
    scrapes: list[tuple[list[Sighting], bool]],
) -> None:
    async def check() -> None:
        with TemporaryDirectory() as place:
            async with scraped(Path(place)) as one:
                served, sent = set[str](), set[tuple[str, str]]()
                for sightings, everything in scrapes:
                    await one.scrape(*sightings, complete=sorted({s.source for s in sightings} if everything else ()))
                    sent |= {(sighting.source, sighting.source_id) for sighting in sightings}
                    stored = await one.store.stored()
                    served |= set(stored.launches)
                    found = {launch_id: await one.store.get(launch_id) for launch_id in served}
                    assert {detail.record.launch.id for detail in found.values()} == set(stored.launches)
                    assert set(stored.seen) == sent
                    for launch_id in stored.launches:
                        assert found[launch_id].record.launch.id == launch_id
                        matched = [seen for seen in found[launch_id].sightings if seen.retired_at is None]
                        assert len({seen.sighting.source for seen in matched}) == len(matched)
                        assert found[launch_id].sightings

    asyncio.run(check())


@FEWER
@given(worlds(), st.data())
def test_records_that_a_source_no_longer_sends_keep_their_launch_and_its_history(
    sightings: list[Sighting], data: st.DataObject
) -> None:
    kept = data.draw(st.lists(st.sampled_from(sightings), unique_by=id)) if sightings else []

    async def check() -> None:
        with TemporaryDirectory() as place:
            async with scraped(Path(place)) as one:
                await one.scrape(*sightings)
                renamed = [msgspec.structs.replace(sighting, orbit="LEO") for sighting in sightings]
                await one.scrape(*renamed)
                before, records = await one.store.stored(), await one.records()
                history = {launch: (await one.store.get(launch)).history for launch in before.launches}
                await one.scrape(*[renamed[sightings.index(sighting)] for sighting in kept])
                assert await one.records() == records
                await one.scrape(complete=sorted({sighting.source for sighting in sightings}))
                assert await one.records() == records
                assert {launch: (await one.store.get(launch)).history for launch in before.launches} == history

    asyncio.run(check())


# --- a list that is complete ---

EVENING = at("2026-05-01T12:00:00Z", Precision.MINUTE)
FALCON: dict[str, Any] = {"vehicle": "Falcon 9", "status": LaunchStatus.GO}
OLD = sight(WIKIPEDIA, "Starlink Group 10-5", EVENING, key="starlink", **FALCON)
NEW = sight(WIKIPEDIA, "Starlink Group 10-5", EVENING, key="starlink-10-5", **FALCON)
OTHER = sight(WIKIPEDIA, "Crew-20", at("2026-08-01T12:00:00Z", Precision.MINUTE), key="crew-20", **FALCON)


def keys(detail: Detail) -> list[tuple[str, bool]]:
    return [(seen.sighting.source_id, seen.retired_at is None) for seen in detail.sightings]


async def test_a_renamed_row_of_a_complete_list_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async with scraped(tmp_path) as one:
        await one.scrape(OLD, OTHER, LIBRARY)
        launch_id = (await one.launch_of(LIBRARY)).record.launch.id
        await one.scrape(NEW, OTHER)
        assert (await one.launch_of(NEW)).record.launch.id != launch_id  # the list was not given as complete
        await one.scrape(NEW, OTHER, complete=[WIKIPEDIA])
        found = await one.launch_of(NEW)
        assert found.record.launch.id == launch_id
        assert keys(found) == [("uuid", True), ("starlink", False), ("starlink-10-5", True)]
        assert (await one.launch_of(OTHER)).record.launch.id != launch_id


async def test_a_launch_keeps_its_id_when_the_record_that_founded_it_is_retired_and_when_it_comes_back(
    tmp_path: Path,
) -> None:
    async with scraped(tmp_path) as one:
        await one.scrape(OLD)
        await one.scrape(LIBRARY)
        await one.scrape(OTHER)
        (launch_id,) = {(await one.launch_of(each)).record.launch.id for each in (OLD, LIBRARY)}
        await one.scrape(OTHER, complete=[WIKIPEDIA])
        found = await one.launch_of(LIBRARY)
        assert (found.record.launch.id, found.record.launch.sources) == (launch_id, (LL2,))
        await one.scrape(OLD, OTHER, complete=[WIKIPEDIA])
        found = await one.launch_of(LIBRARY)
        assert (found.record.launch.id, found.record.launch.sources) == (launch_id, (LL2, WIKIPEDIA))
        assert await one.launch_of(OLD) == found


async def test_a_launch_that_was_merged_keeps_its_id_when_the_record_that_gave_it_is_retired(tmp_path: Path) -> None:
    async with scraped(tmp_path) as one:
        await one.scrape(NEW)
        await one.scrape(VAGUE)
        assert (await one.scrape(AGREEING)).merged == (("0002", "0001"),)
        made = await one.scrape(complete=[WIKIPEDIA])
        assert (made.merged, made.revived) == ((), ())
        found = await one.launch_of(AGREEING)
        assert (found.record.launch.id, keys(found)) == ("0001", [("r1", True), ("starlink-10-5", False)])
        assert await one.store.get("0002") == found


async def test_a_launch_without_any_record_left_stays_and_is_the_same_when_one_comes_back(tmp_path: Path) -> None:
    async with scraped(tmp_path) as one:
        await one.scrape(OLD, OTHER)
        before = await one.launch_of(OLD)
        await one.scrape(OTHER, complete=[WIKIPEDIA])
        found = await one.launch_of(OLD)
        assert (found.record, keys(found)) == (before.record, [("starlink", False)])
        await one.scrape(OLD, OTHER, complete=[WIKIPEDIA])
        assert keys(await one.launch_of(OLD)) == [("starlink", True)]
        assert (await one.launch_of(OLD)).record.launch.id == before.record.launch.id


async def test_a_list_that_has_lost_most_of_its_records_counts_as_incomplete(tmp_path: Path) -> None:
    many = [
        sight(WIKIPEDIA, f"Mission {number}", at(f"2026-{number % 12 + 1:02}-01T00:00:00Z"), key=str(number))
        for number in range(2 * FEW + 4)
    ]
    async with scraped(tmp_path) as one:
        await one.scrape(*many)
        await one.scrape(*many[: FEW - 1], complete=[WIKIPEDIA])
        assert all(seen.retired_at is None for seen in (await one.store.stored()).seen.values())
        await one.scrape(*many[: FEW + 4], complete=[WIKIPEDIA])
        retired = [one for one, seen in (await one.store.stored()).seen.items() if seen.retired_at is not None]
        assert len(retired) == FEW


async def test_retired_records_go_with_their_launch_into_a_merge(tmp_path: Path) -> None:
    row = sight(WIKIPEDIA, "Starlink", VAGUE.net, key="w", **FALCON)
    async with scraped(tmp_path) as one:
        await one.scrape(LIBRARY)
        await one.scrape(VAGUE, row)
        assert (await one.launch_of(row)).record.launch.id == (await one.launch_of(VAGUE)).record.launch.id
        await one.scrape(complete=[WIKIPEDIA])
        assert (await one.scrape(AGREEING)).merged == (("0002", "0001"),)
        assert [found for found in keys(await one.store.get("0001")) if not found[1]] == [("w", False)]
        assert (await one.scrape(CONTRADICTING)).revived == ("0002",)


@pytest.mark.parametrize(
    ("source", "whole", "part"),
    [
        ("gcat", [gcat(FLOWN_ROW), gcat_list(LIST_ROW)], [gcat(FLOWN_ROW)]),
        (
            "gcat",
            [gcat(FLOWN_ROW), gcat_list(LIST_ROW)],
            [gcat(FLOWN_ROW), gcat_list(LIST_ROW), b"<html>"],
        ),
        ("wikipedia", [past(CRS_1), past(AMOS_6)], [past(CRS_1), b"<html>"]),
        ("wikipedia", [past(CRS_1)], [past(CRS_1), past(AMOS_6).replace(b"Payload<", b"Cargo<")]),
    ],
)
def test_a_list_is_complete_only_if_all_of_it_could_be_read(source: str, whole: list[bytes], part: list[bytes]) -> None:
    assert SOURCES[source].parse(whole).complete
    assert not SOURCES[source].parse(part).complete


def test_the_lists_of_upcoming_launches_are_never_complete() -> None:
    """A launch that is missing from them has flown, or is no longer among the next."""
    assert ROCKETLAUNCH in SOURCES
    for source in ("launch_library", "rocketlaunch", "spacex", "nasa"):
        assert not SOURCES[source].parse([]).complete
