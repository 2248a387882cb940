"""Health: is the daemon fit for work, and if not, what is wrong and since when.

A check is a coroutine function that returns a `Finding`; who owns a thing provides its check. The worst finding is the
verdict. Checks that raise are unhealthy: not to know is not to be well.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

from launchd.clock import Clock, Instant

CHECK_TIMEOUT_SECONDS = 5.0


class Level(StrEnum):
    """How well something is, best first."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_ORDER = list(Level)


class Finding(NamedTuple):
    """What a check found; `detail` is one sentence for the operator."""

    level: Level
    detail: str


class CheckReport(NamedTuple):
    """A finding and since when it has been at this level."""

    level: Level
    detail: str
    since: Instant


class HealthReport(NamedTuple):
    """The verdict and each check by name."""

    level: Level
    checks: dict[str, CheckReport]


Check = Callable[[], Awaitable[Finding]]


class Health:
    """Runs the checks and remembers since when each has been at its level. Owned by the control loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checks: dict[str, Check] = {}
        self._last: dict[str, CheckReport] = {}
        # told the name, the level before (None at the first look) and what was found, when a level is another one
        self.on_change: Callable[[str, Level | None, CheckReport], None] = lambda _name, _before, _found: None

    def add(self, name: str, check: Check, *, first: bool = False) -> None:
        """Run this check too, and list it before or after the others."""
        self._checks = {name: check} | self._checks if first else self._checks | {name: check}

    async def report(self) -> HealthReport:
        """Run every check now, side by side."""
        findings = await asyncio.gather(*(self._run(check) for check in self._checks.values()))
        for name, finding in zip(self._checks, findings, strict=True):
            before = self._last.get(name)
            since = before.since if before and before.level is finding.level else self._clock.now()
            found = self._last[name] = CheckReport(finding.level, finding.detail, since)
            if before is None or before.level is not finding.level:
                self.on_change(name, before.level if before else None, found)
        levels = [report.level for report in self._last.values()]
        return HealthReport(max(levels, key=_ORDER.index, default=Level.HEALTHY), dict(self._last))

    async def _run(self, check: Check) -> Finding:
        try:
            return await asyncio.wait_for(check(), CHECK_TIMEOUT_SECONDS)
        except TimeoutError:
            return Finding(Level.UNHEALTHY, f"no answer within {CHECK_TIMEOUT_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - a check that breaks is itself a finding
            return Finding(Level.UNHEALTHY, f"the check failed: {error}")
