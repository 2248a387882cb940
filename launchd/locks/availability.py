"""Can the lock backend be reached, and can it do the work? Asked by a lock of this daemon's own, so that no job has to.

Owned by the control loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from launchd.clock import Clock, until
from launchd.errors import LaunchdError, UnavailableError
from launchd.lock import Locks
from launchd.logger import get_logger

_log = get_logger("launchd.locks")
# A question that is not answered within this time has failed, whatever the backend's own time-outs are.
ASK_SECONDS = 10.0
# All steps of one probe together; less than the time that a health check has.
PROBE_SECONDS = 4.0
# How soon a backend that was away is asked again.
RETRY_SECONDS = 1.0
# Begins the name of a probe's lock; the instance follows. Such a lock lapses soon where it cannot be given back.
PROBE_PREFIX = "launchd:probe:"
_PROBE_TTL_SECONDS = 5.0
_T = TypeVar("_T")


class Availability:
    """Notes when the backend fails, and asks it again until it gives a lock.

    `outage` is the reason why no lock can be taken at the moment. `prepare` runs before each probe (the locks of dead
    instances are void first); `on_back` is called once the backend works again.
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
        """No lock can be taken: the backend is asked again until it gives one."""
        if self.outage is None:
            _log.error("locks_unavailable", error=detail, detail="jobs that need a lock wait")
        self.outage = detail
        self._down.set()

    def answered(self) -> None:
        """The backend has just done its work."""
        if self.outage is not None:
            _log.info("locks_available")
            self.outage = None
            self._down.clear()
            self._on_back()

    async def probe(self) -> None:
        """Take, renew and give back a lock as jobs do; raises UnavailableError with the step that failed.

        Callers at the same time share one probe.
        """
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())
        await asyncio.shield(self._probing)

    async def run(self, wake: asyncio.Event) -> None:
        """Ask a backend that was away every second, and at once when `wake` says that it is heard again."""
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
        step, name = "void the locks of earlier daemons", f"{PROBE_PREFIX}{self._owner}"
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._prepare()
                step = "take a lock"
                lock = await self._backend.acquire(name, owner=self._owner, job_id=None, ttl_seconds=_PROBE_TTL_SECONDS)
                step = "renew a lock"
                if not await self._backend.renew([lock]):
                    raise UnavailableError("the lock that was just taken is not known")  # noqa: TRY301 - the same end
                step = "give a lock back"
                await self._backend.release(lock)
        except Exception as error:
            raise UnavailableError(f"could not {step}: {_words(error, PROBE_SECONDS)}") from error


async def within(seconds: float, asked: Awaitable[_T]) -> _T:
    """The answer of the backend; raises UnavailableError when there is none in time, and for any error of its own."""
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
