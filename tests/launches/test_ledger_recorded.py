"""The slip ledger and the scorecards on recorded launches: each change has a kind, each score is recounted."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from launchd.clock import DAY, HOUR, Instant, SystemClock, from_datetime, parse_instant
from launchd.db.database import open_database
from launchd.launches.launch import Launch, Net
from launchd.launches.scorecard import HORIZONS, LAUNCHD, LEAST, Score
from launchd.launches.slip_groups import Group
from launchd.launches.slip_ledger import LastRead, Move, MoveKind, classify, reference
from launchd.launches.sources import SOURCES
from tests.launches.test_ledger import Scraped
from tests.support.net_histories import histories
from tests.support.paths import SHARED

CHANGES = SHARED / "sources" / "2026" / "ll2_derived_state_changes"
CAPTURES = SHARED / "sources" / "ll2" / "2.2.0_upcoming_limit5_es_portal"
PERIOD = 12 * HOUR
FINAL, FLOWN = {3, 4, 7}, {3, 4, 6, 7}

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not (CHANGES.is_dir() and CAPTURES.is_dir()), reason="the recorded payloads are not here"),
]


def classified(history: Sequence[tuple[Instant, Launch]]) -> list[tuple[str, Launch, Launch, Move]]:
    """The moves of one launch with the day on which each was seen."""
    found = list[tuple[str, Launch, Launch, Move]]()
    own = list[tuple[Net | None, Net | None]]()
    for (_, before), (seen, after) in pairwise(history):
        move = classify(before, after, LastRead(seen), reference=reference(own, before.net))
        assert (move is None) is (before.net == after.net)
        if move is not None:
            own.append((before.net, after.net))
            day = datetime.fromtimestamp(seen / 1e6, UTC).date().isoformat()
            found.append((day, before, after, move))
    return found


def test_every_recorded_change_has_a_kind_in_plausible_numbers() -> None:
    moves = [(move, before, after) for one in histories(CHANGES) for _, before, after, move in classified(one)]
    kinds = Counter(move.kind for move, _, _ in moves)
    assert sum(kinds.values()) > 600
    assert min(kinds[kind] for kind in MoveKind) >= 10, kinds
    # most changes are small slips and dates that become exact; dates that are lost or pulled in are the exception
    assert kinds[MoveKind.SLIP] > kinds[MoveKind.FIRMED] > kinds[MoveKind.SCRUB] > kinds[MoveKind.PULL_IN]
    for move, before, after in moves:
        if move.kind is MoveKind.SCRUB and move.counts:
            assert 12 * HOUR <= move.size < 60 * DAY, (before.name, after.net)
        if move.kind is MoveKind.PLACEHOLDER:
            assert before.net is not None
            assert before.net.precision in {"month", "quarter", "half", "year"}
            assert before.status == "tbd"


@pytest.mark.parametrize(
    ("name", "day", "wanted"),
    [
        ("Spectrum | Onward and Upward", "2026-03-25", MoveKind.SCRUB),  # called off, without a new date
        ("Starship | Flight 13", "2026-07-17", MoveKind.SCRUB),
        ("Atlas V 551 | Amazon Leo (LA-04)", "2025-12-14", MoveKind.SCRUB),
        ("Falcon 9 Block 5 | Globalstar 2-R", "2026-05-15", MoveKind.LOOSENED),  # five days before: no countdown yet
        ("New Glenn | BlueBird Block 2 #2", "2026-03-27", MoveKind.PLACEHOLDER),
        ("SLS Block 1 | Artemis II", "2026-02-06", MoveKind.PULL_IN),
    ],
)
def test_a_launch_of_which_we_know_what_happened_has_that_kind(name: str, day: str, wanted: MoveKind) -> None:
    found = [
        move.kind
        for one in histories(CHANGES)
        for seen, before, _, move in classified(one)
        if before.name.startswith(name) and seen == day
    ]
    assert wanted in found, found


# --- the captures of 2025, as a cron job would have scraped them ---


async def replayed(
    directory: Path,
) -> tuple[Mapping[str, Sequence[Score]], Mapping[str, Sequence[Score]], Counter[str]]:
    """The scores by source and by provider after the replay, and the kinds of all moves."""
    async with open_database(directory / "launches.db", "launches", SystemClock()) as db:
        scraped = Scraped(db, PERIOD)
        for path in sorted(CAPTURES.glob("*.json")):
            parsed = SOURCES["launch_library"].parse([path.read_bytes()])
            assert not parsed.rejections
            await scraped.scrape(taken(path), *parsed.sightings)
            await scraped.read("launch_library", taken(path))
        kinds = Counter(
            {row["kind"]: row["n"] for row in await db.read("SELECT kind, count(*) AS n FROM net_moves GROUP BY kind")}
        )
        sources = {one.name: one.scores for one in await scraped.store.scorecards(None, None)}
        providers = {one.name: one.scores for one in await scraped.store.scorecards(Group.PROVIDERS, LAUNCHD)}
        return sources, providers, kinds


def taken(path: Path) -> Instant:
    return from_datetime(datetime.strptime(path.stem, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC))


def interval(record: Mapping[str, Any]) -> tuple[Instant, Instant]:
    """The first and the last instant of a NET, by the raw JSON alone."""
    net, word = datetime.fromisoformat(record["net"]), record["net_precision"]["abbrev"]
    if word in {"SEC", "MIN", "HR"}:
        length = {"SEC": timedelta(seconds=1), "MIN": timedelta(minutes=1), "HR": timedelta(hours=1)}[word]
        return from_datetime(net), from_datetime(net + length) - 1
    start = net.replace(hour=0, minute=0, second=0)
    if word == "DAY":
        return from_datetime(start), from_datetime(start + timedelta(days=1)) - 1
    months = {"M": 1, "Q": 3, "H": 6, "Y": 12}[word[0]]
    first = start.month - 1 - (start.month - 1) % months
    year, month = start.year + (first + months) // 12, (first + months) % 12 + 1
    return from_datetime(start.replace(month=first + 1, day=1)), from_datetime(
        start.replace(year=year, month=month, day=1)
    ) - 1


def recounted() -> dict[str, list[int]]:
    """The errors at each horizon by the raw captures: for each horizon the whole list of captures is searched again."""
    paths = sorted(CAPTURES.glob("*.json"))
    looks = [taken(path) for path in paths]
    seen: dict[str, list[tuple[Instant, Mapping[str, Any]]]] = defaultdict(list)
    for path in paths:
        for record in json.loads(path.read_bytes())["results"]:
            seen[record["id"]].append((taken(path), record))
    errors: dict[str, list[int]] = {horizon: [] for horizon in HORIZONS}
    for records in seen.values():
        last, first = records[-1][1], records[0][1]
        if (
            last["status"]["id"] not in FINAL
            or first["status"]["id"] in FLOWN
            or last["net_precision"]["abbrev"] not in {"SEC", "MIN"}
        ):
            continue
        begin, end = interval(last)
        for horizon, before in HORIZONS.items():
            at = begin - before
            held = [interval(one) for when, one in records if when <= at]
            if not held:
                continue
            earliest, latest = held[-1]
            changed = next((when for when, one in records if when > at and interval(one) != held[-1]), None)
            if changed is not None:
                previous = max(look for look in looks if look < changed)
                if changed - previous > 2 * PERIOD and previous < at:
                    continue
            errors[horizon].append(begin - latest if begin > latest else min(end - earliest, 0))
    return errors


async def test_the_scores_of_the_replayed_captures_are_those_recounted_from_the_raw_payloads(tmp_path: Path) -> None:
    sources, providers, kinds = await replayed(tmp_path)
    errors = recounted()
    assert {score.horizon: score.n for score in sources["launch_library"]} == {
        one: len(of) for one, of in errors.items()
    }
    assert max(map(len, errors.values())) >= LEAST
    for score in sources["launch_library"]:
        of = sorted(errors[score.horizon])
        if len(of) < LEAST:
            assert (score.median, score.low, score.high, score.within) == (None, None, None, None)
            continue
        ranks = [of[math.ceil(share * len(of)) - 1] for share in (0.1, 0.5, 0.9)]
        assert [score.low, score.median, score.high] == ranks
        assert score.within == pytest.approx(of.count(0) / len(of))
    # only one source was read, so launchd served what that source stated
    assert sources[LAUNCHD] == sources["launch_library"]
    assert sum(scores[2].n for scores in providers.values()) == sources[LAUNCHD][2].n
    assert kinds["scrub"] > 0 < kinds["slip"]


def test_the_intervals_of_the_recount_are_right() -> None:
    one = {"net": "2025-06-30T00:00:00Z", "net_precision": {"abbrev": "Q2"}}
    assert interval(one) == (parse_instant("2025-04-01T00:00:00Z"), parse_instant("2025-07-01T00:00:00Z") - 1)
    one = {"net": "2025-12-31T00:00:00Z", "net_precision": {"abbrev": "M"}}
    assert interval(one) == (parse_instant("2025-12-01T00:00:00Z"), parse_instant("2026-01-01T00:00:00Z") - 1)
