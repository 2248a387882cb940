"""Sends generated requests, valid and invalid, to a real daemon: no 5xx, and only answers that its document describes.

schemathesis (https://schemathesis.readthedocs.io) generates them from `/openapi.json`: edge cases of every parameter,
random values, and chains in which the answer of one request is the input of the next. It uses TCP only, so a relay of
bytes leads from a port to the Unix socket. On the TCP listener, which needs a token, it also leaves the token out or
sends a wrong one.

    make contract CASES=10000        # or: python -m tests.lab.contract --cases 10000 --seed 7
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from launchd.admin.http import access
from launchd.daemon import Daemon
from launchd.demo import payloads
from launchd.job import JobState
from launchd.launches.sources import SOURCES
from launchd.logs import setup as logs
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.paths import ROOT
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL, gate

# The cases of each operation and kind of request in one run, some 4,000 in all; further runs use other seeds.
EXAMPLES = 10
# A request with a valid form may still be refused: an unknown task, an expression that never occurs.
_NOT_CHECKED = "positive_data_acceptance"
_SCHEDULE = """
[schedules.hourly]
task = "echo"
cron = "0 * * * *"
"""
# All sources are off, also those that a request names: no request leaves this machine.
_SOURCE = """
[sources.{name}]
base_url = "{url}/{name}/"
rate = "1000/s"
"""


class Report(NamedTuple):
    """The number of requests, and the faults of their answers."""

    cases: int
    failures: list[str]


async def check(directory: Path, cases: int, seed: int = 1) -> Report:
    """Send at least `cases` requests to a daemon with its state in `directory`, most over its Unix socket."""
    sent, failures = 0, list[str]()
    async with _subject(directory) as daemon:
        token = (directory / "admin.token").read_text().strip()
        remote = await _run(directory, await _listener(daemon), seed, token)
        async with _pipe(daemon.socket) as base:
            while sent < cases:
                local = await _run(directory, base, seed, None)
                sent, seed = sent + local.cases, seed + 1
                failures += local.failures
    return Report(sent + remote.cases, remote.failures + failures)


@asynccontextmanager
async def _subject(directory: Path) -> AsyncIterator[Daemon]:
    """A daemon with sample data: launches with a history, jobs in most states, a lock that is held."""
    access.MAX_FAILURES = sys.maxsize  # made-up tokens are to be told from the right one, however many there are
    async with replaying() as upstream:
        sources = "".join(_SOURCE.format(name=name, url=upstream.url) for name in SOURCES)
        quiet = quiet_config(directory, _SCHEDULE + sources)
        config = msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp="127.0.0.1:0"))
        async with hosted(config, tasks=ALL) as daemon:
            await _scrape(daemon, upstream)
            await _make_jobs(daemon)
            try:
                yield daemon
            finally:
                gate("contract").set()


async def _scrape(daemon: Daemon, upstream: Replay) -> None:
    upstream.bodies["/launch_library/launches/previous/"] = payloads.previous()
    upstream.bodies["/gcat/tsv/derived/launchlog.tsv"] = payloads.launchlog()
    for edition in (1, 2):
        upstream.bodies["/launch_library/launches/upcoming/"] = payloads.upcoming(datetime.now(UTC), edition)
        job = await daemon.control.refresh(None, force=True, by="test")
        assert (await ended(daemon, job.id)).state is JobState.SUCCEEDED


async def _make_jobs(daemon: Daemon) -> None:
    control = daemon.control
    for task, args in (("echo", {"value": "text"}), ("failing_at_once", {}), ("giving_up", {})):
        job, _ = await control.trigger(task, args, by="test")
        await ended(daemon, job.id)
    for task in ("retry_later", "snoozing", "failing"):
        await control.trigger(task, {}, by="test")
    for task in ("locked", "waiting"):
        await control.trigger(task, {"name": "contract"}, by="test")


async def _listener(daemon: Daemon) -> str:
    async with asking(daemon) as client, client.post("/v1/sign-in") as response:
        return str((await response.json())["url"]).partition("/sign-in")[0]


async def _run(directory: Path, base: str, seed: int, token: str | None) -> Report:
    """Run all phases of the tool once; it prints its findings. Without a token it uses the Unix socket."""
    report = directory / f"contract-{seed}.json"
    words = [
        *("run", f"{base}/openapi.json", "--seed", str(seed), "--max-examples", str(EXAMPLES)),
        *("--checks", "all", "--exclude-checks", _NOT_CHECKED, "--continue-on-failure", "--request-timeout", "30"),
        *("--report", "json", "--report-json-path", str(report)),
        *(("--header", f"Authorization: Bearer {token}") if token is not None else ()),
    ]
    environ = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.lab.contract_hooks", "PYTHONPATH": str(ROOT)}
    environ |= {"CONTRACT_TOKEN": token} if token is not None else {}
    command = Path(sys.executable).with_name("schemathesis")
    process = await asyncio.create_subprocess_exec(command, *words, env=environ, cwd=directory)
    code = await process.wait()
    if not report.exists():
        return Report(0, [f"schemathesis ended with {code} and no report"])
    return _read(msgspec.json.decode(report.read_bytes()), seed)


def _read(report: dict[str, Any], seed: int) -> Report:
    found = [
        f"{one['code']} {one['title']}: {', '.join(one['operations'])} (seed {seed})" for one in report["failures"]
    ]
    found += [f"{one} (seed {seed})" for one in report["errors"]]
    if not report["complete"]:
        found.append(f"it stopped early: {report['stop_reason']} (seed {seed})")
    return Report(report["test_cases"]["generated"], found)


@asynccontextmanager
async def _pipe(path: Path) -> AsyncIterator[str]:
    """A port on loopback that relays to a Unix socket; yields its base URL."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(path)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


def main() -> int:
    """Print the findings; returns 1 if there are any."""
    parser = argparse.ArgumentParser(description="Generated requests against a daemon.")
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logs.configure("error", "console", secrets=[], descriptor=sys.stderr.fileno())
    with TemporaryDirectory(prefix="launchd-contract-") as directory:
        report = asyncio.run(check(Path(directory), given.cases, given.seed))
    sys.stdout.write("\n".join([*report.failures, f"{report.cases} requests, {len(report.failures)} findings\n"]))
    return int(bool(report.failures))


if __name__ == "__main__":
    sys.exit(main())
