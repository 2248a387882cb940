"""The rules of the ledger: each occurrence of each schedule once, and each fire with its job. Pure."""

from collections import Counter
from collections.abc import Iterator

from launchd.clock import format_instant
from launchd.schedules.recurrence import Recurrence
from tests.lab.evidence import Fault, grouped
from tests.lab.record import FireRow, Record

_FIRED = {"fired", "backfilled"}


def every_fire_is_on_the_ledger_once(record: Record) -> Iterator[Fault]:
    """From the daemon's first answer to the end, each occurrence is in exactly one row, and the counts are right.

    A backfill may add earlier occurrences; each of them is in one row as well.
    """
    rows = grouped(record.fires, lambda row: row.schedule)
    begun = min((life.ready_wall for life in record.lives if life.ready_wall is not None), default=record.settled)
    for name, recurrence in record.recurrences.items():
        reached = 0
        for row in sorted(rows.get(name, []), key=lambda row: row.fire_time):
            expected = recurrence.next(max(reached, begun))
            yield from _row(name, recurrence, row)
            if row.fire_time <= reached:
                yield Fault("fire_doubled", f"{_said(row)}, which is in an earlier row")
            if expected is None or row.fire_time > expected:
                yield Fault("fire_lost", f"{_said(row)}, before which something is missing after {_at(reached)}")
            reached = max(_end(row), reached)
        expected = recurrence.next(max(reached, begun))
        if expected is not None and expected <= record.settled:
            yield Fault("fire_lost", f"{name}: nothing from {_at(expected)} on")


def _row(name: str, recurrence: Recurrence, row: FireRow) -> Iterator[Fault]:
    count = recurrence.count(row.fire_time - 1, _end(row))
    ends = recurrence.previous(_end(row)) == _end(row) and recurrence.previous(row.fire_time) == row.fire_time
    if count != row.count or not ends:
        yield Fault("fire_miscounted", f"{_said(row)} until {_at(_end(row))}: {row.count}, {name} has {count}")


def _said(row: FireRow) -> str:
    return f"{row.schedule}: {row.outcome} at {_at(row.fire_time)}"


def _at(instant: int | None) -> str:
    return format_instant(instant or 0)


def _end(row: FireRow) -> int:
    return row.until if row.until is not None else row.fire_time


def fires_have_their_jobs(record: Record) -> Iterator[Fault]:
    """Each fired row has its job, each job of a schedule its row, and no fire has two."""
    rows = {row.job_id: row for row in record.fires if row.job_id is not None}
    for row in record.fires:
        job = record.jobs.get(row.job_id or "")
        if row.outcome in _FIRED and (job is None or (job.schedule, job.fire_time) != (row.schedule, row.fire_time)):
            yield Fault("fire_without_job", f"{row.schedule} at {_at(row.fire_time)}: {row.job_id}")
    scheduled = [job for job in record.jobs.values() if job.schedule is not None]
    for job in scheduled:
        if job.id not in rows:
            yield Fault("job_without_fire", f"{job.id} of {job.schedule} is not on the ledger")
    for fire, count in Counter((job.schedule, job.fire_time) for job in scheduled).items():
        if count > 1:
            yield Fault("fire_doubled", f"{fire[0]} at {_at(fire[1])} has {count} jobs")
