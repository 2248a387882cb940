"""The stop of a daemon: running jobs may finish, are asked to end, are put back; in this order, within time limits.

A stop goes on after any failure. While a database refuses writes, running jobs cannot be put back: that is retried for
a while. If it never succeeds, a mark tells the next start that nothing crashed (`stop_mark`).
"""

import asyncio
from collections.abc import Awaitable, Sequence

from launchd.clock import Clock
from launchd.daemon.build import Parts
from launchd.daemon.stop_mark import StopMark
from launchd.engine.attempts.attempt import Stop
from launchd.engine.queues.pool import Pool
from launchd.errors import LaunchdError, StoreError
from launchd.logger import get_logger
from launchd.ops.systemd import extending, notify

_log = get_logger("launchd.daemon")
# How long the daemon tries to put jobs back while the store refuses, and how often. Together with drain_seconds and
# cancel_seconds of the default configuration that is less than TimeoutStopSec= of the unit.
PUT_BACK_SECONDS, TRY_SECONDS = 15.0, 1.0


async def stop(parts: Parts, scheduler: asyncio.Task[None] | None, hurry: asyncio.Event) -> None:
    """No new fires, no new claims, drain, cancel, put back: in this order, within time limits."""
    engine, daemon_state = parts.engine, parts.base.daemon_state
    daemon_state.stopping, daemon_state.leader = True, False
    notify("STOPPING=1")
    if scheduler is not None:
        scheduler.cancel()
    pools = list(engine.dispatcher.pools.values())
    for pool in pools:
        pool.closing = True
    engine.control.release_waiters()
    running = sum(len(pool.running) for pool in pools)
    _log.info("stopping", running=running, drain_seconds=parts.in_force.config.daemon.drain_seconds)
    async with extending(parts.clock, lambda: f"draining: {sum(len(pool.running) for pool in pools)} running"):
        await _drain(parts, pools, hurry)
    engine.control.release_waiters(closing=True)
    parts.oversight.monitor.stop()
    await _note_clock(parts)
    try:
        await engine.locks.close()
    except Exception as error:  # noqa: BLE001 - the locks expire by themselves, and the stop goes on
        _log.error("locks_not_given_back", error=str(error))
    if not await engine.dispatcher.executor.close(1.0):
        _log.error("task_thread_blocked", detail="a task blocks the task loop; it ends with this process")


async def _note_clock(parts: Parts) -> None:
    """Write the last reading of the clocks: the next start can tell a clock that was set from a long stop."""
    try:
        await parts.engine.timekeeper.check()
        await parts.engine.timekeeper.note()
    except StoreError as error:
        _log.warning("clock_not_noted", error=error.detail)


async def _drain(parts: Parts, pools: list[Pool], hurry: asyncio.Event) -> None:
    """Wait for the running jobs, then cancel them, then put back those that are left."""

    async def idle() -> None:
        await asyncio.gather(*(pool.idle() for pool in pools))

    daemon = parts.in_force.config.daemon
    if not await _within(idle(), daemon.drain_seconds, hurry, parts.clock):
        for pool in pools:
            pool.stop_all(Stop.DRAIN)
        if not await _within(idle(), daemon.cancel_seconds, hurry, parts.clock):
            await _put_back(parts, pools, hurry)


async def _put_back(parts: Parts, pools: Sequence[Pool], hurry: asyncio.Event) -> None:
    """Put back the jobs that are left, pool by pool, and retry while the store refuses; at last set the mark."""
    clock, count = parts.clock, 0
    patience = clock.monotonic() + PUT_BACK_SECONDS
    while True:
        refused = []
        for pool in pools:
            try:
                count += await pool.abandon(clock.now())
            except LaunchdError as error:
                refused.append(pool)
                _log.error("not_put_back", queue=pool.queue, jobs=len(pool.running), error=error.detail)
        pools = refused
        if not pools or hurry.is_set() or clock.monotonic() >= patience:
            break
        await _within(clock.sleep(TRY_SECONDS), TRY_SECONDS, hurry, clock)
    _log.warning("put_back", jobs=count)
    if pools:
        StopMark(parts.in_force.config.state_directory).set(parts.base.daemon_state.instance)


async def _within(work: Awaitable[None], seconds: float, hurry: asyncio.Event, clock: Clock) -> bool:
    """True if the work was done before the time was up or `hurry` was set."""
    done = asyncio.ensure_future(work)
    others = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(hurry.wait())]
    try:
        await asyncio.wait([done, *others], return_when=asyncio.FIRST_COMPLETED)
        return done.done()
    finally:
        for future in (done, *others):
            future.cancel()
