"""The slip ledger and the stated NETs in SQLite: what each scrape writes, merges and splits, and changes found late."""

import re
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from launchd import sql
from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant, SystemClock, parse_instant
from launchd.db.database import Database, open_database
from launchd.launches.ingest import plan
from launchd.launches.launch import LaunchStatus, Net, Precision, Sighting
from launchd.launches.override import Override
from launchd.launches.scorecard import HORIZONS, LAUNCHD, LEAST, Score
from launchd.launches.slip_groups import Group
from launchd.launches.source_store import FetchAttempt, SourceStore, Traffic
from launchd.launches.store import LaunchStore, Ledger
from tests.support.sightings import (
    AGREEING,
    CONTRADICTING,
    LIBRARY,
    LL2,
    PRIORITIES,
    ROCKETLAUNCH,
    UPCOMING,
    VAGUE,
    WIKIPEDIA,
    at,
    sight,
)

_STATEMENTS = sql.statements("launches", "ledger")["statements"]
T0 = parse_instant("2026-05-20T10:00:00Z")
GO = LaunchStatus.GO


class Scraped:
    """A store on SQLite that scrapes sightings, each source once in a period."""

    def __init__(self, db: Database, period: Instant = HOUR) -> None:
        self.db = db
        self.period = period
        self.store = LaunchStore(db)
        self.sources = SourceStore(db)
        self._ids = (f"{number:04d}" for number in count(1))

    async def scrape(self, now: Instant, *sightings: Sighting, complete: Sequence[str] = ()) -> None:
        stored = await self.store.stored()
        made = plan(stored, sightings, PRIORITIES, now, lambda: next(self._ids), complete=complete)
        periods = dict.fromkeys({one.source for one in sightings}, self.period)
        await self.store.apply(made, None, now, periods)
        for source in periods:
            await self.read(source, now)

    async def read(self, source: str, now: Instant) -> None:
        """The source was read without any news until now."""
        await self.sources.unchanged(FetchAttempt(source, now, Traffic()))

    async def ledger(self, launch_id: str = "0001") -> Ledger:
        return await self.store.ledger_of(launch_id)

    async def kinds(self, launch_id: str = "0001") -> list[str]:
        return [row.kind for row in (await self.ledger(launch_id)).rows]

    async def stated(self, source: str) -> list[tuple[Any, ...]]:
        rows = await self.db.read("SELECT seen_at, away_since, precision FROM stated_nets WHERE source = ?", (source,))
        return [tuple(row) for row in rows]


@pytest.fixture
async def scraped(tmp_path: Path) -> AsyncIterator[Scraped]:
    async with open_database(tmp_path / "launches.db", "launches", SystemClock()) as db:
        yield Scraped(db)


def planned(net: Net | None, status: str = "go", key: str = "uuid", **more: Any) -> Sighting:  # noqa: ANN401 - fields
    return sight(LL2, "Falcon 9 | Crew-20", net, key=key, status=LaunchStatus(status), provider="SpaceX", **more)


def minute(instant: Instant) -> Net:
    return Net(instant, instant + MINUTE - 1, Precision.MINUTE)


async def test_each_change_of_the_net_is_a_row_with_both_intervals_and_the_sentence_sums_them_up(
    scraped: Scraped,
) -> None:
    month = at("2026-05-01T00:00:00Z", Precision.MONTH)
    nets = [(month, "tbd"), (minute(T0), "go"), (minute(T0 + 2 * DAY), "go"), (minute(T0 + 2 * DAY - HOUR), "go")]
    for step, (net, status) in enumerate(nets):
        await scraped.scrape(T0 - 10 * DAY + step * HOUR, planned(net, status))
    found = await scraped.ledger()
    assert [(row.kind, row.old, row.new) for row in found.rows] == [
        ("firmed", month, minute(T0)),
        ("slip", minute(T0), minute(T0 + 2 * DAY)),
        ("pull_in", minute(T0 + 2 * DAY), minute(T0 + 2 * DAY - HOUR)),
    ]
    assert [row.size for row in found.rows] == [0, 2 * DAY, -HOUR]
    assert found.slips.sentence() == "slipped once, 2 days"
    detail = await scraped.store.get("0001")
    assert (detail.slips, await scraped.store.slips_of([detail.record])) == (found.slips, (found.slips,))
    assert found.slips.earlier == 1


async def test_a_change_after_an_absence_is_found_late_and_others_are_seen_live(scraped: Scraped) -> None:
    for now, days in ((0, 0), (HOUR, 1), (3 * HOUR, 2), (9 * HOUR, 3)):
        await scraped.scrape(now, planned(minute(T0 + days * DAY)))
    found = await scraped.ledger()
    assert [(row.seen_at, row.last_look, row.late) for row in found.rows] == [
        (HOUR, 0, False),
        (3 * HOUR, HOUR, False),
        (9 * HOUR, 3 * HOUR, True),
    ]
    expected = [(0, None, "minute"), (HOUR, None, "minute"), (3 * HOUR, None, "minute"), (9 * HOUR, 3 * HOUR, "minute")]
    assert await scraped.stated(LL2) == expected
    assert await scraped.stated(LAUNCHD) == expected


async def test_a_change_that_another_source_caused_is_as_late_as_that_source(scraped: Scraped) -> None:
    second = sight(ROCKETLAUNCH, "Crew-20", minute(T0), key="r1", provider="SpaceX", vehicle="Falcon 9", status=GO)
    vague = at("2026-05-20T00:00:00Z", Precision.DAY)
    await scraped.scrape(T0 - 9 * DAY, planned(minute(T0 + DAY)))
    await scraped.scrape(T0 - 9 * DAY, second)
    await scraped.read(LL2, T0 - DAY)
    await scraped.scrape(T0 - DAY + 1, planned(vague))  # now the other source has the finest NET that agrees
    (row, *_) = (await scraped.ledger()).rows[-1:]
    assert (row.source, row.new, row.late) == (ROCKETLAUNCH, minute(T0), False)


async def test_the_same_sightings_again_write_no_row(scraped: Scraped) -> None:
    await scraped.scrape(0, planned(minute(T0)), VAGUE)
    await scraped.scrape(1, planned(minute(T0 + DAY)), VAGUE)
    before = [await scraped.kinds(), await scraped.stated(LL2), await scraped.stated(LAUNCHD)]
    written = scraped.db._writer._connection.total_changes
    made = plan(await scraped.store.stored(), [planned(minute(T0 + DAY)), VAGUE], PRIORITIES, 2, lambda: "x")
    await scraped.store.apply(made, None, 2)
    assert scraped.db._writer._connection.total_changes == written
    assert [await scraped.kinds(), await scraped.stated(LL2), await scraped.stated(LAUNCHD)] == before


async def test_a_record_that_changes_in_other_fields_writes_no_row_of_a_net(scraped: Scraped) -> None:
    await scraped.scrape(0, planned(minute(T0)))
    await scraped.scrape(1, planned(minute(T0), mission="Crew-20"))
    assert await scraped.kinds() == []
    assert len(await scraped.stated(LL2)) == len(await scraped.stated(LAUNCHD)) == 1


async def test_an_override_of_the_net_is_a_row_of_the_operator(scraped: Scraped) -> None:
    await scraped.scrape(0, planned(minute(T0)))
    later = minute(T0 + DAY)
    await scraped.store.override("0001", [Override("net", later, "me", None, 5)], 5)
    await scraped.scrape(6, planned(minute(T0 + 9 * DAY)))
    await scraped.store.take_back("0001", ["net"], 7)
    rows = (await scraped.ledger()).rows
    assert [(row.source, row.kind, row.new) for row in rows] == [
        ("override", "slip", later),
        (LL2, "slip", minute(T0 + 9 * DAY)),
    ]


async def test_rows_of_a_merged_launch_are_shown_without_counting_and_return_with_a_split(scraped: Scraped) -> None:
    later = sight(ROCKETLAUNCH, "Starlink", at("2026-05-02T19:00:00Z", Precision.MINUTE), key="r1", **UPCOMING)
    for now, one in enumerate([LIBRARY, VAGUE, later, AGREEING]):
        await scraped.scrape(now, one)
    merged = await scraped.ledger("0002")
    assert merged.launch.id == "0001"
    assert [(row.kind, row.counts, row.merged_from) for row in merged.rows] == [("slip", False, "0002")]
    assert merged.slips.sentence() == "has not slipped"
    await scraped.scrape(9, CONTRADICTING)
    assert [(row.counts, row.merged_from) for row in (await scraped.ledger("0002")).rows] == [(True, None)]
    assert await scraped.kinds("0001") == []


async def test_a_net_that_changes_because_records_were_regrouped_is_a_correction(scraped: Scraped) -> None:
    second = at("2026-05-01T12:00:20Z", Precision.SECOND)
    exact = sight(ROCKETLAUNCH, "Starlink (10-5)", second, key="r1", **UPCOMING)
    other = sight(ROCKETLAUNCH, "Starlink", at("2026-05-02T18:00:00Z", Precision.MINUTE), key="r1", **UPCOMING)
    await scraped.scrape(0, LIBRARY)
    await scraped.scrape(1, other)
    await scraped.scrape(2, exact)
    assert (await scraped.store.get("0002")).record.launch.id == "0001"
    rows = [row for row in (await scraped.ledger()).rows if row.merged_from is None]
    assert [(row.kind, row.new) for row in rows] == [("corrected", second)]


async def test_a_record_that_had_flown_when_it_was_first_seen_has_stated_nothing(scraped: Scraped) -> None:
    await scraped.scrape(0, planned(minute(T0), "success"))
    assert (await scraped.stated(LL2), await scraped.stated(LAUNCHD)) == ([], [])


async def fly(scraped: Scraped, number: int, *, hours: int = 2, away: bool = False) -> None:
    """A launch that LL2 states a day and a half before for T0, and that lifts off some hours later."""
    when = T0 + 30 * number * DAY
    key, pad = f"uuid-{number}", f"pad {number}"
    name = f"Falcon 9 | Flight {number}"

    def one(net: Net, status: str) -> Sighting:
        fields = {"key": key, "pad": pad, "provider": "SpaceX", "status": LaunchStatus(status)}
        return sight(LL2, name, net, **fields)

    await scraped.scrape(when - 36 * HOUR, one(minute(when), "go"))
    lift_off = when + hours * HOUR
    if not away:
        await scraped.read(LL2, lift_off - 2 * HOUR)
        await scraped.scrape(lift_off - 90 * MINUTE, one(minute(lift_off), "go"))
        await scraped.read(LL2, lift_off)
    await scraped.scrape(lift_off + HOUR, one(Net(lift_off, lift_off + SECOND - 1, Precision.SECOND), "success"))


async def test_a_scorecard_needs_thirty_launches_and_counts_what_was_stated_at_each_horizon(scraped: Scraped) -> None:
    for number in range(LEAST - 1):
        await fly(scraped, number, hours=2 if number % 2 else 3)
    (card,) = await scraped.store.scorecards(None, LL2)
    by = {score.horizon: score for score in card.scores}
    assert (card.name, list(by)) == (LL2, list(HORIZONS))
    assert by["1d"] == Score("1d", 29, reason="cannot tell from 29: a score needs 30 launches")
    assert (by["30d"].n, by["7d"].n) == (0, 0)
    await fly(scraped, LEAST, hours=-1)
    (card,) = await scraped.store.scorecards(None, LL2)
    by = {score.horizon: score for score in card.scores}
    two, three = 2 * HOUR - MINUTE + 1, 3 * HOUR - MINUTE + 1
    assert by["1d"] == Score("1d", 30, median=two, low=two, high=three, within=0.0)
    assert by["1h"] == Score("1h", 30, median=0, low=0, high=0, within=1.0)
    (same,) = await scraped.store.scorecards(Group.PROVIDERS, LAUNCHD)
    assert (same.name, same.scores) == ("SpaceX", card.scores)
    (family,) = await scraped.store.scorecards(Group.VEHICLES, LL2)
    assert (family.name, family.scores) == ("Falcon 9", card.scores)


async def test_what_was_stated_while_nobody_read_the_source_is_not_scored(scraped: Scraped) -> None:
    await fly(scraped, 0, away=True)
    assert await scraped.store.scorecards(None, LL2) == ()


async def test_the_records_of_a_source_that_names_a_launch_anew_are_one_history(scraped: Scraped) -> None:
    first, second = at("2026-05-19T00:00:00Z", Precision.DAY), at("2026-05-20T00:00:00Z", Precision.DAY)
    fields = {"status": LaunchStatus.GO, "vehicle": "Falcon 9", "pad": "SLC-40", "provider": "SpaceX"}
    lists = [
        (40, sight(WIKIPEDIA, "Crew-20", first, key="a", **fields)),
        (5, sight(WIKIPEDIA, "Crew-20", second, **fields)),
    ]
    for days, listed in lists:
        now = T0 - days * DAY
        await scraped.scrape(now, planned(minute(T0), pad="SLC-40"))
        await scraped.read(WIKIPEDIA, now - 1)
        await scraped.scrape(now, listed, complete=[WIKIPEDIA])
    await scraped.read(LL2, T0)
    await scraped.scrape(T0 + HOUR, planned(at("2026-05-20T10:00:00Z"), "success", pad="SLC-40"))
    cards = {card.name: [score.n for score in card.scores] for card in await scraped.store.scorecards(None, None)}
    assert cards == {LL2: [1, 1, 1, 1], WIKIPEDIA: [1, 1, 1, 1], LAUNCHD: [1, 1, 1, 1]}
    rows = await scraped.db.read(_STATEMENTS, {"source": WIKIPEDIA})
    assert [(row["seen_at"], row["earliest"]) for row in rows] == [
        (T0 - 40 * DAY, first.earliest),
        (T0 - 5 * DAY, second.earliest),
    ]


async def test_slips_are_summed_by_provider_and_by_vehicle_family(scraped: Scraped) -> None:
    for number in range(2):
        await fly(scraped, number)
    (found,) = await scraped.store.slips_by(Group.PROVIDERS)
    assert (found.name, found.launches, found.slipped, found.later) == ("SpaceX", 2, 2, 2)
    assert found.total == 4 * HOUR
    (family,) = await scraped.store.slips_by(Group.VEHICLES)
    assert (family.name, family[1:]) == ("Falcon 9", found[1:])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("own_moves", ["SEARCH net_moves USING INDEX net_moves_by_origin (origin_id=?)"]),
        ("moves_of", ["SEARCH net_moves USING INDEX net_moves_by_launch (launch_id=?)"]),
        ("slips_of", ["SEARCH net_moves USING INDEX net_moves_by_launch (launch_id=?)"]),
        ("return_moves", ["SEARCH net_moves USING INDEX net_moves_by_origin (origin_id=?)"]),
        ("state_net", ["SEARCH stated_nets USING PRIMARY KEY (source=? AND source_id=?)"]),
        ("statements", ["SCAN s", "SEARCH g USING PRIMARY KEY (source=? AND source_id=?) LEFT-JOIN"]),
    ],
)
async def test_a_statement_of_the_ledger_finds_its_rows_by_an_index(
    scraped: Scraped, name: str, wanted: list[str]
) -> None:
    statement = sql.statements("launches", "ledger")[name]
    values: Any = dict.fromkeys(re.findall(r":(\w+)", statement), 1) or [1] * statement.count("?")
    steps = [row["detail"] for row in await scraped.db.read(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert set(wanted) <= set(steps), steps
    assert not [one for one in steps if re.match(r"SCAN (net_moves|l|g)\b", one)], steps
