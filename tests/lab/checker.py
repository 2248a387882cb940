"""The checker: what a record of a daemon that was killed must not show. Pure: a record in, faults out.

Each rule is a function from the record to its faults, and stands alone. Only what is certain is a fault: a request that
nobody answered may or may not have been done, a run that went silent may have gone on to the end of its life.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeVar

from launchd.clock import format_instant
from launchd.job import FINAL, MAX_CRASHES
from launchd.recurrence import Recurrence
from tests.lab.record import NANOSECONDS, FireRow, JobRow, Record, Request, Run, by_job

T = TypeVar("T")
# When something may have happened: it was asked for, and it was done or its daemon was dead.
Span = tuple[int, int]
# A killed process may write for so long after its daemon was found dead: the kernel ends them one after the other.
LAST_BREATH = NANOSECONDS // 5
_FINAL = {state.value for state in FINAL}
_MAKING = {"trigger", "batch"}
_FIRED = {"fired", "backfilled"}


class Fault(NamedTuple):
    """A promise that was not kept: which, and the evidence."""

    kind: str
    detail: str


def check(record: Record) -> list[Fault]:
    """All faults of a record."""
    return [fault for rule in RULES for fault in rule(record)]


# --- jobs: none lost, none doubled ---


def jobs_are_kept(record: Record) -> Iterator[Fault]:
    """What was acknowledged exists; in the end everything has ended."""
    for request in record.requests:
        for job_id in request.ids if request.acknowledged else ():
            if job_id not in record.jobs:
                yield Fault("lost", f"{request.action} acknowledged {job_id}, which does not exist")
    for job in record.jobs.values():
        if job.state not in _FINAL:
            yield Fault("unfinished", f"{job.task} {job.id} is {job.state} after the drain")


def requests_are_done_once(record: Record) -> Iterator[Fault]:
    """A request makes its jobs once, all or none; a key stands for one job, however often it is sent."""
    made = Counter(job.tag for job in record.jobs.values() if job.tag is not None)
    keyed: dict[str, set[str]] = defaultdict(set)
    for request in record.requests:
        if request.action not in _MAKING or request.tag is None:
            continue
        if request.key is not None:
            keyed[request.key] |= set(request.ids) if request.acknowledged else set()
        count = made[request.tag]
        if count not in {0, request.count}:
            kind = "doubled" if count > request.count else "torn"
            yield Fault(kind, f"{request.action} {request.tag} of {request.count} made {count} jobs")
        if request.acknowledged and count == 0:
            yield Fault("lost", f"{request.action} {request.tag} was acknowledged and made no job")
    for key, ids in keyed.items():
        if len(ids) > 1:
            yield Fault("key_broken", f"Idempotency-Key {key} gave {', '.join(sorted(ids))}")


def ends_are_final(record: Record) -> Iterator[Fault]:
    """A job that was seen to have ended runs no more and stays as it was, until it is requeued."""
    runs, requeues = by_job(record.runs), _requeues(record)
    for look in record.requests:
        if look.action != "look" or look.state not in _FINAL or look.answered_at is None:
            continue
        until = _first_from(requeues.get(look.target, []), look.asked_at)
        for run in runs.get(look.target, []):
            if look.answered_at < run.begin and (until is None or run.begin < until):
                yield Fault("ran_after_end", f"{look.target} was {look.state}, then run {run.name} began")
        job = record.jobs.get(look.target)
        if job is not None and until is None and job.state != look.state:
            yield Fault("end_forgotten", f"{job.id} was {look.state} and is {job.state}")


def successes_ran(record: Record) -> Iterator[Fault]:
    """A job that succeeded has returned, in the attempt that it says."""
    runs = by_job(record.runs)
    for job in record.jobs.values():
        returned = {run.attempt for run in runs.get(job.id, []) if run.how == "returned"}
        if job.state == "succeeded" and job.task not in _SILENT and job.attempt not in returned:
            yield Fault("never_ran", f"{job.task} {job.id} succeeded in attempt {job.attempt}, no run returned in it")


# Tasks of the engine itself, which tell nobody that they run.
_SILENT = {"health_check", "prune", "backup"}


# --- runs ---


def nothing_runs_twice_at_once(record: Record) -> Iterator[Fault]:
    """Two runs of a job never overlap, nor those of a unique task's arguments or of a schedule that runs alone."""
    for job_id, runs in by_job(record.runs).items():
        for first, second in _overlapping(runs):
            yield Fault("ran_twice_at_once", f"job {job_id}: runs {first.name} and {second.name}")
    requeued = _requeues(record)  # what an operator wants again runs beside the fires of its schedule
    alone = [run for run in record.runs if not (_of_schedule(record, run) and run.job in requeued)]
    for sole, runs in _grouped(alone, lambda run: run.sole).items():
        for first, second in _overlapping(runs):
            yield Fault("sole_twice_at_once", f"{sole}: jobs {first.job} and {second.job}")


def _of_schedule(record: Record, run: Run) -> bool:
    job = record.jobs.get(run.job)
    return job is not None and job.schedule is not None


def nothing_outlives_its_daemon(record: Record) -> Iterator[Fault]:
    """When a life has ended, none of its runs goes on."""
    for run in record.runs:
        ended = record.life[run.life].ended_at
        if ended is not None and run.last > ended + LAST_BREATH:
            seconds = (run.last - ended) / NANOSECONDS
            yield Fault("outlived", f"run {run.name} of {run.job} went on {seconds:.2f} s after life {run.life}")


def attempts_are_honest(record: Record) -> Iterator[Fault]:
    """Each run is an attempt; a crash spends one, a snooze and a drain do not, and none is spent without a cause."""
    requeues, losses = _requeues(record), _lock_losses(record)
    for job_id, runs in by_job(record.runs).items():
        job, asked = record.jobs.get(job_id), requeues.get(job_id, [])
        if job is None:
            yield Fault("lost", f"run {run_name(runs)} is of job {job_id}, which does not exist")
            continue
        for first, second in pairwise(runs):
            if not any(begin < second.begin and end > first.begin for begin, end in asked):
                yield from _step(record, first, second, losses)
        if _first_from(asked, runs[-1].begin) is None:
            yield from _last_step(record, runs[-1], job)
    for job in record.jobs.values():
        if job.attempt > job.max_retries + 1:
            yield Fault("attempts_exceeded", f"{job.id} had {job.attempt} attempts of {job.max_retries + 1}")


def _step(record: Record, first: Run, second: Run, losses: list[int]) -> Iterator[Fault]:
    """From one run of a job to its next."""
    step, spent = second.attempt - first.attempt, _spent(record, first, second)
    said = f"{first.job}: attempt {first.attempt} ({first.how}, life {first.life}), then {second.attempt}"
    if step < (1 if spent else 0):
        yield Fault("attempt_uncounted", said)
    unseen = step - 1
    causes = _killed_between(record, first.begin, second.begin) + _between(losses, first.begin, second.begin)
    if unseen > causes:
        yield Fault("attempt_unexplained", f"{said}, with {causes} causes between")


def _spent(record: Record, run: Run, following: Run) -> bool:
    """Whether a run has surely spent its attempt: it did not snooze, and no drain put it back."""
    drained = run.life != following.life and not record.life[run.life].killed
    return run.how != "Snooze" and not drained


def _last_step(record: Record, run: Run, job: JobRow) -> Iterator[Fault]:
    returned = run.how == "Snooze" or not record.life[run.life].killed
    if job.attempt < run.attempt - returned:
        yield Fault("attempt_uncounted", f"{job.id} ran in attempt {run.attempt} and says {job.attempt}")


# --- cancels ---


def cancels_hold(record: Record) -> Iterator[Fault]:
    """After a cancel was acknowledged no further attempt begins, now or in a later life, and the job has ended so."""
    runs, requeues = by_job(record.runs), _requeues(record)
    for request in record.requests:
        if request.action not in {"cancel", "terminate"} or not request.acknowledged or request.answered_at is None:
            continue
        asked = requeues.get(request.target, [])
        until = _first_from(asked, request.asked_at)
        for run in runs.get(request.target, []):
            if run.begin > request.answered_at and (until is None or run.begin < until) and _late(record, request, run):
                yield Fault("ran_after_cancel", f"{request.target} was {request.state}, then run {run.name} began")
        job = record.jobs.get(request.target)
        allowed = {"cancelled"} if request.state == "cancelled" else {"cancelled", "succeeded", "failed"}
        if job is not None and until is None and job.state not in allowed:
            yield Fault("uncancelled", f"{job.id} was {request.state} when its cancel was acknowledged, is {job.state}")


def _late(record: Record, request: Request, run: Run) -> bool:
    """Whether a run that began after the cancel was acknowledged may not have: not the one that had been claimed."""
    if request.state == "cancelled" or run.attempt > request.attempt:
        return True
    ended = record.life[run.life].spawned_at
    return request.answered_at is not None and ended > request.answered_at


# --- crashes ---


def quarantine_follows_two_crashes(record: Record) -> Iterator[Fault]:
    """A job is set aside after two crashes in a row, never sooner, and then it is."""
    runs, requeues = by_job(record.runs), _requeues(record)
    for job in record.jobs.values():
        own = runs.get(job.id, [])
        if job.state == "quarantined":
            yield from _early(record, job, own)
        for first, second, third in zip(own, own[1:], own[2:], strict=False):
            again = any(asked < third.begin and done > first.begin for asked, done in requeues.get(job.id, []))
            if _two_crashes(record, first, second) and not again:
                yield Fault("quarantine_missed", f"{job.id} crashed in {first.life} and {second.life}, ran again")


def _early(record: Record, job: JobRow, runs: list[Run]) -> Iterator[Fault]:
    """Fewer kills than it takes since the job was last well: ran again, was put back in good order, was requeued."""
    well = [one.asked_at for one in record.requests if (one.action, one.target, one.status) == ("requeue", job.id, 202)]
    well += [second.begin for first, second in pairwise(runs) if first.life == second.life]
    drained = [record.life[run.life] for run in runs if not record.life[run.life].killed]
    well += [life.ended_at for life in drained if life.ended_at is not None]
    kills = _killed_between(record, max(well, default=0), record.lives[-1].spawned_at)
    if job.crashes != MAX_CRASHES or kills < MAX_CRASHES:
        yield Fault("quarantined_early", f"{job.id} says {job.crashes} crashes; {kills} kills since it was well")


def _two_crashes(record: Record, first: Run, second: Run) -> bool:
    """Whether both runs were surely cut short by a kill, and nothing put the job back in good order between."""
    names = [life.name for life in record.lives]
    begin, end = names.index(first.life), names.index(second.life)
    cut = first.how is None and second.how is None
    return cut and begin < end and all(life.killed for life in record.lives[begin : end + 1])


# --- the ledger ---


def every_fire_is_on_the_ledger_once(record: Record) -> Iterator[Fault]:
    """From the first answer of the daemon to the end each occurrence is in one row: no gap, no overlap, counts right.

    A backfill may have put others before; they too stand once.
    """
    rows = _grouped(record.fires, lambda row: row.schedule)
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


# --- locks ---


def locks_are_held_by_one(record: Record) -> Iterator[Fault]:
    """Two holds of a lock overlap only where an operator took it away; fences grow; none is left at the end."""
    for held in record.locks:
        yield Fault("lock_left", f"{held.name} is held by {held.job_id} though nothing runs")
    for note in record.foreign:
        yield Fault("lock_outlived", f"{note.target}, seen in life {note.life}, was held by an instance that is dead")
    releases = [request for request in record.requests if request.action == "release" and request.possible]
    for name, runs in _grouped(record.runs, lambda run: run.lock).items():
        taken = [request for request in releases if request.target == name]
        for first, second in _overlapping(runs):
            if not any(_took(request, first, second) for request in taken):
                yield Fault("lock_overlap", f"{name}: jobs {first.job} and {second.job}, nobody released it")
        for first, second in pairwise(run for run in runs if run.fence is not None):
            if (second.fence or 0) <= (first.fence or 0) and not any(_took(one, first, second) for one in taken):
                yield Fault(
                    "fence_fell", f"{name}: {first.fence} for {first.job}, then {second.fence} for {second.job}"
                )
        for run in runs:
            if run.fence is None:
                yield Fault("no_fence", f"{name}: run {run.name} had none")


def _took(request: Request, first: Run, second: Run) -> bool:
    """Whether this forced release may have taken the lock from the older hold, for the younger to have it.

    One that nobody answered counts where it was asked at most 10 s before: its daemon was dead by then.
    """
    if request.answered_at is not None:
        return request.fence == min(first.fence or 0, second.fence or 0)
    return second.last - 10 * NANOSECONDS < request.asked_at < second.last


# --- small questions to the record ---


def run_name(runs: list[Run]) -> str:
    """The first of some runs, for a sentence."""
    return runs[0].name


def _grouped(items: list[T], key: Callable[[T], str | None]) -> dict[str, list[T]]:
    """Items by key, in order; those without one left out."""
    found: dict[str, list[T]] = defaultdict(list)
    for item in items:
        name = key(item)
        if name is not None:
            found[name].append(item)
    return found


def _overlapping(runs: list[Run]) -> Iterator[tuple[Run, Run]]:
    """Pairs of runs, in the order of their begins, of which the first surely went on when the second had begun."""
    going: list[Run] = []
    for run in runs:
        going = [earlier for earlier in going if earlier.last > run.begin]
        yield from ((earlier, run) for earlier in going)
        going.append(run)


def _requeues(record: Record) -> dict[str, list[Span]]:
    """When each job may have been requeued."""
    found: dict[str, list[Span]] = defaultdict(list)
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


def _lock_losses(record: Record) -> list[int]:
    """When an operator may have taken a lock: it can end a run before that could say that it began."""
    return sorted(one.asked_at for one in record.requests if one.action == "release" and one.possible)


def _killed_between(record: Record, begin: int, end: int) -> int:
    return sum(life.killed and life.ended_at is not None and begin < life.ended_at < end for life in record.lives)


def _between(times: list[int], begin: int, end: int) -> int:
    """How many of these ascending times are in (begin, end)."""
    return max(bisect_left(times, end) - bisect_left(times, begin + 1), 0)


def _first_from(spans: list[Span], at: int) -> int | None:
    """The earliest that one of these may have happened after `at`."""
    return min((max(asked, at) for asked, done in spans if done > at), default=None)


RULES: tuple[Callable[[Record], Iterator[Fault]], ...] = (
    jobs_are_kept,
    requests_are_done_once,
    ends_are_final,
    successes_ran,
    nothing_runs_twice_at_once,
    nothing_outlives_its_daemon,
    attempts_are_honest,
    cancels_hold,
    quarantine_follows_two_crashes,
    every_fire_is_on_the_ledger_once,
    fires_have_their_jobs,
    locks_are_held_by_one,
)
