"""Time is a parameter: everything that schedules asks a `Clock`, nothing asks the operating system.

An `Instant` is a whole number of microseconds since 1970-01-01T00:00:00Z (negative before), leap seconds ignored.
Durations are seconds as `float`. There are three clocks: wall time, which anybody may set; boot time, which nobody can
set and which counts the machine's sleep; monotonic time, which stands still while the machine sleeps. A `Reading` of
wall and boot time is kept, so that the next one tells by how much the wall clock was set in between.
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
# The system clock's longest sleep towards a wall time, in seconds: a jump is noticed within it.
LONGEST_SLEEP = 30.0
# A wall clock that moves by less against the boot clock has drifted; by this much or more, somebody has set it.
STEP = 2 * SECOND

# The environment variable by which the unit names this boot.
BOOT_ID = "LAUNCHD_BOOT_ID"
# Two clocks that are read further apart than this many seconds were not read at one moment.
_HELD_UP_SECONDS = 0.1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_MICROSECOND = timedelta(microseconds=1)
# The first and the last instant that a text can say: the years 1 to 9999, UTC.
FIRST_INSTANT: Instant = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_INSTANT: Instant = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
# Stands in the place of a stored value that cannot be shown.
UNREADABLE = "unreadable"
_MAX_QUOTED = 100


class Clock(Protocol):
    """What the daemon knows of time."""

    def now(self) -> Instant:
        """Wall time; may jump either way."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything. Stands still while the machine sleeps."""

    def boot(self) -> float:
        """Seconds that never go back and count the machine's sleep: wall time that no one can correct."""

    def boot_id(self) -> str:
        """The name of this boot of the machine: boot times of different boots cannot be compared."""

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of monotonic time."""

    async def sleep_until(self, instant: Instant | None) -> None:
        """Wait for a wall time (None: for a while). May return early, so that a clock that jumped is noticed."""


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
        """The kernel's name for this boot."""
        return _boot_id()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)

    async def sleep_until(self, instant: Instant | None) -> None:
        """Wait on the running loop, at most 30 s."""
        seconds = LONGEST_SLEEP if instant is None else (instant - self.now()) / SECOND
        await asyncio.sleep(min(max(seconds, 0.0), LONGEST_SLEEP))


class Reading(NamedTuple):
    """Both clocks at one moment: wall and boot time in microseconds, and which boot that is."""

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
    """By how much the wall clock was set between two readings: negative for back, 0 for less than a STEP.

    Within one boot that is exact. Over a restart of the machine nobody counted how much time has passed, so only a wall
    clock that went back is known to be set, by that much at least.
    """
    moved = later.wall - earlier.wall
    if earlier.boot_id == later.boot_id and later.boot >= earlier.boot:
        moved -= later.boot - earlier.boot
    else:
        moved = min(moved, 0)
    return moved if abs(moved) >= STEP else 0


@cache
def _boot_id() -> str:
    try:  # the unit gives it as the environment: it hides all of /proc but processes (ProcSubset=pid)
        name = os.environ.get(BOOT_ID) or Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except OSError:  # every start counts as another boot, which claims to know less
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
    """The instant of an aware datetime; a naive one is refused with `InvalidError`."""
    if value.tzinfo is None:
        raise InvalidError(f"{value.isoformat()} has no time zone: write it in UTC, ending in Z")
    return (value - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """The aware UTC datetime of an instant; one beyond the years 1 to 9999 gives the nearest within. Never raises."""
    try:
        return _EPOCH + timedelta(microseconds=min(max(instant, FIRST_INSTANT), LAST_INSTANT))
    except (TypeError, ValueError):  # no number at all, read from a database that another program wrote
        return _EPOCH


def format_instant(instant: Instant) -> str:
    """RFC 3339 in UTC ending in Z, fractions only where there are any; UNREADABLE beyond the years 1 to 9999.

    Never raises, whatever a database holds: one time that cannot be written must not take a whole list with it.
    """
    try:
        return f"{(_NAIVE_EPOCH + timedelta(microseconds=instant)).isoformat()}Z"
    except (OverflowError, TypeError, ValueError):
        return UNREADABLE


def local_time(instant: Instant, zone: tzinfo) -> str:
    """The time by the clocks of a zone, with its offset; UNREADABLE where that is beyond the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=instant)).astimezone(zone).isoformat()
    except (OverflowError, TypeError, ValueError):
        return UNREADABLE


def parse_instant(text: str) -> Instant:
    """The instant of an RFC 3339 text with a zone; raises `InvalidError` for anything else.

    What `format_instant` cannot write is refused: the years 1 to 9999 hold once the offset is applied.
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
