"""The availability of the lock backend, probed with a lock of this daemon's own, so that no job has to try.

It runs on the control loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from launchd.clock import Clock, until
from launchd.errors import LaunchdError, UnavailableError
from launchd.lock import Locks
from launchd.logger import get_logger

_log = get_logger("launchd.locks")
# The time-out of one request, whatever the backend's own time-outs are.
ASK_SECONDS = 10.0
# The time-out of a whole probe; shorter than that of a health check.
PROBE_SECONDS = 4.0
# The pause between two probes during an outage.
RETRY_SECONDS = 1.0
# A probe's lock is named by this prefix and the instance. It expires soon if it cannot be released.
PROBE_PREFIX = "launchd:probe:"
_PROBE_TTL_SECONDS = 5.0
_T = TypeVar("_T")


class Availability:
    """Records an outage of the backend, and probes it until it works again.

    `outage` is the reason why no lock can be acquired now; None while the backend works. `prepare` runs before each
    probe (it deletes the locks of dead instances); `on_back` is called once the backend works again.
    """

    def __init__(
        self,
        backend: Locks,
        clock: Clock,
        owner: str,
        *,
        prepare: Callable[[], Awaitable[None]],
        on_back: Callable[[], None],
    ) -> None:
        self.outage: str | None = None
        self._backend = backend
        self._clock = clock
        self._owner = owner
        self._prepare = prepare
        self._on_back = on_back
        self._down = asyncio.Event()
        self._probing: asyncio.Task[None] | None = None

    def failed(self, detail: str) -> None:
        """Record that no lock can be acquired, and why; the probes begin."""
        if self.outage is None:
            _log.error("locks_unavailable", error=detail, detail="jobs that need a lock wait")
        self.outage = detail
        self._down.set()

    def answered(self) -> None:
        """Record that the backend works: the outage is over."""
        if self.outage is not None:
            _log.info("locks_available")
            self.outage = None
            self._down.clear()
            self._on_back()

    async def probe(self) -> None:
        """Acquire, renew and release a lock as jobs do; raises UnavailableError with the step that failed.

        Callers at the same time share one probe.
        """
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())
        await asyncio.shield(self._probing)

    async def run(self, wake: asyncio.Event) -> None:
        """Probe every second during an outage, and at once when `wake` is set."""
        while True:
            await self._down.wait()
            await until(wake, self._clock.sleep(RETRY_SECONDS))
            wake.clear()
            if self.outage is None:
                continue
            try:
                await self.probe()
            except UnavailableError as error:
                self.failed(error.detail)
            else:
                self.answered()

    async def _probe(self) -> None:
        step, name = "delete the locks of earlier daemons", f"{PROBE_PREFIX}{self._owner}"
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._prepare()
                step = "acquire a lock"
                lock = await self._backend.acquire(name, owner=self._owner, job_id=None, ttl_seconds=_PROBE_TTL_SECONDS)
                step = "renew a lock"
                if not await self._backend.renew([lock]):
                    raise UnavailableError("the backend lacks the lock it just gave")  # noqa: TRY301 - the same end
                step = "release a lock"
                await self._backend.release(lock)
        except Exception as error:
            raise UnavailableError(f"could not {step}: {_words(error, PROBE_SECONDS)}") from error


async def within(seconds: float, asked: Awaitable[_T]) -> _T:
    """The backend's answer; raises UnavailableError if it takes more than `seconds`, or if the backend fails."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except LaunchdError:
        raise
    except Exception as error:
        raise UnavailableError(f"the lock backend cannot be asked: {_words(error, seconds)}") from error


def _words(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    return error.detail if isinstance(error, LaunchdError) else f"{type(error).__name__}: {error}"
