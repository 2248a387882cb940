"""Loops that must not end: an exception is logged and the loop goes on, after a pause that grows.

SystemExit, KeyboardInterrupt and the like from inside a loop end the daemon: the task group of all loops fails, running
jobs are put back, and the process ends with an exit code other than 0.
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
    """An error ended a loop of the daemon that cannot go on after it."""


async def unending(name: str, body: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run `body`, which loops for ever, again whenever it ends. Never returns; raises BrokenLoopError.

    `name` is the name of the loop in the log.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = clock.monotonic()
        try:
            await body()
            error: BaseException | None = None
        except asyncio.CancelledError:
            raise
        except Exception as failure:  # noqa: BLE001 - this loop must not end
            error = failure
        except BaseException as fatal:
            raise BrokenLoopError(f"the loop of {name} was ended by {type_name(fatal)}") from fatal
        if clock.monotonic() - began > CALM_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        words = "it returned" if error is None else describe(error).message or type_name(error)
        _log.error("loop_failed", loop=name, error=words, again_in=pause, exc_info=error)
        await clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
