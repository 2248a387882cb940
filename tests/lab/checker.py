"""The checker: finds the faults in a record of a daemon that was killed again and again. Pure.

Each rule is an independent function from the record to its faults. Only a certain violation is a fault: a request
without an answer may or may not have been done, and a run without a last line may have gone on to the end of its life.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from launchd.job import FINAL, MAX_CRASHES
from tests.lab.evidence import (
    Fault,
    between,
    first_from,
    grouped,
    killed_between,
    lock_losses,
    overlapping,
    requeues_of,
)
from tests.lab.ledger import every_fire_is_on_the_ledger_once, fires_have_their_jobs
from tests.lab.record import NANOSECONDS, JobRow, Record, Request, Run, by_job

# A killed process may still write this long after its daemon was found dead: the kernel ends them one by one.
LAST_BREATH = NANOSECONDS // 5
_FINAL = {state.value for state in FINAL}
_MAKING = {"trigger", "batch"}


def check(record: Record) -> list[Fault]:
    """All faults of a record."""
    return [fault for rule in RULES for fault in rule(record)]


# --- jobs: none lost, none duplicated ---


def jobs_are_kept(record: Record) -> Iterator[Fault]:
    """Every acknowledged job exists; at the end of the record every job has ended."""
    for request in record.requests:
        for job_id in request.ids if request.acknowledged else ():
            if job_id not in record.jobs:
                yield Fault("lost", f"{request.action} acknowledged {job_id}, which does not exist")
    for job in record.jobs.values():
        if job.state not in _FINAL:
            yield Fault("unfinished", f"{job.task} {job.id} is {job.state} after the drain")


def requests_are_done_once(record: Record) -> Iterator[Fault]:
    """A request makes its jobs once, all or none; a key makes one job, however often it is sent."""
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
    """A job that was seen to have ended does not run again and keeps its state, until it is requeued."""
    runs, requeues = by_job(record.runs), requeues_of(record)
    for look in record.requests:
        if look.action != "look" or look.state not in _FINAL or look.answered_at is None:
            continue
        until = first_from(requeues.get(look.target, []), look.asked_at)
        for run in runs.get(look.target, []):
            if look.answered_at < run.begin and (until is None or run.begin < until):
                yield Fault("ran_after_end", f"{look.target} was {look.state}, then run {run.name} began")
        job = record.jobs.get(look.target)
        if job is not None and until is None and job.state != look.state:
            yield Fault("end_forgotten", f"{job.id} was {look.state} and is {job.state}")


def successes_ran(record: Record) -> Iterator[Fault]:
    """A job that succeeded has a run that returned, in the attempt of its row."""
    runs = by_job(record.runs)
    for job in record.jobs.values():
        returned = {run.attempt for run in runs.get(job.id, []) if run.how == "returned"}
        if job.state == "succeeded" and job.task not in _SILENT and job.attempt not in returned:
            yield Fault("never_ran", f"{job.task} {job.id} succeeded in attempt {job.attempt}, no run returned in it")


# Tasks of the engine itself, which write no lines about their runs.
_SILENT = {"health_check", "prune", "backup"}


# --- runs ---


def nothing_runs_twice_at_once(record: Record) -> Iterator[Fault]:
    """Two runs of a job never overlap, nor those of a unique task's arguments or of a schedule that runs alone."""
    for job_id, runs in by_job(record.runs).items():
        for first, second in overlapping(runs):
            yield Fault("ran_twice_at_once", f"job {job_id}: runs {first.name} and {second.name}")
    requeued = requeues_of(record)  # what an operator wants again runs beside the fires of its schedule
    alone = [run for run in record.runs if not (_of_schedule(record, run) and run.job in requeued)]
    for sole, runs in grouped(alone, lambda run: run.sole).items():
        for first, second in overlapping(runs):
            yield Fault("sole_twice_at_once", f"{sole}: jobs {first.job} and {second.job}")


def _of_schedule(record: Record, run: Run) -> bool:
    job = record.jobs.get(run.job)
    return job is not None and job.schedule is not None


def nothing_outlives_its_daemon(record: Record) -> Iterator[Fault]:
    """No run goes on after its life of the daemon has ended."""
    for run in record.runs:
        ended = record.life[run.life].ended_at
        if ended is not None and run.last > ended + LAST_BREATH:
            seconds = (run.last - ended) / NANOSECONDS
            yield Fault("outlived", f"run {run.name} of {run.job} went on {seconds:.2f} s after life {run.life}")


def attempts_are_honest(record: Record) -> Iterator[Fault]:
    """Each run is an attempt. A crash spends one, a snooze and a drain do not, and none is spent without a cause."""
    requeues, losses = requeues_of(record), lock_losses(record)
    for job_id, runs in by_job(record.runs).items():
        job, asked = record.jobs.get(job_id), requeues.get(job_id, [])
        if job is None:
            yield Fault("lost", f"run {runs[0].name} is of job {job_id}, which does not exist")
            continue
        for first, second in pairwise(runs):
            if not any(begin < second.begin and end > first.begin for begin, end in asked):
                yield from _step(record, first, second, losses)
        if first_from(asked, runs[-1].begin) is None:
            yield from _last_step(record, runs[-1], job)
    for job in record.jobs.values():
        if job.attempt > job.max_retries + 1:
            yield Fault("attempts_exceeded", f"{job.id} had {job.attempt} attempts of {job.max_retries + 1}")


def _step(record: Record, first: Run, second: Run, losses: list[int]) -> Iterator[Fault]:
    """The faults between one run of a job and its next."""
    step, spent = second.attempt - first.attempt, _spent(record, first, second)
    said = f"{first.job}: attempt {first.attempt} ({first.how}, life {first.life}), then {second.attempt}"
    if step < (1 if spent else 0):
        yield Fault("attempt_uncounted", said)
    unseen = step - 1
    causes = killed_between(record, first.begin, second.begin) + between(losses, first.begin, second.begin)
    if unseen > causes:
        yield Fault("attempt_unexplained", f"{said}, with {causes} causes between")


def _spent(record: Record, run: Run, following: Run) -> bool:
    """True if a run has certainly spent its attempt: it did not snooze, and no drain put it back."""
    drained = run.life != following.life and not record.life[run.life].killed
    return run.how != "Snooze" and not drained


def _last_step(record: Record, run: Run, job: JobRow) -> Iterator[Fault]:
    returned = run.how == "Snooze" or not record.life[run.life].killed
    if job.attempt < run.attempt - returned:
        yield Fault("attempt_uncounted", f"{job.id} ran in attempt {run.attempt} and says {job.attempt}")


# --- cancels ---


def cancels_hold(record: Record) -> Iterator[Fault]:
    """After an acknowledged cancel no further attempt begins, in any life, and the job ends as cancelled."""
    runs, requeues = by_job(record.runs), requeues_of(record)
    for request in record.requests:
        if request.action not in {"cancel", "terminate"} or not request.acknowledged or request.answered_at is None:
            continue
        asked = requeues.get(request.target, [])
        until = first_from(asked, request.asked_at)
        for run in runs.get(request.target, []):
            if run.begin > request.answered_at and (until is None or run.begin < until) and _late(record, request, run):
                yield Fault("ran_after_cancel", f"{request.target} was {request.state}, then run {run.name} began")
        job = record.jobs.get(request.target)
        allowed = {"cancelled"} if request.state == "cancelled" else {"cancelled", "succeeded", "failed"}
        if job is not None and until is None and job.state not in allowed:
            yield Fault("uncancelled", f"{job.id} was {request.state} when its cancel was acknowledged, is {job.state}")


def _late(record: Record, request: Request, run: Run) -> bool:
    """True if a run began after the acknowledged cancel without having been claimed before it."""
    if request.state == "cancelled" or run.attempt > request.attempt:
        return True
    return request.answered_at is not None and record.life[run.life].spawned_at > request.answered_at


# --- crashes ---


def quarantine_follows_two_crashes(record: Record) -> Iterator[Fault]:
    """A job is quarantined after two crashes in a row, and never earlier."""
    runs, requeues = by_job(record.runs), requeues_of(record)
    for job in record.jobs.values():
        own = runs.get(job.id, [])
        if job.state == "quarantined":
            yield from _early(record, job, own)
        for first, second, third in zip(own, own[1:], own[2:], strict=False):
            again = any(asked < third.begin and done > first.begin for asked, done in requeues.get(job.id, []))
            if _two_crashes(record, first, second) and not again:
                yield Fault("quarantine_missed", f"{job.id} crashed in {first.life} and {second.life}, ran again")


def _early(record: Record, job: JobRow, runs: list[Run]) -> Iterator[Fault]:
    """True if there were fewer kills than necessary since the job last ran on, was put back or was requeued."""
    well = [one.asked_at for one in record.requests if (one.action, one.target, one.status) == ("requeue", job.id, 202)]
    well += [second.begin for first, second in pairwise(runs) if first.life == second.life]
    drained = [record.life[run.life] for run in runs if not record.life[run.life].killed]
    well += [life.ended_at for life in drained if life.ended_at is not None]
    kills = killed_between(record, max(well, default=0), record.lives[-1].spawned_at)
    if job.crashes != MAX_CRASHES or kills < MAX_CRASHES:
        yield Fault("quarantined_early", f"{job.id} says {job.crashes} crashes; {kills} kills since it was well")


def _two_crashes(record: Record, first: Run, second: Run) -> bool:
    """True if kills certainly ended both runs, and no drain or requeue was between them."""
    names = [life.name for life in record.lives]
    begin, end = names.index(first.life), names.index(second.life)
    cut = first.how is None and second.how is None
    return cut and begin < end and all(life.killed for life in record.lives[begin : end + 1])


# --- locks ---


def locks_are_held_by_one(record: Record) -> Iterator[Fault]:
    """Two holds of a lock overlap only after a forced release; fences grow; no lock is left at the end."""
    for held in record.locks:
        yield Fault("lock_left", f"{held.name} is held by {held.job_id} though nothing runs")
    for note in record.foreign:
        yield Fault("lock_outlived", f"{note.target}, seen in life {note.life}, was held by an instance that is dead")
    releases = [request for request in record.requests if request.action == "release" and request.possible]
    for name, runs in grouped(record.runs, lambda run: run.lock).items():
        taken = [request for request in releases if request.target == name]
        for first, second in overlapping(runs):
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
    """True if this forced release may have ended the older hold, so that the younger could begin.

    A release without an answer counts if it was requested at most 10 s before: after that its daemon was dead.
    """
    if request.answered_at is not None:
        return request.fence == min(first.fence or 0, second.fence or 0)
    return second.last - 10 * NANOSECONDS < request.asked_at < second.last


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
