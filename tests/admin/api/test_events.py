"""GET /v1/events: every kind of event arrives in order, can be resumed, and costs nothing without a client."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import aiohttp
import msgspec
import pytest

from launchd.admin.api import events as endpoint
from launchd.clock import parse_instant
from launchd.daemon import Daemon
from launchd.engine.events import feed as feeds
from launchd.engine.events.bus import Bus
from launchd.engine.events.feed import BATCH, LINGER_SECONDS, RING, Feed, LostPlaceError
from launchd.errors import UnavailableError
from launchd.event import TYPES, Event, JobEnd
from launchd.launches.ingest import IngestPlan
from launchd.launches.launch import Launch, LaunchStatus, Net, Precision
from launchd.launches.news import MAX_MADE, launch_events
from launchd.ops.health import Finding, Health, Level
from launchd.testing import VirtualClock, running
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import replaying
from tests.support.scraping_daemon import asking, refresh, scraping
from tests.support.tasks import ALL, fact, gate, started


class Told(NamedTuple):
    """One block of the stream."""

    id: str
    event: str
    data: Any


class Stream:
    """A client of /v1/events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def blocks(self) -> AsyncIterator[Told]:
        """Each event as it comes; heartbeats as "heartbeat"."""
        event, data = "message", ""
        async for raw in self.response.content:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            match name:
                case "id":
                    self.last_id = value
                case "event":
                    event = value
                case "data":
                    data = value
                case "" if value:
                    yield Told(self.last_id, value, None)
                case "":
                    if data:
                        yield Told(self.last_id, event, msgspec.json.decode(data))
                    event, data = "message", ""

    async def until(self, *last: str) -> list[Told]:
        """Events up to the first for which all of these types have come."""
        found: list[Told] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for told in self.blocks():
                found.append(told)
                if set(last) <= {one.event for one in found}:
                    return found
        raise AssertionError(f"the stream ended after {[one.event for one in found]}")


@asynccontextmanager
async def following(daemon: Daemon, query: str = "", last_id: str | None = None) -> AsyncIterator[Stream]:
    """An open stream: it receives all events from now on."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with asking(daemon) as client, client.get(f"/v1/events{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        stream = Stream(response)
        await anext(aiter(response.content))  # the greeting: from here on the reader is there
        yield stream


async def test_the_life_of_a_job_is_a_series_of_events(daemon: Daemon) -> None:
    async with following(daemon) as stream:
        job, _ = await daemon.control.trigger("echo", {"value": 1}, by="test")
        told = await stream.until("job.ended")
    assert [one.event for one in told] == ["job.made", "job.started", "job.ended"]
    assert {one.data["job_id"] for one in told} == {job.id}
    assert told[-1].data["data"]["state"] == "succeeded"
    parse_instant(told[0].data["at"])


async def test_an_attempt_that_will_be_retried_is_not_an_end(daemon: Daemon) -> None:
    async with following(daemon, "?types=job.returned,job.ended") as stream:
        await daemon.control.trigger("retry_later", {}, by="test")
        await daemon.control.trigger("echo", {}, by="test")
        told = await stream.until("job.ended", "job.returned")
    assert len(told) == 2


async def test_progress_is_an_event_while_a_job_runs(daemon: Daemon) -> None:
    async with following(daemon, "?types=job.progress") as stream:
        await daemon.control.trigger("advancing", {"name": "progress"}, by="test")
        await fact(started("progress"))
        (told,) = await stream.until("job.progress")
        gate("progress").set()
    assert told.data["data"] == {"done": 3.0, "total": 4.0, "note": "nearly"}


async def test_a_filter_selects_types_and_a_job(daemon: Daemon) -> None:
    first, _ = await daemon.control.trigger("waiting", {"name": "chosen"}, by="test")
    async with following(daemon, f"?job={first.id}") as mine, following(daemon, "?types=queue,lock.taken") as queues:
        other, _ = await daemon.control.trigger("echo", {}, by="test")
        await ended(daemon, other.id)
        await daemon.control.pause_queue("monitoring", "a note", "alice")
        gate("chosen").set()
        assert [one.event for one in await mine.until("job.ended")][-1] == "job.ended"
        (paused,) = await queues.until("queue.paused")
    assert paused.data["data"] == {"by": "alice", "detail": "a note", "queue": "monitoring"}


async def test_an_unknown_type_is_refused_with_the_known_ones(daemon: Daemon) -> None:
    async with asking(daemon) as client, client.get("/v1/events?types=job,nonsense") as response:
        assert response.status == 422
        assert "job.ended" in (await response.json(content_type=None))["detail"]


async def test_taking_and_releasing_a_lock_are_events(daemon: Daemon) -> None:
    gate("told").set()
    async with following(daemon, "?types=lock") as stream:
        await daemon.control.trigger("locked", {"name": "told"}, by="test")
        told = await stream.until("lock.released")
    assert [(one.event, one.data["data"]["lock"]) for one in told] == [
        ("lock.taken", "one_at_a_time"),
        ("lock.released", "one_at_a_time"),
    ]


async def test_fires_misses_and_pauses_are_events() -> None:
    schedules = {"hourly": {"task": "echo", "cron": "0 * * * *", "misfire_grace_seconds": 60}}
    async with running(tasks=ALL, schedules=schedules) as daemon:
        heard: list[Event] = []
        bus = daemon.daemon.control._bus
        bus.subscribe(lambda found: heard.extend(one.event() for one in found if one.type.startswith("schedule")))
        await daemon.advance(hours=1, seconds=1)
        daemon.clock.jump(2.5 * 3600)
        await daemon.settle()
        await daemon.daemon.control.timetable.pause("hourly", "quiet", "alice")
        await daemon.advance(hours=1)
    told = [(one.type, one.data.get("count"), one.data.get("by")) for one in heard]
    assert told == [
        ("schedule.fired", 1, None),
        ("schedule.missed", 1, None),
        ("schedule.fired", 1, None),
        ("schedule.paused", None, "alice"),
        ("schedule.passed_over", 1, None),
    ]
    assert heard[0].data["schedule"] == "hourly"
    assert heard[0].job_id is not None


async def test_a_refresh_publishes_events_of_its_sources_and_of_changed_launches(tmp_path: Path) -> None:
    async with replaying() as replay:
        early = ll2("Falcon 9 | Starlink", "2026-01-04T11:00:00Z", key="id-2", status=3)
        row = "2026-001 \t2026 Jan  4 1200:30\t2026-001A\tP\tStarlink 9001\tStarlink\tFalcon 9\tCC\tLC40\tSPX\tOS"
        crew = page(ll2("Falcon 9 | Crew-20", "2027-04-20T10:00:00Z"))
        replay.bodies = {UPCOMING: crew, PREVIOUS: page(early), LOG: gcat(row)}
        async with scraping(replay, tmp_path) as daemon, following(daemon, "?types=source,launch") as stream:
            await refresh(daemon)
            told = await stream.until("launch.made", "source.read")
            replay.bodies[UPCOMING] = page(ll2("Falcon 9 | Crew-20", "2027-04-22T10:00:00Z", status=5))
            await refresh(daemon)
            told += await stream.until("launch.slipped", "launch.status_changed")
    slipped = next(one.data["data"] for one in told if one.event == "launch.slipped")
    assert (slipped["seconds"], slipped["name"]) == (2 * 86_400, "Falcon 9 | Crew-20")
    assert {one.data["data"]["source"] for one in told if one.event == "source.read"} >= {"launch_library"}


async def test_a_check_that_changes_its_level_is_an_event() -> None:
    health, level = Health(VirtualClock()), Level.HEALTHY

    async def check() -> Finding:
        return Finding(level, "as it is")

    health.add("disk", check)
    changes: list[tuple[str, Level | None, Level]] = []
    health.on_change = lambda name, before, found: changes.append((name, before, found.level))
    await health.report()
    await health.report()
    level = Level.DEGRADED
    await health.report()
    assert changes == [("disk", None, Level.HEALTHY), ("disk", Level.HEALTHY, Level.DEGRADED)]


async def test_a_client_that_reconnects_resumes_after_its_last_event(daemon: Daemon) -> None:
    async with following(daemon, "?types=job.ended") as stream:
        first, _ = await daemon.control.trigger("echo", {}, by="test")
        await stream.until("job.ended")
        last_id = stream.last_id
    ids = []
    for _ in range(3):
        job, _ = await daemon.control.trigger("echo", {}, by="test")
        await ended(daemon, job.id)
        ids.append(job.id)
    async with following(daemon, "?types=job.ended", last_id) as stream:
        found: list[Told] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for told in stream.blocks():
                found.append(told)
                if len(found) == 3:
                    break
    assert [one.data["job_id"] for one in found] == ids
    assert first.id not in ids


@pytest.mark.parametrize("last_id", ["0192aabbccdd-1-5", "nonsense", "1", "-", "9" * 400])
async def test_a_client_with_an_unknown_last_event_gets_a_gap(daemon: Daemon, last_id: str) -> None:
    headers = {"Last-Event-ID": last_id}
    async with asking(daemon) as client, client.get("/v1/events", headers=headers) as response:
        (told,) = await Stream(response).until("gap")
    assert told.data == {"missed": None}


# --- the ring ---


@pytest.fixture
async def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def bus() -> Bus:
    return Bus()


@pytest.fixture
async def feed(bus: Bus, clock: VirtualClock) -> AsyncIterator[Feed]:
    made = Feed(bus, clock, "start", Health(clock), list)
    yield made
    await made.close()


def ends(count: int) -> list[JobEnd]:
    return [JobEnd(index, f"job-{index}", "succeeded") for index in range(count)]


async def test_events_are_kept_only_while_a_client_follows_and_for_a_while_after(
    feed: Feed, bus: Bus, clock: VirtualClock
) -> None:
    assert not bus.has_listeners
    with feed.follow(None) as reader:
        bus.ended(ends(2))
        assert [one.job_id for _, one in await reader.read() or ()] == ["job-0", "job-1"]
        last_id = reader.last_id
    bus.ended(ends(3))
    with feed.follow(last_id) as reader:
        assert reader.gap is None
        assert len(await reader.read() or ()) == 3
        last_id = reader.last_id
    await until(lambda: clock.next_wake() is not None and clock.sleepers(asyncio.get_running_loop()) == 1)
    clock.move(LINGER_SECONDS)
    await until(lambda: not bus.has_listeners)
    with feed.follow(last_id) as reader:
        assert reader.gap == (None,)


async def test_lost_events_are_counted(feed: Feed, bus: Bus) -> None:
    with feed.follow(None) as reader:
        bus.ended(ends(1))
        await reader.read()
        last_id = reader.last_id
        bus.ended(ends(RING + 7))
        with pytest.raises(LostPlaceError):
            await reader.read()
    with feed.follow(last_id) as reader:
        assert reader.gap == (7,)
        found = 0
        while found < RING:
            read = await reader.read() or []
            assert 0 < len(read) <= BATCH
            found += len(read)
        assert found == RING


async def test_a_heartbeat_is_due_after_fifteen_seconds_of_the_clock(feed: Feed, clock: VirtualClock) -> None:
    with feed.follow(None) as reader:
        reading = asyncio.ensure_future(reader.read())
        await until(lambda: clock.sleepers(asyncio.get_running_loop()) == 3)
        clock.move(14.9)
        await asyncio.sleep(0)
        assert not reading.done()
        clock.move(15.0)
        assert await reading == []


async def test_the_number_of_clients_is_limited(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_READERS", 1)
    with feed.follow(None), pytest.raises(UnavailableError), feed.follow(None):
        pass


async def test_a_client_that_does_not_read_is_disconnected_and_others_go_on(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "WRITE_SECONDS", 0.2)
    slow = socket.socket(socket.AF_UNIX)
    slow.connect(str(daemon.socket))
    slow.sendall(b"GET /v1/events HTTP/1.1\r\nHost: d\r\n\r\n")  # and nothing is ever read
    async with following(daemon, "?types=job.made") as other:
        bus = daemon.control._bus
        await until(lambda: len(readers(daemon)) == 2)
        big = [Event(type="source.read", at=0, data={"x": "y" * 2000})] * BATCH
        for _ in range(20):
            bus.publish(big)
            await asyncio.sleep(0)
        await until(lambda: len(readers(daemon)) == 1)
        await daemon.control.trigger("echo", {}, by="test")
        assert (await other.until("job.made"))[0].event == "job.made"
    slow.close()


def readers(daemon: Daemon) -> set[Any]:
    """The readers of a feed."""
    found: set[Any] = cast("Any", daemon.control._bus._listeners[0]).__self__._readers  # the feed's
    return found


async def until(true: Callable[[], bool]) -> None:
    """Let other tasks run until a condition is true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


# --- launches ---


def launch(number: int, net: str | None = None, status: LaunchStatus | None = None) -> Launch:
    at = None if net is None else parse_instant(net)
    interval = None if at is None else Net(at, at, Precision.SECOND)
    return Launch(id=f"id-{number}", name=f"Launch {number}", net=interval, status=status)


def planned(*launches: Launch, merged: tuple[tuple[str, str], ...] = ()) -> IngestPlan:
    empty: Any = {}
    return IngestPlan((), launches, (), (), merged, (), empty, empty, empty)


def test_a_first_load_of_history_is_one_event() -> None:
    many = [launch(number) for number in range(MAX_MADE + 1)]
    assert [one.type for one in launch_events({}, planned(*many), 0)] == ["launch.imported"]
    assert [one.type for one in launch_events({}, planned(*many[:2]), 0)] == ["launch.made"] * 2


def test_each_kind_of_change_of_a_launch_is_an_event_of_its_own() -> None:
    before = {"id-1": launch(1, "2027-01-02T00:00:00Z", LaunchStatus.TBD)}

    def told(after: Launch) -> list[str]:
        return [one.type for one in launch_events(before, planned(after), 0)]

    assert told(launch(1, "2027-01-02T00:00:00Z", LaunchStatus.TBD)) == []
    assert told(launch(1, "2027-01-03T00:00:00Z", LaunchStatus.TBD)) == ["launch.slipped"]
    assert told(launch(1, "2027-01-01T00:00:00Z", LaunchStatus.GO)) == ["launch.moved_forward", "launch.status_changed"]
    merged = launch_events(before, planned(merged=(("id-2", "id-1"),)), 0)
    assert [(one.type, one.data) for one in merged] == [("launch.merged", {"id": "id-2", "into": "id-1"})]


def test_every_type_that_is_published_anywhere_is_a_known_type() -> None:
    assert len(set(TYPES)) == len(TYPES)
    for one in (JobEnd(0, "j", "queued"), JobEnd(0, "j", "failed")):
        assert one.type in TYPES
        assert one.event().type == one.type
