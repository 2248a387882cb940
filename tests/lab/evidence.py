"""Queries on a record for the rules of the checker, and the faults that they find. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from tests.lab.record import Record, Request, Run

T = TypeVar("T")
# The time in which something may have happened: from its request to its answer, or to the end of the daemon.
Interval = tuple[int, int]


class Fault(NamedTuple):
    """A broken promise: its kind, and the evidence."""

    kind: str
    detail: str


def grouped(items: list[T], key: Callable[[T], str | None]) -> dict[str, list[T]]:
    """Items by key, in order; items without a key are left out."""
    found: dict[str, list[T]] = defaultdict(list)
    for item in items:
        name = key(item)
        if name is not None:
            found[name].append(item)
    return found


def overlapping(runs: list[Run]) -> Iterator[tuple[Run, Run]]:
    """Pairs of runs, in the order of their begins, of which the first certainly went on after the second had begun."""
    going: list[Run] = []
    for run in runs:
        going = [earlier for earlier in going if earlier.last > run.begin]
        yield from ((earlier, run) for earlier in going)
        going.append(run)


def requeues_of(record: Record) -> dict[str, list[Interval]]:
    """The intervals in which each job may have been requeued."""
    found: dict[str, list[Interval]] = defaultdict(list)
    for request in record.requests:
        if request.action == "requeue" and request.possible:
            found[request.target].append((request.asked_at, _done_by(record, request)))
    return found


def _done_by(record: Record, request: Request) -> int:
    """The latest time at which a request was done: its answer, or the end of its daemon."""
    if request.answered_at is not None:
        return request.answered_at
    ends = (life.ended_at for life in record.lives if life.ended_at is not None and life.ended_at > request.asked_at)
    return min(ends, default=request.asked_at)


def lock_losses(record: Record) -> list[int]:
    """The intervals in which an operator may have taken a lock: that may end a run before its first line."""
    return sorted(one.asked_at for one in record.requests if one.action == "release" and one.possible)


def killed_between(record: Record, begin: int, end: int) -> int:
    """The number of lives that were killed in (begin, end)."""
    return sum(life.killed and life.ended_at is not None and begin < life.ended_at < end for life in record.lives)


def between(times: list[int], begin: int, end: int) -> int:
    """The number of these ascending times in (begin, end)."""
    return max(bisect_left(times, end) - bisect_left(times, begin + 1), 0)


def first_from(spans: list[Interval], at: int) -> int | None:
    """The earliest time after `at` at which one of these may have happened."""
    return min((max(asked, at) for asked, done in spans if done > at), default=None)
