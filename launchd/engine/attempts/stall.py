"""The stall monitor: a thread that names the job whose coroutine blocks the task loop.

It asks each monitored loop for a sign of life four times a second. A loop that does not answer is blocked; the frames
of its thread show by what. It logs once when a stall begins, every ten seconds while it lasts, and once when it ends.
Real time only: a blocked loop is a fact of this machine, whatever clock the daemon runs by.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from launchd.engine.attempts.attempt import Attempt
from launchd.logger import get_logger

_log = get_logger("launchd.stall")
BEAT_SECONDS = 0.25
STALL_SECONDS = 0.5
REPEAT_SECONDS = 10.0
_FRAMES = 12


class MonitoredLoop(NamedTuple):
    """A loop by functions that give it: a lost loop is replaced.

    `thread_id` is the ident of its thread, `who` the attempt that is in a step on it (None: unknown).
    """

    name: str
    loop: Callable[[], asyncio.AbstractEventLoop]
    thread_id: Callable[[], int | None]
    who: Callable[[], Attempt | None]


class Stall(NamedTuple):
    """A loop that is blocked, by whom, where, and for how long, in seconds."""

    loop: str
    job_id: str | None
    task: str | None
    stack: str
    seconds: float


class _Beat:
    """The last sign of life of one loop. `answered` is written by that loop, the rest by the monitor's thread."""

    __slots__ = ("answered", "asked", "monitored", "reported_at")

    def __init__(self, monitored: MonitoredLoop) -> None:
        self.monitored = monitored
        self.asked = 0.0
        self.answered = True
        self.reported_at: float | None = None

    def answer(self) -> None:
        self.answered = True


class StallMonitor:
    """Watches loops from a thread of its own. `stalls` maps a loop's name to its present stall; swapped whole."""

    def __init__(self, kill_seconds: Callable[[], float]) -> None:
        self.stalls: dict[str, Stall] = {}
        self._kill_seconds = kill_seconds
        self._beats: list[_Beat] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall", daemon=True)

    def watch(self, monitored: MonitoredLoop) -> None:
        """Monitor this loop too; call it before `start`."""
        self._beats.append(_Beat(monitored))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting."""
        self._end.set()

    def objection(self) -> str | None:
        """Why systemd must restart the daemon: a loop has been blocked for too long. None if none has."""
        for stall in self.stalls.values():
            if stall.seconds >= self._kill_seconds():
                return f"the {stall.loop} has been blocked by {stall.task} {stall.job_id} for {stall.seconds:.0f} s"
        return None

    def _watch(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            for beat in self._beats:
                self.check(beat, time.monotonic())

    def check(self, beat: _Beat, now: float) -> None:
        """Check one loop once, at monotonic `now`."""
        monitored = beat.monitored
        if beat.answered:
            self._recovered(beat, now)
            beat.asked, beat.answered = now, False
            try:
                monitored.loop().call_soon_threadsafe(beat.answer)
            except RuntimeError:  # it is closed, and about to be replaced; otherwise it will not answer
                return
        elif now - beat.asked >= STALL_SECONDS:
            stall = _describe(monitored, now - beat.asked)
            self.stalls = self.stalls | {monitored.name: stall}
            if beat.reported_at is None or now - beat.reported_at >= REPEAT_SECONDS:
                beat.reported_at = now
                _log.error("loop_blocked", **stall._asdict())

    def _recovered(self, beat: _Beat, now: float) -> None:
        if beat.reported_at is None:
            return
        beat.reported_at = None
        stall = self.stalls[beat.monitored.name]
        self.stalls = {name: other for name, other in self.stalls.items() if name != beat.monitored.name}
        seconds = round(now - beat.asked, 2)
        _log.warning("loop_goes_on", loop=stall.loop, job_id=stall.job_id, task=stall.task, seconds=seconds)


def _describe(monitored: MonitoredLoop, seconds: float) -> Stall:
    attempt = monitored.who()
    frame = sys._current_frames().get(monitored.thread_id() or 0)  # noqa: SLF001 - the documented way to see other threads
    stack = "".join(traceback.format_stack(frame)[-_FRAMES:]) if frame is not None else ""
    job = attempt.job if attempt is not None else None
    return Stall(monitored.name, job.id if job else None, job.task if job else None, stack, round(seconds, 2))
