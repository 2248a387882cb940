"""The watchdog: sends WATCHDOG=1 to systemd, but only while the daemon makes progress.

systemd restarts a service that does not send WATCHDOG=1 within WatchdogSec=. It is withheld unless
- the scheduler ticks,
- each pool takes a turn soon after it was woken: a turn claims the jobs that can start,
- each database's writer answers: it commits, or reports that it cannot. A full or broken disk concerns health, not the
  watchdog: a restart repairs no disk, and after one the daemon could not even start,
- no other part objects (`objection`: the stall monitor, for a task that blocks its loop).

`Signs` are facts, `withheld` is the rule, `Watchdog` is the loop. It knows nothing of the engine, whose signs it reads.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from launchd.clock import Clock
from launchd.logger import get_logger
from launchd.ops.systemd import notify, status

_log = get_logger("launchd.watchdog")
# How long each part may be silent. The writer's limit is long: one ingest is one transaction.
TICK_SECONDS = 65.0  # the scheduler sleeps at most 30 s
TURN_SECONDS = 20.0
WRITER_SECONDS = 60.0
# Without a watchdog the status line is still refreshed this often.
STATUS_SECONDS = 10.0


class Signs(NamedTuple):
    """For how many seconds each part has been silent; 0 for a part that owes no sign.

    `tick` is None where no scheduler runs, `turns` are by queue and `writers` by database. `objection` is a sentence,
    None without one.
    """

    tick: float | None
    turns: Mapping[str, float]
    writers: Mapping[str, float]
    objection: str | None = None


def withheld(signs: Signs) -> str | None:
    """Why WATCHDOG=1 must not be sent; None if the daemon makes progress. Pure."""
    if signs.objection is not None:
        return signs.objection
    if signs.tick is not None and signs.tick > TICK_SECONDS:
        return f"the scheduler has not ticked for {signs.tick:.0f} s"
    for queue, seconds in sorted(signs.turns.items()):
        if seconds > TURN_SECONDS:
            return f"queue {queue} was woken and has claimed nothing for {seconds:.0f} s"
    for database, seconds in sorted(signs.writers.items()):
        if seconds > WRITER_SECONDS:
            return f"the writer of {database} has not answered for {seconds:.0f} s"
    return None


class Watchdog:
    """Reads the signs, decides, notifies systemd. `read_signs` and `describe` (the status line) run on its loop.

    `period` is WatchdogSec in seconds (None: no watchdog). `reason` is why WATCHDOG=1 is withheld now.
    """

    def __init__(
        self,
        clock: Clock,
        read_signs: Callable[[], Signs],
        describe: Callable[[], Awaitable[str]],
        *,
        period: float | None,
        send: Callable[..., object] = notify,
    ) -> None:
        self.reason: str | None = None
        self._clock = clock
        self._read_signs = read_signs
        self._describe = describe
        self._send = send
        self._interval = min(period / 3, STATUS_SECONDS) if period else STATUS_SECONDS
        self._watched = period is not None

    async def run(self) -> None:
        """Check for ever, three times within WatchdogSec."""
        while True:
            await self.run_once()
            await self._clock.sleep(self._interval)

    async def run_once(self) -> bool:
        """Check once; True if the daemon makes progress."""
        reason = withheld(self._read_signs())
        if reason is not None and reason != self.reason:
            _log.error("watchdog_withheld", reason=reason, restart=self._watched)
        elif reason is None and self.reason is not None:
            _log.warning("watchdog_resumed", after=self.reason)
        self.reason = reason
        if reason is None:
            self._send("WATCHDOG=1")
            self._send(status(await self._describe()))
        else:
            self._send(status(f"stuck: {reason}"))
        return reason is None
