"""Twelve hours of a busy tracker, run by the real daemon under a virtual clock that ends at this moment.

The result is a state directory: thousands of launches of which some slipped, a thousand jobs, a ledger with a gap and a
pause, an audit log. `going_on` then runs a daemon on it, with jobs in every state.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from launchd.clock import HOUR, SECOND, SystemClock
from launchd.logs import setup as logs
from launchd.testing import TestDaemon, running
from tests.bench import tracker
from tests.bench.process import Process, started
from tests.bench.scrape import launchlog
from tests.support.hosted_daemon import only_these_sources
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, ll2, page
from tests.support.replay_server import replaying

HOURS = 12
LAUNCHES, QUEUED, LINGERING = 300, 300, 6
_CONFIG = """
[daemon]
state_directory = "{state}"
log_level = "info"
minimum_free_mib = 1
[admin]
socket = "{state}/admin.sock"
tcp = "127.0.0.1:0"
[tasks]
modules = ["tests.bench.tracker"]
[queues.publishing]
concurrency = 4
rate = "240/m"
[queues.archive]
concurrency = 64
[schedules.scrape_launch_data]
task = "scrape_launch_data"
cron = "0 */3 * * *"
[schedules.notify_watchers]
task = "notify"
cron = "* * * * *"
[schedules.publish_feeds]
task = "publish"
cron = "*/3 * * * *"
[schedules.sync_orbital_elements_of_everything_that_flew]
task = "sync"
cron = "*/10 * * * *"
timezone = "Europe/Berlin"
[schedules.rebuild_catalogue]
task = "rebuild"
cron = "5,35 * * * *"
[schedules.compare_providers]
task = "compare"
cron = "7,37 * * * *"
[schedules.weekly_digest]
task = "publish"
cron = "30 7 * * 1"
timezone = "America/New_York"
[sources.launch_library]
base_url = "{url}/ll/"
rate = "1000/s"
[sources.gcat]
base_url = "{url}/gcat/"
rate = "1000/s"
"""


class Provider(NamedTuple):
    """A provider with its vehicles and pads."""

    name: str
    vehicles: tuple[str, ...]
    pad: str
    place: str


_PROVIDERS = (
    Provider("SpaceX", ("Falcon 9 Block 5", "Falcon Heavy"), "Space Launch Complex 40", "Cape Canaveral SFS, FL, USA"),
    Provider("Rocket Lab", ("Electron",), "Launch Complex 1A", "Rocket Lab Launch Complex 1, Mahia, New Zealand"),
    Provider(
        "China Aerospace Science and Technology Corporation",
        ("Long March 2C", "Long March 5B", "Long March 12A"),
        "Commercial LC-2",
        "Wenchang Space Launch Site, People's Republic of China",
    ),
    Provider("Arianespace", ("Ariane 64", "Vega-C"), "Ariane Launch Area 4", "Guiana Space Centre, French Guiana"),
)
_PAYLOADS = (
    "Starlink Group {n}-{m}",
    "Galileo L{n} (FM{m} & FM{n})",
    "Yaogan-{n} 0{m}",
    "Sentinel-{m}C",
    "Transporter {n} (a dedicated rideshare to a Sun-synchronous orbit with many small satellites)",
)
_MINUTE, _HOUR, _DAY, _MONTH, _QUARTER = 1, 2, 5, 7, 8
_GO, _TBD, _TBC = 1, 2, 8


def live_through(state: Path) -> str:
    """Fill a state directory with the hours before this moment; returns the configuration of a daemon on it."""
    logs.configure("error", "json")
    return asyncio.run(_live(state))


async def _live(state: Path) -> str:
    today = datetime.now(UTC).replace(second=0, microsecond=0)
    async with replaying() as replay:
        replay.bodies = {UPCOMING: page(*_upcoming(today, 0)), PREVIOUS: page(), LOG: launchlog(None)}
        text = only_these_sources(_CONFIG.format(state=state, url=replay.url))
        began = SystemClock().now() - HOURS * HOUR
        # tasks come as objects, and nobody browses under a virtual clock
        apart = text.replace('modules = ["tests.bench.tracker"]', "").replace('tcp = "127.0.0.1:0"', "")
        async with running(tasks=tracker.TRACKER, config=apart, start=began, directory=state) as lived:
            tracker.clocks[0] = lived.clock
            for hour in range(HOURS):
                replay.bodies[UPCOMING] = page(*_upcoming(today, hour))
                await _live_hour(lived, hour)
            await lived.advance(seconds=max(SystemClock().now() - lived.clock.now(), 0) / SECOND)
        tracker.clocks[0] = SystemClock()
    return text


async def _live_hour(lived: TestDaemon, hour: int) -> None:
    """Pause two schedules and resume one; later put the clock forward by an hour."""
    timetable = lived.daemon.control.timetable
    if hour == 1:
        await timetable.pause("weekly_digest", "nobody reads it in summer", "mara")
        await timetable.pause("publish_feeds", "the disk of the web server is full", "mara")
    if hour == 3:
        await timetable.resume("publish_feeds", "mara")
    if hour == HOURS // 2:
        lived.clock.jump(HOUR / SECOND)
    else:
        await lived.advance(hours=1)


def _upcoming(today: datetime, hour: int) -> Iterator[dict[str, Any]]:
    """The upcoming launches of Launch Library in an hour: every three hours some slip."""
    draw = random.Random(7)
    for number in range(LAUNCHES):
        days = 0.17 + number * 0.45
        slips = sum((number + news) % 4 == 0 for news in range(hour // 3))
        net = today + timedelta(days=days + slips * draw.choice((0.02, 0.25, 2)))
        yield _launch(draw, number, days, net.isoformat().replace("+00:00", "Z"))


def _launch(draw: random.Random, number: int, days: float, net: str) -> dict[str, Any]:
    provider = draw.choice(_PROVIDERS)
    vehicle = draw.choice(provider.vehicles)
    payload = draw.choice(_PAYLOADS).format(n=draw.randint(2, 40), m=draw.randint(1, 9))
    far = (_DAY, _MONTH, _QUARTER) if days > 40 else (_MINUTE, _HOUR, _DAY)
    return ll2(
        f"{vehicle} | {payload}",
        net,
        key=f"id-{number}",
        status=draw.choice((_GO, _TBC, _TBD)) if days > 9 else _GO,
        precision=draw.choice(far) if days > 12 else _MINUTE,
        launch_service_provider={"name": provider.name},
        rocket={"configuration": {"full_name": vehicle}},
        mission={"name": payload, "orbit": {"name": "Low Earth Orbit"}},
        pad={"name": provider.pad, "latitude": 28.5, "longitude": -80.5, "location": {"name": provider.place}},
    )


@contextmanager
def going_on(state: Path, text: str) -> Iterator[Process]:
    """A daemon on that state directory, with jobs in every state; it listens for browsers."""
    for _ in range(2):  # what runs in two crashes in a row is set aside
        with started(state, text, log=state / "daemon.log") as process:
            if not process.client.request("GET", "/v1/jobs", task="stall")["items"]:
                process.client.request("POST", "/v1/tasks/stall/trigger", body={})
            while not process.client.request("GET", "/v1/jobs", task="stall", state="running")["items"]:
                time.sleep(0.02)
            process.kill()
    with started(state, text, log=state / "daemon.log") as process:
        _fill(process)
        yield process


def _fill(process: Process) -> None:
    """Jobs that wait, run, fail, are cancelled and expire."""
    ask = process.client.request

    def trigger(task: str, **settings: Any) -> str:  # noqa: ANN401 - fields of a job
        return str(ask("POST", f"/v1/tasks/{task}/trigger", body=settings)["id"])

    for _ in range(6):
        ask("GET", f"/v1/jobs/{trigger('parse')}", wait=10)
    trigger("rebuild")
    while not ask("GET", "/v1/locks")["items"]:
        time.sleep(0.02)
    trigger("compare")
    ask("POST", "/v1/queues/archive/pause", body={"note": "until the disk has been changed; ask Mara first"})
    process.enqueue("notify", QUEUED, queue="archive")
    for minutes in range(LINGERING):
        trigger("linger", args={"minutes": minutes + 2})
    trigger("stall", queue="publishing")
    trigger("publish", delay=7200)
    expired = trigger("publish", queue="archive", expires_in=0.05)
    for _ in range(3):
        ask("POST", f"/v1/jobs/{trigger('publish', queue='archive')}/cancel", body={"reason": "made by mistake"})
    ask("GET", f"/v1/jobs/{expired}", wait=10)
