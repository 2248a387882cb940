"""The engine's figures: accepting, draining, latency, fires, backlogs, memory."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from launchd.engine.attempts.process import KILL_SECONDS
from tests.bench.process import Process, daemon, percentile, say

JOBS = 50_000
TRIGGERS = 500
SCHEDULES = 10_000
FIRING_SECONDS = 20
KILLS = 3


def drain() -> float:
    """Accept a backlog durably, then run it with every state on disk; print the rates in jobs a second."""
    with TemporaryDirectory() as place:
        state = Path(place) / "state"
        with daemon(state, "--scheduler-only") as process:
            seconds = process.enqueue("noop", JOBS)
            say("POST /v1/jobs, 1,000 a batch, on disk when answered", f"{JOBS / seconds:,.0f} jobs/s")
        with daemon(state) as process:
            process.until_done(0, JOBS)
            rate = _rate(process, 0, JOBS)
        say("no-op jobs run, fsync at every change of state, 100 slots", f"{rate:,.0f} jobs/s")
        return rate


def _rate(process: Process, first: int, count: int) -> float:
    """From the first end to the last, as the peers are measured."""
    asked = "SELECT min(finished_at), max(finished_at), count(*) FROM jobs WHERE seq > ? AND seq <= ?"
    low, high, ended = process.rows(asked, first, first + count)[0]
    return float(ended / max((high - low) / 1e6, 1e-9))


def latency() -> float:
    """From the client's request to the task's first line on an idle daemon; the median in milliseconds."""
    with TemporaryDirectory() as place, daemon(Path(place) / "state", slots=10) as process:
        taken = []
        ask = process.keeps_asking()  # one connection, as the clients of other systems keep theirs
        for _ in range(TRIGGERS):
            asked = time.monotonic()
            job = ask("POST", "/v1/tasks/stamp/trigger", "{}")
            ended = ask("GET", f"/v1/jobs/{job['id']}?wait=10", None)
            taken.append((ended["result"] - asked) * 1000)
        p50, p99 = percentile(taken, 0.5), percentile(taken, 0.99)
        say(f"trigger over the socket to task start, {TRIGGERS} times", f"p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        return p50


def blocked() -> None:
    """Measure GET /v1/status while a coroutine blocks the task loop, and print the job that is named for it."""
    with TemporaryDirectory() as place, daemon(Path(place) / "state") as process:
        process.client.request("POST", "/v1/tasks/block/trigger", body={"args": {"seconds": 30}})
        while not (found := process.client.request("GET", "/v1/health", accept=(503,))["checks"]["event_loop"])[
            "detail"
        ].startswith("the task loop"):
            time.sleep(0.05)
        taken = []
        for _ in range(200):
            asked = time.perf_counter()
            process.client.request("GET", "/v1/status")
            taken.append((time.perf_counter() - asked) * 1000)
        figure = f"max {max(taken):.1f} ms; health: {found['detail']}"
        say("GET /v1/status while time.sleep blocks the task loop", figure)
        asked = time.perf_counter()
        job = process.client.request("POST", "/v1/tasks/plain/trigger", body={})
        _ended(process, job, "succeeded")
        say("meanwhile a plain function in a thread, from trigger to succeeded", f"{time.perf_counter() - asked:.3f} s")
        say("meanwhile a loop in C in a process, from terminate to cancelled", f"{_terminated(process):.2f} s")


def _terminated(process: Process) -> float:
    """Seconds from the wish to terminate a task that loops in C until its job is cancelled."""
    job = process.client.request("POST", "/v1/tasks/hang/trigger", body={})
    while process.client.request("GET", f"/v1/jobs/{job['id']}")["progress"] is None:
        time.sleep(0.05)
    asked = time.perf_counter()
    process.client.request("POST", f"/v1/jobs/{job['id']}/cancel", body={"terminate": True})
    _ended(process, job, "cancelled")
    return time.perf_counter() - asked


def _ended(process: Process, job: dict[str, Any], state: str) -> None:
    ended = process.client.request("GET", f"/v1/jobs/{job['id']}", wait=60)
    if ended["state"] != state:
        raise RuntimeError(f"the job is {ended['state']}")


def kill() -> None:
    """Terminate a task in a process that hangs in C: the time until its job is cancelled and its process reaped."""
    with TemporaryDirectory() as place, daemon(Path(place) / "state") as process:
        taken = [_terminated(process) for _ in range(KILLS)]
        figure = f"max {max(taken):.2f} s of {KILLS}; the signal that asks is given {KILL_SECONDS:g} s"
        say("a loop in C in a process, from terminate to cancelled", figure)


def fires() -> None:
    """10,000 schedules of which 200 fire each second: the delays until their jobs are made and started."""
    tables = "\n".join(
        f'[schedules.s{number}]\ntask = "noop"\ncron = "{number % 50} * * * * *"\noverlap = "allow"'
        for number in range(SCHEDULES)
    )
    with TemporaryDirectory() as place, daemon(Path(place) / "state", extra=tables) as process:
        while process.last_seq() < SCHEDULES // 50 * FIRING_SECONDS:
            time.sleep(0.2)
        asked = "SELECT created_at - fire_time, started_at - fire_time FROM jobs WHERE started_at IS NOT NULL"
        rows = process.rows(asked)
    made, started = ([row[index] / 1000 for row in rows] for index in (0, 1))
    say(
        f"{len(rows):,} fires of {SCHEDULES:,} schedules, lateness of the job",
        f"made p99 {percentile(made, 0.99):.1f} ms, started p50 {percentile(started, 0.5):.1f} "
        f"p99 {percentile(started, 0.99):.1f} ms",
    )


def backlogs(sizes: tuple[int, ...] = (0, 100_000, 1_000_000), measured: int = 20_000) -> None:
    """The rate at which urgent jobs overtake a waiting backlog, and the memory of the backlog."""
    with TemporaryDirectory() as place, daemon(Path(place) / "state") as process:
        base_rate = base_memory = 0.0
        queued = 0
        for size in sizes:
            process.client.request("POST", "/v1/queues/default/pause", body={})
            process.enqueue("noop", size - queued, priority=0, delay=0)
            queued = size
            first = process.last_seq()
            process.enqueue("noop", measured, priority=9)
            process.client.request("PATCH", "/v1/queues/default", body={"concurrency": 100})
            process.client.request("POST", "/v1/queues/default/resume", body={})
            process.until_done(first, measured)
            process.client.request("POST", "/v1/queues/default/pause", body={})
            rate, memory = _rate(process, first, measured), process.memory_mib()
            base_rate, base_memory = base_rate or rate, base_memory or memory
            queued = int(process.rows("SELECT count(*) FROM jobs WHERE state = 'queued'")[0][0])
            say(
                f"rate and memory at a backlog of {size:,}",
                f"{rate:,.0f} jobs/s ({rate / base_rate:.0%}), {memory:.0f} MiB ({memory - base_memory:+.0f})",
            )


def idle() -> None:
    """Start and memory of an idle daemon, which is one process."""
    with TemporaryDirectory() as place, daemon(Path(place) / "state") as process:
        say("from the command to ready", f"{process.ready_seconds:.2f} s")
        for _ in range(20):
            process.client.request("GET", "/v1/status")
        say("resident memory of an idle daemon, one process", f"{process.memory_mib():.0f} MiB")
