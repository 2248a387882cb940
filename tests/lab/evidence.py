"""Questions that the rules ask of a record, and what a rule finds. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from tests.lab.record import Record, Request, Run

T = TypeVar("T")
# When something may have happened: from when it was asked to when it was done, or its daemon dead.
Interval = tuple[int, int]


class Fault(NamedTuple):
    """A promise that was not kept: which, and the evidence."""

    kind: str
    detail: str


def grouped(items: list[T], key: Callable[[T], str | None]) -> dict[str, list[T]]:
    """Items by key, in order; those without one left out."""
    found: dict[str, list[T]] = defaultdict(list)
    for item in items:
        name = key(item)
        if name is not None:
            found[name].append(item)
    return found


def overlapping(runs: list[Run]) -> Iterator[tuple[Run, Run]]:
    """Pairs of runs, in the order of their begins, of which the first surely went on when the second had begun."""
    going: list[Run] = []
    for run in runs:
        going = [earlier for earlier in going if earlier.last > run.begin]
        yield from ((earlier, run) for earlier in going)
        going.append(run)


def requeues_of(record: Record) -> dict[str, list[Interval]]:
    """When each job may have been requeued."""
    found: dict[str, list[Interval]] = defaultdict(list)
    for request in record.requests:
        if request.action == "requeue" and request.possible:
            found[request.target].append((request.asked_at, _done_by(record, request)))
    return found


def _done_by(record: Record, request: Request) -> int:
    """When a request was done, if it was: answered, or its daemon had ended."""
    if request.answered_at is not None:
        return request.answered_at
    ends = (life.ended_at for life in record.lives if life.ended_at is not None and life.ended_at > request.asked_at)
    return min(ends, default=request.asked_at)


def lock_losses(record: Record) -> list[int]:
    """When an operator may have taken a lock: it can end a run before that could say that it began."""
    return sorted(one.asked_at for one in record.requests if one.action == "release" and one.possible)


def killed_between(record: Record, begin: int, end: int) -> int:
    """How many lives were killed in (begin, end)."""
    return sum(life.killed and life.ended_at is not None and begin < life.ended_at < end for life in record.lives)


def between(times: list[int], begin: int, end: int) -> int:
    """How many of these ascending times are in (begin, end)."""
    return max(bisect_left(times, end) - bisect_left(times, begin + 1), 0)


def first_from(spans: list[Interval], at: int) -> int | None:
    """The earliest that one of these may have happened after `at`."""
    return min((max(asked, at) for asked, done in spans if done > at), default=None)
