"""The jobs of a queue that wait for a lock, the locks known to be taken, and when to ask for them again. No I/O.

A lock that was found taken is not asked for again until it is due: after a second, when a wait for it ends, or when a
lock was released. Until then other jobs that need it join the waiting ones without a question to the backend.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from launchd.clock import Clock, format_instant
from launchd.lock import Lock
from launchd.store.claims import Candidate

# How often a lock that is held elsewhere, or that cannot be taken, is asked for again.
POLL_SECONDS = 1.0
# The most jobs of a queue whose wait for a lock is timed; the rest wait in the store.
LIMIT = 1000


class LockWait(NamedTuple):
    """A ready job that found its lock taken. Times are monotonic seconds."""

    candidate: Candidate
    until: float
    holder: Lock


class Overdue(NamedTuple):
    """A job whose lock was held for as long as the job may wait."""

    candidate: Candidate
    holder: Lock


class _Closed(NamedTuple):
    """A lock that is not asked for before `look_at`: it is held, or asking for this one lock failed."""

    look_at: float
    holder: Lock | None
    fault: str | None


class LockWaits:
    """The jobs that wait, by seq. Changed by the queue's lock desk only."""

    def __init__(self, clock: Clock) -> None:
        self.waits: dict[int, LockWait] = {}
        self._clock = clock
        self._closed: dict[str, _Closed] = {}

    @property
    def full(self) -> bool:
        """True if no more jobs may wait here."""
        return len(self.waits) >= LIMIT

    @property
    def looking(self) -> bool:
        """True while a lock must be asked for again: it may be released without notice to this daemon."""
        return bool(self.waits or self._closed)

    def next_look(self) -> float | None:
        """When the next lock is due, in monotonic seconds; None if none will be."""
        now = self._clock.monotonic()
        return min((one.look_at for one in self._closed.values() if one.look_at > now), default=None)

    def waiting(self) -> list[int]:
        """The jobs that the store leaves out: they wait for a lock that is not due."""
        return [seq for seq, wait in self.waits.items() if self._shut(wait.candidate.lock) is not None]

    def barred(self) -> list[str]:
        """The locks whose jobs the store leaves out."""
        names = [name for name in self._closed if self._shut(name) is not None]
        return names if self.full else [name for name in names if self._closed[name].fault is not None]

    def holder(self, name: str) -> Lock | None:
        """The known holder of the lock; None if the backend must be asked."""
        closed = self._shut(name)
        return closed.holder if closed is not None else None

    def faulty_now(self, name: str) -> bool:
        """True while this lock is not asked for because it cannot be taken."""
        closed = self._shut(name)
        return closed is not None and closed.fault is not None

    def fault(self, name: str | None) -> str | None:
        """Why this one lock cannot be taken."""
        closed = self._closed.get(name or "")
        return closed.fault if closed is not None else None

    def faults(self) -> dict[str, str]:
        """The locks that cannot be taken although the backend works, and why."""
        return {name: one.fault for name, one in self._closed.items() if one.fault is not None}

    def join(self, candidate: Candidate, holder: Lock, seconds: float) -> list[Overdue]:
        """Let a job wait for a lock that is known to be held, `seconds` in all; returns it if that time is over."""
        now = self._clock.monotonic()
        known = self.waits.get(candidate.seq)
        until = known.until if known is not None else now + seconds
        if until <= now:
            self.waits.pop(candidate.seq, None)
            return [Overdue(candidate, holder)]
        if known is not None or not self.full:
            self.waits[candidate.seq] = LockWait(candidate, until, holder)
            closed = self._closed.get(candidate.lock)
            if closed is not None:
                self._closed[candidate.lock] = closed._replace(look_at=min(closed.look_at, until))
        return []

    def denied(self, candidate: Candidate, holder: Lock, seconds: float) -> list[Overdue]:
        """The backend reports that the lock is held. Returns, and forgets, the jobs whose time to wait is over."""
        now, name = self._clock.monotonic(), candidate.lock
        overdue, look_at = self.join(candidate, holder, seconds), now + POLL_SECONDS
        for seq, wait in list(self.waits.items()):
            if wait.candidate.lock != name:
                continue
            if wait.until <= now:
                del self.waits[seq]
                overdue.append(Overdue(wait.candidate, holder))
            else:
                look_at = min(look_at, wait.until)
                self.waits[seq] = wait._replace(holder=holder)
        self._closed[name] = _Closed(look_at, holder, None)
        return overdue

    def faulty(self, name: str, fault: str) -> None:
        """Asking for this lock fails although the backend works: the time that its jobs wait does not count."""
        self.waits = {seq: wait for seq, wait in self.waits.items() if wait.candidate.lock != name}
        self._closed[name] = _Closed(self._clock.monotonic() + POLL_SECONDS, None, fault)

    def taken(self, candidate: Candidate) -> None:
        """This job does not wait any more: it has its lock, or it is not queued."""
        self.waits.pop(candidate.seq, None)
        self._closed.pop(candidate.lock, None)

    def offered(self, candidates: Sequence[Candidate], excluded: Collection[int]) -> None:
        """The store has offered every job that needs a lock, except those excluded: forget all others."""
        there = {candidate.seq for candidate in candidates}
        there.update(excluded)
        self.waits = {seq: wait for seq, wait in self.waits.items() if seq in there}
        needed = {wait.candidate.lock for wait in self.waits.values()} | {one.lock for one in candidates}
        self._closed = {name: one for name, one in self._closed.items() if name in needed or self._shut(name)}

    def look_again(self) -> None:
        """A lock was released: every lock is due."""
        self._closed = {name: one._replace(look_at=0.0) for name, one in self._closed.items()}

    def clear(self) -> None:
        """No lock can be taken: the time that jobs wait meanwhile does not count."""
        self.waits.clear()
        self._closed.clear()

    def _shut(self, name: str) -> _Closed | None:
        closed = self._closed.get(name)
        return closed if closed is not None and self._clock.monotonic() < closed.look_at else None


def held_by(lock: Lock) -> str:
    """The holder of a lock and since when, as part of a sentence."""
    who = f"job {lock.job_id}" if lock.job_id else lock.owner
    return f"by {who} since {format_instant(lock.since)}"
