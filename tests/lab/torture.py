"""Kills the daemon again and again while clients use it, and returns the record for the checker.

The daemon is the real one, a process of `python -m launchd run` on a state directory that outlives it. The moment of a
kill is random: sometimes before its first answer, mostly while it works. Now and then it is stopped in good order.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp

from launchd import config as configuration
from launchd.clock import SystemClock
from launchd.schedules.recurrence import Recurrence
from tests.lab.brood import brood
from tests.lab.load import QUEUES, SCHEDULES, Client, Journal
from tests.lab.record import Record, read
from tests.support.hosted_daemon import only_these_sources

ROOT = Path(__file__).parents[2]
# The longest time to the first answer, to a stop, and to the end of a backlog.
START_SECONDS, STOP_SECONDS, DRAIN_SECONDS = 60.0, 60.0, 300.0
_CLIENTS = 5
_EARLY, _DRAINED = 0.15, 0.08
CONFIG = """
[daemon]
state_directory = "{directory}"
drain_seconds = 0.5
cancel_seconds = 0.5
[admin]
socket = "{directory}/admin.sock"
[tasks]
modules = ["tests.lab.victims"]
[queues.default]
concurrency = 30
[queues.threads]
concurrency = 10
[queues.processes]
concurrency = 3
[queues.locked]
concurrency = 3
[queues.metered]
concurrency = 4
rate = "8/s"
[schedules]
scrape_launch_data.enabled = false
health_check.enabled = false
prune.enabled = false
backup.enabled = false
second = {{ task = "tick", every = "1s", args = {{ seconds = 0.3 }}, misfire_grace_seconds = 1.0 }}
caught_up = {{ task = "tick", cron = "* * * * * *", args = {{ seconds = 0.05 }}, misfire_grace_seconds = 0.5, \
catchup = "all", overlap = "buffer_all" }}
earliest = {{ task = "tick", cron = "*/2 * * * * *", args = {{ seconds = 0.1 }}, misfire_grace_seconds = 0.5, \
catchup = "earliest" }}
skipping = {{ task = "tick", every = "2s", args = {{ seconds = 1.5 }}, misfire_grace_seconds = 0.5, catchup = "skip" }}
buffered = {{ task = "tick", every = "1s", args = {{ seconds = 1.4 }}, overlap = "buffer_one" }}
newest = {{ task = "tick", every = "1s", args = {{ seconds = 1.4 }}, overlap = "cancel_other" }}
side_by_side = {{ task = "tick", every = "1s", args = {{ seconds = 1.4, alone = false }}, overlap = "allow" }}
minutely = {{ task = "tick", cron = "* * * * *", args = {{ seconds = 0.2 }} }}
apart = {{ task = "tick_process", every = "3s", args = {{ seconds = 0.4 }}, misfire_grace_seconds = 1.0 }}
"""


class Tally(NamedTuple):
    """The counts of a record."""

    lives: int
    kills: int
    early: int
    requests: int
    answers: int
    jobs: int
    runs: int
    fires: int
    states: Mapping[str, int]
    actions: Mapping[str, int]


class Torture:
    """One state directory, its daemon, its clients and their journal; `releases` as for a client."""

    def __init__(self, directory: Path, seed: int, *, releases: bool = True) -> None:
        self.directory = directory
        self.journal = Journal(directory / "journal")
        self._dice = random.Random(seed)
        self._config = directory / "launchd.toml"
        text = only_these_sources(CONFIG.format(directory=directory))
        self._config.write_text(text)
        self._recurrences = recurrences(configuration.parse(text))
        self._lives = 0
        self._brood = str(100_000 + os.getpid())  # seconds of sleep, and a name
        self._process: asyncio.subprocess.Process | None = None
        ids: list[str] = []
        self._clients = [
            Client(directory / "admin.sock", self.journal, random.Random(self._dice.random()), ids, releases=releases)
            for _ in range(_CLIENTS)
        ]

    async def run(self, kills: int) -> Record:
        """Kill it `kills` times, then let it run the rest of its jobs; returns the record."""
        try:
            return await self._run(kills)
        finally:
            if self._process is not None and self._process.returncode is None:  # this test has failed
                self._process.kill()
                await self._process.wait()

    async def _run(self, kills: int) -> Record:
        load = [asyncio.create_task(client.live()) for client in self._clients]
        try:
            done = 0
            while done < kills:
                done += await self._one_life()
        finally:
            for task in load:
                task.cancel()
            await asyncio.gather(*load, return_exceptions=True)
        settled = await self._last_life()
        paths = (self.directory / "journal", self.directory / "runs", self.directory / "jobs.db")
        return read(*paths, recurrences=self._recurrences, settled=settled)

    async def _one_life(self) -> bool:
        """Start it, let it run for a while, end it; True if it was killed."""
        process, life = await self._spawn()
        if self._dice.random() < _EARLY:
            await asyncio.sleep(self._dice.random() * 0.8)
            return await self._end(process, life, kill=True)
        await self._ready(process, life)
        await asyncio.sleep(self._dice.random() ** 2 * 2.5)
        return await self._end(process, life, kill=self._dice.random() >= _DRAINED)

    async def _last_life(self) -> int:
        """Let all jobs end, then stop in good order; returns the wall time up to which all fires are accounted for."""
        process, life = await self._spawn()
        await self._ready(process, life)
        client = self._clients[0]
        for queue in QUEUES:
            await client.ask("resume", "POST", f"/v1/queues/{queue}/resume", {}, target=queue)
        settled = SystemClock().now()
        for schedule in SCHEDULES:
            await client.ask("pause", "POST", f"/v1/schedules/{schedule}/pause", {}, target=schedule)
        async with asyncio.timeout(DRAIN_SECONDS):
            while await self._left(client):  # noqa: ASYNC110 - another process tells only who asks
                await asyncio.sleep(0.3)  # between two looks
        await self._end(process, life, kill=False)
        assert not brood(self._brood), "processes of tasks outlive a stop in good order"
        return settled

    async def _left(self, client: Client) -> bool:
        pages = [await client.ask("list", "GET", f"/v1/jobs?state={state}&limit=1") for state in ("queued", "running")]
        return any(page["items"] for page in pages)

    # --- the process ---

    async def _spawn(self) -> tuple[asyncio.subprocess.Process, str]:
        self._lives += 1
        life = f"life{self._lives}"
        environment = os.environ | {
            "LAB_RUNS": str(self.directory / "runs"),
            "LAB_LIFE": life,
            "LAB_BROOD": self._brood,
        }
        self.journal.note("spawned", life=life, wall=SystemClock().now())
        with (self.directory / "daemon.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "launchd", "run", "--config", str(self._config)),
                cwd=ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._process = process
        return process, life

    async def _ready(self, process: asyncio.subprocess.Process, life: str) -> None:
        """Wait until it answers, and note locks that a dead instance still holds."""
        client = self._clients[0]
        async with asyncio.timeout(START_SECONDS):
            while True:
                assert process.returncode is None, f"the daemon ended by itself: see {self.directory}/daemon.log"
                try:
                    status = await client.ask("status", "GET", "/v1/status")
                    held = await client.ask("locks", "GET", "/v1/locks")
                    break
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.01)  # between two looks
        self.journal.note("ready", life=life, wall=SystemClock().now())
        old = {pid: born for pid, born in brood(self._brood).items() if f"life{born}" != life}
        assert not old, f"processes of earlier lives run beside {life}: {old}"
        for lock in held["items"]:
            if not lock["owner"].endswith(status["instance"]):
                self.journal.note("foreign", life=life, target=lock["name"])

    async def _end(self, process: asyncio.subprocess.Process, life: str, *, kill: bool) -> bool:
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            code = await process.wait()
        self.journal.note("ended", life=life, killed=kill)
        assert code == (-signal.SIGKILL if kill else 0), f"exit code {code}: see {self.directory}/daemon.log"
        return kill


def recurrences(config: configuration.Config) -> dict[str, Recurrence]:
    """The recurrence of each schedule of a configuration."""
    return {name: entry.recurrence() for name, entry in config.schedules.items() if entry.enabled}


def tally(record: Record) -> Tally:
    """Counts of a record, for a report."""
    states: dict[str, int] = {}
    actions: dict[str, int] = {}
    for job in record.jobs.values():
        states[job.state] = states.get(job.state, 0) + 1
    for request in record.requests:
        actions[request.action] = actions.get(request.action, 0) + request.acknowledged
    return Tally(
        lives=len(record.lives),
        kills=sum(life.killed for life in record.lives),
        early=sum(life.ready_at is None for life in record.lives),
        requests=len(record.requests),
        answers=sum(request.answered_at is not None for request in record.requests),
        jobs=len(record.jobs),
        runs=len(record.runs),
        fires=sum(row.count for row in record.fires),
        states=states,
        actions=actions,
    )
