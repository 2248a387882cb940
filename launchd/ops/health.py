"""Health: does each part of the daemon work, and if not, what is wrong and since when?

A check is a coroutine function that returns a `Finding`; each part provides its own. The worst finding is the verdict.
A check that raises is unhealthy.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

from launchd.clock import Clock, Instant

CHECK_TIMEOUT_SECONDS = 5.0
DETAIL_CHARACTERS = 4000


class Level(StrEnum):
    """The level of a finding, best first."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_ORDER = list(Level)


class Finding(NamedTuple):
    """The result of a check; `detail` is one sentence for the operator.

    `since` is when the level began, if the check knows that.
    """

    level: Level
    detail: str
    since: Instant | None = None


class CheckReport(NamedTuple):
    """A finding, and since when it has been at this level."""

    level: Level
    detail: str
    since: Instant


class HealthReport(NamedTuple):
    """The verdict and each check by name."""

    level: Level
    checks: dict[str, CheckReport]


Check = Callable[[], Awaitable[Finding]]
# Called when the level of a check changes: its name, the level before (None at the first run), the new report.
OnChange = Callable[[str, Level | None, CheckReport], None]


def _ignored(_name: str, _before: Level | None, _found: CheckReport) -> None:
    """No listener."""


class Health:
    """Runs the checks and remembers since when each has been at its level. Owned by the control loop."""

    def __init__(self, clock: Clock, on_change: OnChange = _ignored) -> None:
        self.on_change = on_change
        self._clock = clock
        self._checks: dict[str, Check] = {}
        self._last: dict[str, CheckReport] = {}
        self._runs = 0
        self._newest: dict[str, int] = {}  # the number of the run that each report in `_last` is from
        self._hanging: dict[str, asyncio.Task[Finding]] = {}

    def add(self, name: str, check: Check, *, first: bool = False) -> None:
        """Add a check, and list it after the others, or before them with `first`."""
        self._checks = {name: check} | self._checks if first else self._checks | {name: check}

    async def run(self) -> None:
        """Run every check at the start and every half minute, so that the start of each level is known."""
        while True:
            await self.report()
            await self._clock.sleep_until(None)

    async def report(self) -> HealthReport:
        """Run every check now, side by side."""
        self._runs += 1
        run = self._runs
        checks = dict(self._checks)  # more may be added while these run
        findings = await asyncio.gather(*(self._run(name, check) for name, check in checks.items()))
        for name, finding in zip(checks, findings, strict=True):
            if run > self._newest.get(name, 0):  # a later report may have been faster
                self._newest[name] = run
                self._note(name, finding)
        levels = [report.level for report in self._last.values()]
        return HealthReport(max(levels, key=_ORDER.index, default=Level.HEALTHY), dict(self._last))

    def _note(self, name: str, finding: Finding) -> None:
        before = self._last.get(name)
        same = before is not None and before.level is finding.level
        since = before.since if before is not None and same else finding.since or self._clock.now()
        found = self._last[name] = CheckReport(finding.level, _clean(finding.detail), since)
        if not same:
            self.on_change(name, before.level if before else None, found)

    async def _run(self, name: str, check: Check) -> Finding:
        """The finding of one check, which may raise anything, hang, or refuse to be cancelled."""
        hanging = self._hanging.get(name)
        if hanging is not None and not hanging.done():
            return Finding(Level.UNHEALTHY, "the check hangs: an earlier run has not ended")
        asked = asyncio.create_task(_guarded(check))
        done, _ = await asyncio.wait({asked}, timeout=CHECK_TIMEOUT_SECONDS)
        if done:
            return asked.result() if not asked.cancelled() else Finding(Level.UNHEALTHY, "the check was cancelled")
        asked.cancel()
        self._hanging[name] = asked
        return Finding(Level.UNHEALTHY, f"no answer within {CHECK_TIMEOUT_SECONDS:g} s")


async def _guarded(check: Check) -> Finding:
    try:
        return await check()
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - a check that breaks is itself a finding
        return Finding(Level.UNHEALTHY, f"the check failed: {type(error).__name__}: {_words(error)}")


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - __str__ of an error may raise
        return "(no text)"


def _clean(detail: str) -> str:
    """The text as valid UTF-8 of bounded length."""
    return detail[:DETAIL_CHARACTERS].encode("utf-8", "backslashreplace").decode()
