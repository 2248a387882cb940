"""The functions that join the scheduler to the rest of the engine."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from launchd.clock import Instant
from launchd.job import NewJob
from launchd.schedules.schedule import Fire, Schedule
from launchd.schedules.tighten import Near
from launchd.store.fires import Cancelled, Recorded

MakeJob = Callable[[Schedule, Fire], NewJob]
# Gives what is near in [first, last]; raises LaunchdError. The scheduler does not know where it comes from.
NearBy = Callable[[Instant, Instant], Awaitable[Sequence[Near]]]


class FireCallbacks(NamedTuple):
    """Called after a tick: with the jobs that were made, those to cancel, and the new rows of the ledger.

    `expect` is called before, with the schedules that are due, in the step that asks the store for their jobs.
    """

    made: Callable[[Sequence[NewJob]], None]
    cancel: Callable[[Sequence[Cancelled]], None]
    recorded: Callable[[Sequence[Recorded]], None] = lambda _rows: None
    expect: Callable[[Sequence[Schedule]], None] = lambda _schedules: None
