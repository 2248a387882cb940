"""Time is a parameter: all code that schedules gets the time from a `Clock`, never from the operating system.

An `Instant` is a whole number of microseconds since 1970-01-01T00:00:00Z (negative before), without leap seconds: POSIX
time, where each day has 86,400 seconds. Durations are seconds as `float`. There are three clocks (clock_gettime(2)):
wall time, which may be set; boot time, which cannot be set and counts the machine's sleep; monotonic time, which stands
still while the machine sleeps. Two `Reading`s of wall and boot time show by how much the wall clock was set in between.
"""

import asyncio
import os
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from launchd.errors import InvalidError

Instant = int
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Later than any instant.
FOREVER: Instant = 2**63 - 1
# The system clock's longest sleep towards a wall time, in seconds: a clock that was set is noticed within it.
LONGEST_SLEEP = 30.0
# A wall clock that moves against the boot clock by this much or more was set; by less, it has drifted.
STEP = 2 * SECOND

# The environment variable in which the systemd unit passes the name of this boot.
BOOT_ID = "LAUNCHD_BOOT_ID"
# Two clocks that are read more than this many seconds apart were not read at one moment.
_HELD_UP_SECONDS = 0.1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_MICROSECOND = timedelta(microseconds=1)
# The first and last instants that RFC 3339 can write: the years 1 to 9999, UTC.
FIRST_INSTANT: Instant = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_INSTANT: Instant = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
# The text shown in place of a stored value that cannot be read.
UNREADABLE = "unreadable"
_MAX_QUOTED = 100


class Clock(Protocol):
    """The three clocks, and two ways to wait."""

    def now(self) -> Instant:
        """Wall time in microseconds UTC; it may jump forward or back."""

    def monotonic(self) -> float:
        """Seconds that never go back and stand still while the machine sleeps; only differences are meaningful."""

    def boot(self) -> float:
        """Seconds that never go back and count the machine's sleep; only differences within one boot are meaningful."""

    def boot_id(self) -> str:
        """The name of this boot of the machine: do not compare boot times of different boots."""

    async def sleep(self, seconds: float) -> None:
        """Wait this many seconds of monotonic time."""

    async def sleep_until(self, instant: Instant | None) -> None:
        """Wait until a wall time; None waits as long as the clock allows. It may return early: check and call again."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> Instant:
        """Wall time from the kernel."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def boot(self) -> float:
        """CLOCK_BOOTTIME."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """The kernel's boot id, a random UUID without its hyphens."""
        return _boot_id()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)

    async def sleep_until(self, instant: Instant | None) -> None:
        """Wait on the running event loop, at most 30 s."""
        seconds = LONGEST_SLEEP if instant is None else (instant - self.now()) / SECOND
        await asyncio.sleep(min(max(seconds, 0.0), LONGEST_SLEEP))


class Reading(NamedTuple):
    """Both clocks at one moment: wall and boot time in microseconds, and the name of the boot."""

    wall: Instant
    boot: int
    boot_id: str


def reading(clock: Clock) -> Reading:
    """Read both clocks at one moment; read them again if the process was held up between the two."""
    while True:
        before, wall, after = clock.boot(), clock.now(), clock.boot()
        if after - before < _HELD_UP_SECONDS:
            return Reading(wall, int(after * SECOND), clock.boot_id())


def set_by(earlier: Reading, later: Reading) -> Instant:
    """The microseconds by which the wall clock was set between two readings; negative if back, 0 if less than STEP.

    Within one boot the result is exact: the change of wall time less that of boot time. Over a restart of the machine
    the elapsed time is unknown, so only a wall clock that went back was certainly set, by at least that much.
    """
    moved = later.wall - earlier.wall
    if earlier.boot_id == later.boot_id and later.boot >= earlier.boot:
        moved -= later.boot - earlier.boot
    else:
        moved = min(moved, 0)
    return moved if abs(moved) >= STEP else 0


@cache
def _boot_id() -> str:
    try:  # the unit passes it in the environment, since ProcSubset=pid hides this file
        name = os.environ.get(BOOT_ID) or Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except OSError:  # then each start counts as another boot, which claims less
        name = f"unknown since {time.time_ns()}"
    return name.strip().replace("-", "")


async def until(event: asyncio.Event, timer: Coroutine[Any, Any, None]) -> None:
    """Wait for an event, or for a timer (the sleep of a clock), whichever comes first."""
    waiting = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(timer)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in waiting:
            future.cancel()


def from_datetime(value: datetime) -> Instant:
    """The instant of an aware datetime; raises InvalidError for a naive one."""
    if value.tzinfo is None:
        raise InvalidError(f"{value.isoformat()} has no time zone: write it in UTC, ending in Z")
    return (value - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """The UTC datetime of an instant, clamped to the years 1 to 9999; the epoch for a value of another type.

    Never raises.
    """
    try:
        return _EPOCH + timedelta(microseconds=min(max(instant, FIRST_INSTANT), LAST_INSTANT))
    except (TypeError, ValueError):  # not a number, from a database that another program wrote
        return _EPOCH


def format_instant(instant: Instant) -> str:
    """RFC 3339 in UTC ending in Z, with a fraction only if it is not zero; UNREADABLE beyond the years 1 to 9999.

    Never raises, whatever value a database holds: one bad time must not make a whole list fail.

    >>> format_instant(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    try:
        return f"{(_NAIVE_EPOCH + timedelta(microseconds=instant)).isoformat()}Z"
    except (OverflowError, TypeError, ValueError):
        return UNREADABLE


def local_time(instant: Instant, zone: tzinfo) -> str:
    """RFC 3339 by the clocks of a zone, with its offset; UNREADABLE beyond the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=instant)).astimezone(zone).isoformat()
    except (OverflowError, TypeError, ValueError):
        return UNREADABLE


def parse_instant(text: str) -> Instant:
    """The instant of an RFC 3339 text with a zone; raises InvalidError for any other text.

    It must lie within the years 1 to 9999 in UTC, so that `format_instant` can write it.

    >>> parse_instant("1970-01-01T01:00:00+01:00")
    0
    """
    quoted = repr(text) if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]!r}..."
    try:
        value = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InvalidError(f"{quoted} is not a time such as 2026-01-31T06:00:00Z") from error
    instant = from_datetime(value)
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        raise InvalidError(f"{quoted} is beyond the years 1 to 9999 in UTC: write an earlier or a later time")
    return instant
