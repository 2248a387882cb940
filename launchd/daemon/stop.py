"""The end of a daemon: what runs may finish, is asked to end, is put back; in this order, within bounds."""

import asyncio
from collections.abc import Awaitable

import structlog

from launchd.clock import Clock
from launchd.daemon.build import Parts
from launchd.engine.attempt import Stop
from launchd.engine.pool import Pool
from launchd.errors import StoreError
from launchd.ops.systemd import extending, notify

_log = structlog.get_logger("launchd.daemon")


async def stop(parts: Parts, scheduler: asyncio.Task[None] | None, hurry: asyncio.Event) -> None:
    """No new fires, no new claims, drain, cancel, put back on disk: in this order, within bounds."""
    parts.life.stopping, parts.life.leader = True, False
    notify("STOPPING=1")
    if scheduler is not None:
        scheduler.cancel()
    pools = list(parts.dispatcher.pools.values())
    for pool in pools:
        pool.closing = True
    running = sum(len(pool.running) for pool in pools)
    _log.info("stopping", running=running, drain_seconds=parts.in_force.config.daemon.drain_seconds)
    async with extending(parts.clock, lambda: f"draining: {sum(len(pool.running) for pool in pools)} running"):
        await _drain(parts, pools, hurry)
    parts.monitor.stop()
    await _note_clock(parts)
    await parts.locks.close()
    if not await parts.executor.close(1.0):
        _log.error("task_thread_blocked", detail="a task blocks its loop; it ends with this process")


async def _note_clock(parts: Parts) -> None:
    """Keep what the clocks read last: the next start can tell a correction from the time that it was stopped."""
    try:
        await parts.timekeeper.check()
        await parts.timekeeper.note()
    except StoreError as error:
        _log.warning("clock_not_noted", error=error.detail)


async def _drain(parts: Parts, pools: list[Pool], hurry: asyncio.Event) -> None:
    """Wait for what runs, then cancel it, then put back what is left."""

    async def idle() -> None:
        await asyncio.gather(*(pool.idle() for pool in pools))

    daemon = parts.in_force.config.daemon
    if not await _within(idle(), daemon.drain_seconds, hurry, parts.clock):
        for pool in pools:
            pool.stop_all(Stop.DRAIN)
        if not await _within(idle(), daemon.cancel_seconds, hurry, parts.clock):
            abandoned = [await pool.abandon(parts.clock.now()) for pool in pools]
            _log.warning("put_back", jobs=sum(abandoned))


async def _within(work: Awaitable[None], seconds: float, hurry: asyncio.Event, clock: Clock) -> bool:
    """Whether the work was done before the time was up or somebody was in a hurry."""
    done = asyncio.ensure_future(work)
    others = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(hurry.wait())]
    try:
        await asyncio.wait([done, *others], return_when=asyncio.FIRST_COMPLETED)
        return done.done()
    finally:
        for future in (done, *others):
            future.cancel()
