"""The watchdog: tells systemd that the daemon lives, only while it really gets on.

systemd restarts a service that does not say WATCHDOG=1 within WatchdogSec=. Here that word is withheld unless
- the scheduler ticks,
- each pool takes a turn soon after it was woken: a turn is what claims the work that can be claimed,
- each database's writer answers: it commits, or says that it cannot. A disk that refuses (full, broken) is a matter for
  health, not for the watchdog: a restart mends no disk, and after one the daemon could not even start,
- nobody else objects (`objection`: the stall monitor, for a task that blocks its loop).

`Signs` are facts, `withheld` is the rule, `Watchdog` the loop. It knows nothing of the engine: who owns a thing gives
its signs.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from launchd.clock import Clock
from launchd.logger import get_logger
from launchd.ops.systemd import notify, status

_log = get_logger("launchd.watchdog")
# How long each may be silent before the word is withheld. The writer's is long: one ingest is one transaction.
TICK_SECONDS = 65.0  # the scheduler sleeps at most 30 s
TURN_SECONDS = 20.0
WRITER_SECONDS = 60.0
# Without a watchdog the status line is still refreshed this often.
STATUS_SECONDS = 10.0


class Signs(NamedTuple):
    """How long each has been silent, in seconds; 0 for one that owes nothing.

    `tick` is None where no scheduler runs, `turns` are by queue and `writers` by database. `objection` is a sentence,
    None without one.
    """

    tick: float | None
    turns: Mapping[str, float]
    writers: Mapping[str, float]
    objection: str | None = None


def withheld(signs: Signs) -> str | None:
    """Why systemd must not hear that the daemon lives; None when it does. Pure."""
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
    """Looks, decides, tells. `look` gathers the signs, `describe` the status line; both run on the control loop.

    `period` is WatchdogSec in seconds (None: nobody watches). `reason` is why the word is withheld now.
    """

    def __init__(
        self,
        clock: Clock,
        look: Callable[[], Signs],
        describe: Callable[[], Awaitable[str]],
        *,
        period: float | None,
        tell: Callable[..., object] = notify,
    ) -> None:
        self.reason: str | None = None
        self._clock = clock
        self._look = look
        self._describe = describe
        self._tell = tell
        self._interval = min(period / 3, STATUS_SECONDS) if period else STATUS_SECONDS
        self._watched = period is not None

    async def run(self) -> None:
        """Look for ever, three times as often as systemd wants to hear."""
        while True:
            await self.run_once()
            await self._clock.sleep(self._interval)

    async def run_once(self) -> bool:
        """One look; whether the daemon lives."""
        reason = withheld(self._look())
        if reason is not None and reason != self.reason:
            _log.error("watchdog_withheld", reason=reason, restart=self._watched)
        elif reason is None and self.reason is not None:
            _log.warning("watchdog_resumed", after=self.reason)
        self.reason = reason
        if reason is None:
            self._tell("WATCHDOG=1")
            self._tell(status(await self._describe()))
        else:
            self._tell(status(f"stuck: {reason}"))
        return reason is None
