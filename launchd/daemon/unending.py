"""Loops that must not end: an exception is logged and the loop goes on, after a pause that grows.

What cannot be gone on from (SystemExit or KeyboardInterrupt out of code that nobody sent them to, a MemoryError that
comes again and again) ends the daemon, loudly: the group that drives all loops fails, what runs is put back, and the
process ends with a code that is not 0.
"""

import asyncio
from collections.abc import Awaitable, Callable

from launchd.clock import Clock
from launchd.logger import get_logger
from launchd.values.failure import describe
from launchd.values.plain import type_name

_log = get_logger("launchd.daemon")
# The pause after a failure, doubled for each that follows within CALM_SECONDS.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
CALM_SECONDS = 120.0


class BrokenLoopError(Exception):
    """A loop of the daemon was ended by something that no loop can go on from."""


async def unending(name: str, body: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run `body`, which loops for ever, again whenever it ends; returns never, and raises BrokenLoopError or cancelled.

    `name` is the loop's in the log.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = clock.monotonic()
        try:
            await body()
            error: BaseException | None = None
        except asyncio.CancelledError:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, this loop must not end
            error = failure
        except BaseException as fatal:
            raise BrokenLoopError(f"the loop of {name} was ended by {type_name(fatal)}") from fatal
        if clock.monotonic() - began > CALM_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        words = "it returned" if error is None else describe(error).message or type_name(error)
        _log.error("loop_failed", loop=name, error=words, again_in=pause, exc_info=error)
        await clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
