"""Runs a batch of endings on a real daemon and finds faults."""

import json
import time
from collections import Counter
from typing import Any, NamedTuple

from launchd.admin.client import RefusedError
from launchd.errors import UnreachableError
from tests.fuzz.daemon import LISTS, RealDaemon
from tests.fuzz.judge import Fault, faults_of, faults_of_log, has_ended
from tests.fuzz.tasks import TASKS

Ending = dict[str, Any]
# A batch of odd endings takes a second or two; nothing in them waits longer than this.
PATIENCE_SECONDS = 45.0
_LOOK_SECONDS = 0.05
_CALM = ("calm_coroutine", "calm_thread")


class Tally(NamedTuple):
    """The result of a batch: its faults, and how many jobs ended in which way."""

    faults: list[Fault]
    states: Counter[str]


def run(
    daemon: RealDaemon, endings: list[Ending], *, process: bool = True, patience: float = PATIENCE_SECONDS
) -> Tally:
    """Run these at once, beside ordinary jobs; then the next jobs. The death of the daemon is a fault."""
    states: Counter[str] = Counter()
    faults: list[Fault] = []
    try:
        faults += _run(daemon, endings, states, process=process, patience=patience)
    except UnreachableError as error:
        faults.append(Fault("daemon unreachable", error.detail[:500]))
    except RefusedError as error:
        faults.append(Fault("answer", f"{error.status}: {error.detail[:500]}"))
    if not daemon.alive:
        faults.append(Fault("daemon ended", f"exit code {daemon.code}"))
    return Tally(faults + faults_of_log(daemon.lines()), states)


def _run(
    daemon: RealDaemon, endings: list[Ending], states: Counter[str], *, process: bool, patience: float
) -> list[Fault]:
    calm = [{"task": _CALM[number % 2], "args": {"value": number}} for number in range(len(endings) // 8 + 2)]
    odd = [_wish(ending) for ending in endings]
    mixed = [one for pair in zip(odd, [*calm, *[None] * len(odd)], strict=False) for one in pair if one is not None]
    ids = dict(zip(map(id, mixed), daemon.ask("POST", "/v1/jobs", body={"jobs": mixed})["ids"], strict=True))
    left = _await(daemon, set(ids.values()), patience)
    faults = [Fault("answer", problem) for path in LISTS if (problem := daemon.status_of(path)) is not None]
    for number, (wish, ending) in enumerate(zip(odd, endings, strict=True)):
        found = _job_faults(daemon, ids[id(wish)], number, ending, seen=left, states=states)
        faults += found
    for wish in calm:
        job = daemon.ask("GET", f"/v1/jobs/{ids[id(wish)]}") if id(wish) in ids else None
        if job is not None and (job["state"], job["result"]) != ("succeeded", wish["args"]["value"]):  # type: ignore[index]
            faults.append(
                Fault("neighbour", f"{wish['task']} is {job['state']}: {job['error']!r:.300} {job['reason']}")
            )
    faults += _clear(daemon)
    faults += [fault for name in (*_CALM, *(["calm_process"] * process)) if (fault := _next(daemon, name)) is not None]
    return faults


def _wish(ending: Ending) -> dict[str, Any]:
    args = {"ending": json.dumps(ending)}
    return {"task": TASKS[ending["kind"]], "args": args, "max_retries": ending["retries"]}


def _await(daemon: RealDaemon, ids: set[str], patience: float) -> set[str]:
    """Wait until an attempt of each has ended; returns their ids.

    Queued jobs are listed before running ones: a job that starts between the two is in the second list.
    """
    left = set(ids)
    until = time.monotonic() + patience
    while left and time.monotonic() < until:
        active = [job for state in ("queued", "running") for job in daemon.jobs(state) if not has_ended(job)]
        left &= {job["id"] for job in active}
        time.sleep(_LOOK_SECONDS)
    return ids - left


def _job_faults(
    daemon: RealDaemon, job_id: str, number: int, ending: Ending, *, seen: set[str], states: Counter[str]
) -> list[Fault]:
    problem = daemon.status_of(f"/v1/jobs/{job_id}/logs")
    found = [] if problem is None else [Fault("answer", problem, number)]
    try:
        job = daemon.ask("GET", f"/v1/jobs/{job_id}")
    except RefusedError as error:
        return [*found, Fault("answer", f"GET of the job answers {error.status}: {error.detail[:300]}", number)]
    states[job["state"] if job_id in seen else "left running"] += 1
    if job_id not in seen:
        return [*found, Fault("left running", f"now {job['state']}: {job['error']!r:.300}", number)]
    if job["state"] == "running":  # back once and running again
        return found
    return found + faults_of(job, ending, number)


def _clear(daemon: RealDaemon) -> list[Fault]:
    """Cancel the jobs that are queued or running again; a job that cannot be cancelled is a fault."""
    until = time.monotonic() + PATIENCE_SECONDS
    while left := [job for state in ("queued", "running") for job in daemon.jobs(state)]:
        for job in left:
            daemon.ask("POST", f"/v1/jobs/{job['id']}/cancel", body={"terminate": True}, accept=(404, 409))
        if time.monotonic() > until:
            return [Fault("left running", f"{job['task']} is {job['state']} after cancel") for job in left]
        time.sleep(_LOOK_SECONDS)
    return []


def _next(daemon: RealDaemon, task: str) -> Fault | None:
    """None if the next job of a task runs."""
    job = daemon.ask("POST", f"/v1/tasks/{task}/trigger", body={"args": {"value": "next"}})
    ended = daemon.ask("GET", f"/v1/jobs/{job['id']}?wait={PATIENCE_SECONDS:.0f}")
    if (ended["state"], ended["result"]) == ("succeeded", "next"):
        return None
    return Fault("no next job", f"{task} is {ended['state']}: {ended['error']!r:.300}")
