"""One pull of one source: the result of each kind of answer, and the state that it leaves."""

import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from launchd.clock import HOUR, SECOND, SystemClock
from launchd.config import SourceConfig
from launchd.db.database import Database, open_database
from launchd.errors import SourceError
from launchd.launches.circuit import THRESHOLD, Circuit
from launchd.launches.fetch.client import Identity
from launchd.launches.launch import Parsed, Rejection, Sighting
from launchd.launches.scrape import (
    NotPulled,
    Pulled,
    PullOutcome,
    PullTrouble,
    Scrape,
    left_alone,
    reading_of,
    replayed,
    trouble_of,
    worth_keeping,
)
from launchd.launches.settings import source_settings
from launchd.launches.source_store import FetchAttempt, SourceStore, StoredPayload, Traffic
from launchd.launches.sources import SOURCES
from launchd.launches.sources.source import Client, Payload, RateLimitedError, Source
from tests.support.replay_server import Replay, replaying

NOW = 1_800_000_000 * SECOND
CLOCK = SystemClock()
OPEN = Circuit(THRESHOLD, NOW + HOUR)
NAMES = ("one", "other")


async def pull(client: Client) -> list[Payload]:
    return [payload for name in NAMES if (payload := await client.get(name)) is not None]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """One sighting for each payload, with the payload as its key and name."""
    sightings = tuple(Sighting(source="gcat", source_id=body.decode(), name=body.decode()) for body in payloads)
    return Parsed(sightings, rows=len(sightings))


def refused(_payloads: Sequence[bytes]) -> Parsed:
    return Parsed((), (Rejection(source="gcat", record="row 1", field=None, reason="it has no name"),), rows=1)


def broken(_payloads: Sequence[bytes]) -> Parsed:
    raise KeyError("Launch_Tag")


# a source of two pages under a known name
TWO_PAGES = replace(SOURCES["gcat"], pull=pull, parse=parse)


class Bench:
    """A source on a replay server, and the store of its state."""

    def __init__(self, replay: Replay, db: Database) -> None:
        self.replay = replay
        self.store = SourceStore(db)

    async def pull(
        self, source: Source = TWO_PAGES, *, force: bool = False, rate: str = "1000/s"
    ) -> Pulled | NotPulled:
        config = {"gcat": SourceConfig(base_url=self.replay.url, rate=rate)}
        settings = source_settings(config, Identity(), CLOCK, {})
        return await Scrape(source, settings["gcat"], self.store, CLOCK).run(force=force)

    async def stored_pull(self) -> Pulled:
        """A pull whose sightings were stored, so that the next one is conditional on it."""
        result = await self.pull()
        assert isinstance(result, Pulled)
        await self.store.succeeded(result.attempt, TWO_PAGES.revision, result.pages, (2, 0))
        return result

    def asked(self) -> list[tuple[str, int]]:
        """The requests since the last call: path and status."""
        found = list(self.replay.requests)
        self.replay.requests.clear()
        return found


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with replaying() as replay, open_database(tmp_path / "launches.db", "launches", CLOCK) as db:
        replay.bodies = {"/one": b"first", "/other": b"second"}
        yield Bench(replay, db)


def sighted(result: Pulled | NotPulled) -> list[str]:
    assert isinstance(result, Pulled)
    assert result.parsed is not None
    return [one.name for one in result.parsed.sightings]


async def test_a_pull_answers_with_the_sightings_and_keeps_the_payloads_for_a_replay(bench: Bench) -> None:
    result = await bench.pull()
    assert sighted(result) == ["first", "second"]
    assert isinstance(result, Pulled)
    assert (result.outcome, result.attempt.traffic.requests) == (PullOutcome.CHANGED, 2)
    again = await replayed(TWO_PAGES, await bench.store.payloads("gcat"))
    assert [one.name for one in again.sightings] == ["first", "second"]


async def test_unchanged_payloads_are_not_parsed_unless_the_pull_is_forced(bench: Bench) -> None:
    await bench.stored_pull()
    bench.asked()
    result = await bench.pull(replace(TWO_PAGES, parse=broken))
    assert isinstance(result, Pulled)
    assert (result.outcome, result.parsed) == (PullOutcome.UNCHANGED, None)
    assert bench.asked() == [("/one", 304), ("/other", 304)]
    assert sighted(await bench.pull(force=True)) == ["first", "second"]


async def test_when_one_page_has_changed_the_others_are_taken_from_the_stored_payloads(bench: Bench) -> None:
    await bench.stored_pull()
    bench.asked()
    bench.replay.bodies["/other"] = b"third"
    assert sighted(await bench.pull()) == ["first", "third"]
    assert bench.asked() == [("/one", 304), ("/other", 200)]


@pytest.mark.parametrize("stored", [None, b"", b"no zlib", zlib.compress(b"another")])
async def test_an_unchanged_page_whose_payload_is_lost_or_damaged_is_fetched_again(
    bench: Bench, stored: bytes | None
) -> None:
    await bench.stored_pull()
    url = f"{bench.replay.url}/one"
    await bench.store.keep("gcat", [] if stored is None else [StoredPayload(url, 7, stored)], NOW)
    bench.asked()
    bench.replay.bodies["/other"] = b"third"
    assert sighted(await bench.pull()) == ["first", "third"]
    assert bench.asked() == [("/one", 304), ("/other", 200), ("/one", 200), ("/other", 200)]


async def test_a_failure_of_the_source_counts_on_its_circuit_and_an_open_circuit_is_respected_unless_forced(
    bench: Bench,
) -> None:
    bench.replay.statuses["/one"] = 500
    for _ in range(THRESHOLD):
        result = await bench.pull()
        assert isinstance(result, NotPulled)
        assert result.outcome is PullOutcome.FAILED
    bench.asked()
    result = await bench.pull()
    assert isinstance(result, NotPulled)
    assert result.outcome is PullOutcome.LEFT_ALONE
    assert "HTTP 500" in result.error
    assert bench.asked() == []
    await bench.pull(force=True)
    assert bench.asked() == [("/one", 500)]


async def test_our_own_rate_limit_is_recorded_as_the_error_and_leaves_the_circuit_alone(bench: Bench) -> None:
    result = await bench.pull(rate="1/h")
    assert isinstance(result, NotPulled)
    assert result.outcome is PullOutcome.RATE_LIMITED
    assert result.retry_after is not None
    assert await bench.store.circuit("gcat") == (Circuit(), result.error)


async def test_a_broken_parser_keeps_the_payloads_and_leaves_the_circuit_alone(bench: Bench) -> None:
    result = await bench.pull(replace(TWO_PAGES, parse=broken))
    assert isinstance(result, NotPulled)
    assert result.outcome is PullOutcome.FAILED
    assert "its parser failed: KeyError" in result.error
    assert (await bench.store.circuit("gcat"))[0] == Circuit()
    assert len(await bench.store.payloads("gcat")) == 2
    with pytest.raises(SourceError, match="its parser failed"):
        await replayed(replace(TWO_PAGES, parse=broken), await bench.store.payloads("gcat"))


async def test_payloads_without_any_record_are_a_failure_of_the_source_and_replace_no_stored_ones(
    bench: Bench,
) -> None:
    await bench.stored_pull()
    bench.replay.bodies = {"/one": b"closed", "/other": b"closed"}
    result = await bench.pull(replace(TWO_PAGES, parse=refused))
    assert isinstance(result, NotPulled)
    assert "nothing could be read; row 1: it has no name" in result.error
    assert (await bench.store.circuit("gcat"))[0].failures == 1
    again = await replayed(TWO_PAGES, await bench.store.payloads("gcat"))
    assert [one.name for one in again.sightings] == ["first", "second"]


def test_a_source_is_left_alone_exactly_while_its_circuit_is_open() -> None:
    assert left_alone("gcat", Circuit(THRESHOLD - 1), "HTTP 500", NOW) is None
    assert left_alone("gcat", OPEN, "HTTP 500", NOW + HOUR) is None
    found = left_alone("gcat", OPEN, "HTTP 500", NOW)
    assert found is not None
    assert (found.outcome, found.retry_after) == (PullOutcome.LEFT_ALONE, 3600.0)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SourceError("HTTP 500"), PullTrouble("HTTP 500")),
        (RateLimitedError("HTTP 429", 90.0, by_source=True), PullTrouble("HTTP 429", PullOutcome.FAILED, 90.0)),
        (
            RateLimitedError("used up", 90.0, by_source=False),
            PullTrouble("used up", PullOutcome.RATE_LIMITED, 90.0, by_source=False),
        ),
    ],
    ids=["any error", "the source asks to wait", "our own limit"],
)
def test_only_our_own_rate_limit_is_no_fault_of_the_source(error: SourceError, expected: PullTrouble) -> None:
    assert trouble_of(error) == expected


def test_an_empty_list_without_rejections_is_an_answer_and_rejections_alone_are_none() -> None:
    assert reading_of("gcat", Parsed(())) == Parsed(())
    found = reading_of("gcat", refused([]))
    assert isinstance(found, PullTrouble)
    assert not worth_keeping(found)


def test_statistics_show_at_most_ten_rejections_and_the_line_of_progress_counts_all() -> None:
    rejection = Rejection(source="gcat", record="row", field="net", reason="it is not a date")
    parsed = msgspec.structs.replace(parse([b"first"]), rejections=(rejection,) * 11)
    result = Pulled(TWO_PAGES, FetchAttempt("gcat", NOW, Traffic(2, 300, 1.25)), (), parsed)
    found = result.statistics()
    assert (found["requests"], found["bytes"], found["seconds"]) == (2, 300, 1.25)
    assert (found["parsed"], found["rejected"], len(found["rejections"])) == (1, 11, 10)
    assert result.line() == "gcat: 1 records, 11 rejected (1.2 s)"
