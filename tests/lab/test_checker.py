"""The checker of the kill test: it finds no fault in a good record, and every fault that is planted in it."""

from collections.abc import Callable
from copy import deepcopy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import SECOND
from launchd.schedules.recurrence import Every
from tests.lab.checker import RULES, check
from tests.lab.record import (
    NANOSECONDS,
    FireRow,
    HeldRow,
    JobRow,
    Life,
    Line,
    Note,
    Record,
    Request,
    Run,
    lives_of,
    requests_of,
    runs_of,
)

# The wall time of the first life's first answer, a whole second.
WALL = 1_800_000_000 * SECOND


def at(seconds: float) -> int:
    """The common clock, `seconds` after the start of the story."""
    return int((1000 + seconds) * NANOSECONDS)


def run(name: str, life: int, attempt: int, begin: float, last: float, how: str | None, **more: object) -> Run:  # noqa: PLR0917 - a table reads best by position
    """A run; the first letters of its name are its job's."""
    job = name.rstrip("0123456789")
    return Run(name, f"life{life}", job, attempt, at(begin), at(last), how=how, **more)  # type: ignore[arg-type] # Run's own


def job(name: str, state: str, attempt: int, **more: object) -> JobRow:
    return JobRow(name, "stroll", state, attempt, **({"max_retries": 3, "crashes": 0} | more))  # type: ignore[arg-type] # JobRow's own


def asked(action: str, begin: float, end: float, **more: object) -> Request:
    return Request(at(begin), action, answered_at=at(end), **({"status": 202} | more))  # type: ignore[arg-type] # Request's own


def made(name: str, begin: float, **more: object) -> Request:
    return asked("trigger", begin, begin + 0.1, ids=[name], tag=f"tag-{name}", **more)


def good() -> Record:
    """Three lives: killed at 10 s, killed at 20 s, stopped in good order at 30 s, a last one to 40 s.

    The story of each job: `plain` succeeds, `crashed` in its second attempt after a kill, `twice` is set aside, `early`
    is cancelled in the queue, `late` while it runs when the daemon is killed, `sleepy` snoozes, `again` is requeued,
    `drained` is put back by the stop, `holder` and `heir` share a lock, `robbed` and `robber` too but for an operator.
    """
    lives = [
        Life("life1", at(0), WALL - SECOND, at(1), WALL, at(10), killed=True),
        Life("life2", at(10), WALL + 9 * SECOND, at(11), WALL + 10 * SECOND, at(20), killed=True),
        Life("life3", at(20), WALL + 19 * SECOND, at(21), WALL + 20 * SECOND, at(30), killed=False),
        Life("life4", at(30), WALL + 29 * SECOND, at(31), WALL + 30 * SECOND, at(40), killed=False),
    ]
    requests = [
        made("plain", 1, key="key"),
        made("plain", 2, key="key", status=200),
        made("crashed", 1),
        made("twice", 1),
        made("early", 1),
        made("late", 1),
        made("sleepy", 1),
        made("again", 1),
        made("drained", 1),
        made("holder", 1),
        made("heir", 1),
        made("robbed", 1),
        made("robber", 1),
        asked("batch", 1, 1.1, ids=["one", "two"], tag="tag-batch", count=2),
        asked("cancel", 2, 2.1, target="early", state="cancelled"),
        asked("cancel", 9, 9.1, target="late", state="running", attempt=1),
        asked("requeue", 12, 12.1, target="again", state="queued"),
        asked("release", 13, 13.1, target="beta", fence=7, status=200),
        asked("look", 15, 15.1, target="plain", state="succeeded", attempt=1, status=200),
        Request(at(9.99), "trigger", tag="tag-nobody-knows"),
    ]
    runs = [
        run("plain1", 1, 1, 3, 4, "returned"),
        run("crashed1", 1, 1, 9, 9.9, None),
        run("crashed2", 2, 2, 12, 13, "returned"),
        run("twice1", 1, 1, 9, 9.9, None),
        run("twice2", 2, 2, 19, 19.9, None),
        run("late1", 1, 1, 8, 9.9, None),
        run("sleepy1", 1, 1, 3, 4, "Snooze"),
        run("sleepy2", 1, 1, 5, 6, "returned"),
        run("again1", 1, 1, 3, 4, "ValueError"),
        run("again2", 2, 1, 13, 14, "returned"),
        run("drained1", 3, 1, 29, 29.9, "CancelledError"),
        run("drained2", 4, 1, 32, 33, "returned"),
        run("holder1", 1, 1, 3, 4, "returned", lock="alpha", fence=3),
        run("heir1", 1, 1, 4.1, 5, "returned", lock="alpha", fence=4),
        run("robbed1", 2, 1, 12, 13.5, "CancelledError", lock="beta", fence=7),
        run("robber1", 2, 1, 13.2, 14, "returned", lock="beta", fence=9),
        run("robbed2", 3, 2, 23, 24, "returned", lock="beta", fence=10),
        run("one1", 1, 1, 3, 4, "returned"),
        run("two1", 1, 1, 3, 4, "returned", sole="only 2"),
        run("fire1", 2, 1, 12, 13, "returned", sole="s"),
        run("filled1", 2, 1, 14, 15, "returned", sole="s"),
    ]
    tagged = ("plain", "crashed", "sleepy", "again", "drained", "holder", "heir", "robbed", "robber")
    attempts = {"crashed": 2, "robbed": 2}
    jobs = [job(name, "succeeded", attempts.get(name, 1), tag=f"tag-{name}") for name in tagged]
    jobs += [
        job("twice", "quarantined", 2, crashes=2, tag="tag-twice"),
        job("early", "cancelled", 0, tag="tag-early"),
        job("late", "cancelled", 1, tag="tag-late"),
        job("one", "succeeded", 1, tag="tag-batch"),
        job("two", "succeeded", 1, tag="tag-batch"),
        job("fire", "succeeded", 1, schedule="s", fire_time=WALL + 12 * SECOND),
        job("filled", "succeeded", 1, schedule="s", fire_time=WALL + 8 * SECOND),
    ]
    fires = [
        FireRow("s", WALL + 2 * SECOND, "missed", None, 3, WALL + 6 * SECOND),
        FireRow("s", WALL + 8 * SECOND, "backfilled", "filled"),
        FireRow("s", WALL + 10 * SECOND, "overlap_skipped"),
        FireRow("s", WALL + 12 * SECOND, "fired", "fire"),
        FireRow("s", WALL + 14 * SECOND, "paused", None, 9, WALL + 30 * SECOND),
    ]
    return Record(
        lives=lives,
        requests=requests,
        foreign=[],
        runs=sorted(runs, key=lambda one: one.begin),
        jobs={one.id: one for one in jobs},
        fires=fires,
        locks=[],
        recurrences={"s": Every(2)},
        settled=WALL + 31 * SECOND,
    )


def the(record: Record, name: str) -> Run:
    (found,) = [one for one in record.runs if one.name == name]
    return found


def add(record: Record, *more: Run) -> None:
    record.runs = sorted([*record.runs, *more], key=lambda one: one.begin)


def change(record: Record, name: str, **changes: object) -> None:
    record.jobs[name] = msgspec.structs.replace(record.jobs[name], **changes)


def drop(record: Record, name: str) -> None:
    record.runs = [one for one in record.runs if one.name != name]


def set_fence(record: Record, name: str, fence: int | None) -> None:
    the(record, name).fence = fence


def replace_fire(record: Record, index: int, **changes: object) -> None:
    record.fires[index] = msgspec.structs.replace(record.fires[index], **changes)


WALKED = HeldRow("alpha", "holder")
PLANTED: dict[str, tuple[str, Callable[[Record], object]]] = {
    "an acknowledged job is gone": ("lost", lambda r: r.jobs.pop("plain")),
    "one of an acknowledged batch is gone": ("torn", lambda r: r.jobs.pop("two")),
    "a job that ran is gone": ("lost", lambda r: r.jobs.pop("fire")),
    "a job is still queued after the drain": ("unfinished", lambda r: change(r, "crashed", state="queued")),
    "a job is still running after the drain": ("unfinished", lambda r: change(r, "crashed", state="running")),
    "a trigger made two jobs": ("doubled", lambda r: r.jobs.update(x=job("x", "succeeded", 1, tag="tag-plain"))),
    "a trigger that nobody answered made two": (
        "doubled",
        lambda r: r.jobs.update({n: job(n, "failed", 1, tag="tag-nobody-knows") for n in "xy"}),
    ),
    "a key gave two jobs": ("key_broken", lambda r: setattr(r.requests[1], "ids", ["crashed"])),
    "a job that was seen to have ended runs again": (
        "ran_after_end",
        lambda r: add(r, run("plain2", 2, 2, 16, 17, "returned")),
    ),
    "a job that was seen to have succeeded has failed": ("end_forgotten", lambda r: change(r, "plain", state="failed")),
    "a job succeeded that never ran": ("never_ran", lambda r: drop(r, "plain1")),
    "a job succeeded whose run was cut short": ("never_ran", lambda r: setattr(the(r, "plain1"), "how", None)),
    "a job ran twice at once in one life": (
        "ran_twice_at_once",
        lambda r: add(r, run("plain2", 1, 2, 3.5, 3.9, "returned")),
    ),
    "a job ran on while the next daemon ran it again": (
        "ran_twice_at_once",
        lambda r: setattr(the(r, "crashed1"), "last", at(12.5)),
    ),
    "two jobs of a unique task ran at once": (
        "sole_twice_at_once",
        lambda r: setattr(the(r, "one1"), "sole", "only 2"),
    ),
    "two jobs of a schedule ran at once": ("sole_twice_at_once", lambda r: setattr(the(r, "fire1"), "last", at(14.5))),
    "a run outlived its daemon": ("outlived", lambda r: setattr(the(r, "late1"), "last", at(10.5))),
    "a crash was not counted": ("attempt_uncounted", lambda r: setattr(the(r, "crashed2"), "attempt", 1)),
    "a crash was not counted in the end": ("attempt_uncounted", lambda r: change(r, "twice", attempt=1)),
    "an attempt went back": ("attempt_uncounted", lambda r: setattr(the(r, "sleepy2"), "attempt", 0)),
    "an attempt was spent by nobody": ("attempt_unexplained", lambda r: setattr(the(r, "sleepy2"), "attempt", 2 + 1)),
    "more attempts than were allowed": ("attempts_exceeded", lambda r: change(r, "crashed", max_retries=0)),
    "a job cancelled in the queue ran": ("ran_after_cancel", lambda r: add(r, run("early1", 1, 1, 5, 6, "returned"))),
    "a job cancelled while it ran was tried again": (
        "ran_after_cancel",
        lambda r: add(r, run("late2", 1, 2, 9.95, 9.99, None)),
    ),
    "a cancelled job ran after the restart": ("ran_after_cancel", lambda r: add(r, run("late2", 2, 1, 12, 13, None))),
    "a cancel in the queue was forgotten": ("uncancelled", lambda r: change(r, "early", state="succeeded")),
    "a cancel of a running job was forgotten": ("uncancelled", lambda r: change(r, "late", state="quarantined")),
    "set aside after one crash": ("quarantined_early", lambda r: change(r, "twice", crashes=1)),
    "set aside after a stop in good order": ("quarantined_early", lambda r: setattr(r.life["life2"], "killed", False)),
    "set aside after two failures of one life": (
        "quarantined_early",
        lambda r: setattr(the(r, "twice2"), "life", "life1"),
    ),
    "set aside after a requeue and one crash": (
        "quarantined_early",
        lambda r: r.requests.append(asked("requeue", 12, 12.1, target="twice", state="queued")),
    ),
    "not set aside after two crashes in a row": (
        "quarantine_missed",
        lambda r: add(r, run("twice3", 3, 3, 22, 23, "returned")),
    ),
    "a fire is missing in the middle": ("fire_lost", lambda r: r.fires.pop(2)),
    "the first fire is missing": ("fire_lost", lambda r: r.fires.pop(0)),
    "the last fires are missing": ("fire_lost", lambda r: r.fires.pop(4)),
    "all fires are missing": ("fire_lost", lambda r: r.fires.clear()),
    "a range covers a fire that has its own row": (
        "fire_doubled",
        lambda r: replace_fire(r, 0, until=WALL + 8 * SECOND, count=4),
    ),
    "a range counts too few": ("fire_miscounted", lambda r: replace_fire(r, 0, count=2)),
    "a fire at no time of the schedule": ("fire_miscounted", lambda r: replace_fire(r, 2, fire_time=WALL + 9 * SECOND)),
    "a fire has two jobs": (
        "fire_doubled",
        lambda r: r.jobs.update(x=job("x", "succeeded", 1, schedule="s", fire_time=WALL + 12 * SECOND)),
    ),
    "a fire has no job": ("fire_without_job", lambda r: replace_fire(r, 3, job_id="nobody")),
    "a fire has another fire's job": ("fire_without_job", lambda r: replace_fire(r, 3, job_id="filled")),
    "a job of a schedule is not on the ledger": (
        "job_without_fire",
        lambda r: replace_fire(r, 3, outcome="missed", job_id=None),
    ),
    "a lock is held though nothing runs": ("lock_left", lambda r: r.locks.append(WALKED)),
    "a dead instance holds a lock": (
        "lock_outlived",
        lambda r: r.foreign.append(Note(at(11), "foreign", "life2", target="alpha")),
    ),
    "two hold a lock": ("lock_overlap", lambda r: setattr(the(r, "holder1"), "last", at(4.5))),
    "two hold a lock that was not the one released": ("lock_overlap", lambda r: setattr(r.requests[17], "fence", 3)),
    "a fence came twice": ("fence_fell", lambda r: set_fence(r, "heir1", 3)),
    "a fence fell": ("fence_fell", lambda r: set_fence(r, "robbed2", 8)),
    "a run under a lock had no fence": ("no_fence", lambda r: set_fence(r, "heir1", None)),
}


def test_a_good_record_has_no_faults() -> None:
    assert check(good()) == []


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(what: str) -> None:
    kind, plant = PLANTED[what]
    record = deepcopy(good())
    plant(record)
    assert kind in {fault.kind for fault in check(record)}


def test_a_requeue_that_may_not_have_happened_proves_nothing() -> None:
    record = good()
    record.requests.append(Request(at(12), "requeue", target="twice"))
    assert check(record) == []


def test_every_rule_finds_something_that_was_planted() -> None:
    for rule in RULES:
        found = 0
        for _, plant in PLANTED.values():
            record = deepcopy(good())
            plant(record)
            found += bool(list(rule(record)))
        assert found, rule.__name__


@given(st.sets(st.integers(1, 30), min_size=1, max_size=29))
def test_a_ledger_with_single_rows_missing_is_always_found_out(left_out: set[int]) -> None:
    record = good()
    record.recurrences = {"s": Every(1)}
    times = [number for number in range(1, 32) if number not in left_out]
    record.fires = [FireRow("s", WALL + number * SECOND, "missed") for number in times]
    lost = [fault for fault in check(record) if fault.kind == "fire_lost"]
    gaps = sum(number - 1 not in left_out for number in left_out)
    assert len(lost) == gaps


def test_the_journal_is_read_as_lives_and_requests() -> None:
    notes = [
        Note(1, "spawned", life="life1", wall=5),
        Note(2, "ready", life="life1", wall=6),
        Note(3, "asked", request=1, action="trigger", tag="t"),
        Note(4, "asked", request=2, action="cancel", target="j"),
        Note(5, "answered", request=2, status=202, ids=["j"], state="running", attempt=1),
        Note(6, "ended", life="life1", killed=True),
    ]
    assert lives_of(notes) == [Life("life1", 1, 5, 2, 6, 6, killed=True)]
    first, second = requests_of(notes)
    assert (first.possible, first.acknowledged) == (True, False)
    assert (second.target, second.status, second.attempt, second.acknowledged) == ("j", 202, 1, True)


def test_a_run_lasts_to_its_last_line_and_has_ended_only_where_it_said_so() -> None:
    lines = [
        Line(1, "begin", "r1", "life1", "j", 1),
        Line(2, "begin", "r2", "life1", "k", 1, fence=4, lock="alpha"),
        Line(3, "beat", "r1"),
        Line(4, "end", "r2", how="returned"),
    ]
    assert [(one.name, one.begin, one.last, one.how) for one in runs_of(lines)] == [
        ("r1", 1, 3, None),
        ("r2", 2, 4, "returned"),
    ]
