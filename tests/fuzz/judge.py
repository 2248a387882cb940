"""The rules that hold after odd endings: of each job, of the log, of the daemon. Pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from launchd.job import FINAL, MAX_JSON_BYTES, MAX_TRACEBACK_BYTES
from tests.fuzz import acts, apart, loops

MAX_MESSAGE_BYTES = 4096
MAX_REASON_BYTES = 2048
_FINAL = {state.value for state in FINAL}
ANY = frozenset({"succeeded", "failed", "cancelled", "back"})
# What the daemon may say above the level info while tasks end oddly; anything else is a fault to look at.
EXPECTED_EVENTS = frozenset(
    {"job_failed", "job_retries", "loop_blocked", "put_back", "log_lines_dropped", "task_loop_interrupted"}
)
# Events of the log about errors that tasks have left in threads, callbacks and finalizers.
_LEFT_BEHIND = frozenset({"task_left_exception", "unraisable_exception", "thread_failed", "task_loop_stopped"})
# A busy machine holds a loop up for a second or two; what an odd ending does to it takes longer.
_HELD_SECONDS = 10.0
# Loggers of the tasks themselves, and of what the standard library says of their subtasks and warnings.
_THEIRS = ("launchd.task", "odd", "odd.library", "some.library", "py.warnings")


class Fault(NamedTuple):
    """A fault. `number` is the ending's place in its batch, None if unknown."""

    kind: str  # left running, daemon ended, answer, log, wrong end, no next job, stop
    detail: str
    number: int | None = None


def has_ended(job: dict[str, Any]) -> bool:
    """True once an attempt has ended: the job is final, or back in the queue with a reason."""
    return job["state"] in _FINAL or (job["state"] == "queued" and job["reason"] is not None)


def expected(ending: dict[str, Any]) -> frozenset[str]:
    """The states in which a job of this ending may be after its first attempt; "back" means queued again."""
    if not all(guarded and _is_calm(act) for act, guarded in ending["acts"]):
        return ANY
    end = ending["end"]
    if end[0] == "return":
        plain = end[1][0] == "plain"
        return frozenset({"succeeded"} if plain else {"succeeded", "back" if ending["retries"] else "failed"})
    return _raised(end[1], ending["retries"], trimmed=end[0] == "raise" and bool(end[3] or end[4]))


def _raised(kind: str, retries: int, *, trimmed: bool) -> frozenset[str]:
    failed = frozenset({"back"} if retries else {"failed"})
    if "ancel" in kind:
        return frozenset({"cancelled"}) | failed
    if "nooze" in kind:
        return frozenset({"back"}) | failed
    return failed | {"cancelled", "back"} if trimmed or "etry" in kind or kind == "Timed" else failed


def _is_calm(act: list[Any]) -> bool:
    match act:
        case ["progress" | "log" | "standard" | "print" | "warn", *_]:
            return True
        case ["write", descriptor, _]:
            return bool(descriptor)
        case ["trick", name]:
            return name not in acts.FREE_TRICKS
        case ["apart", name]:
            return name in apart.CALM
        case ["loop", name]:
            return name in loops.CALM
        case _:
            return False


def faults_of(job: dict[str, Any], ending: dict[str, Any], number: int) -> list[Fault]:
    """Faults in the end of one job, as `GET /v1/jobs/{id}` shows it."""
    state = "back" if job["state"] == "queued" else job["state"]
    if not has_ended(job):
        return [Fault("left running", f"{job['state']} after every patience", number)]
    found = []
    again = "back" in expected(ending) and job["attempt"] > ending["retries"]  # it came back at once, and failed
    if state not in expected(ending) and not (again and state == "failed"):
        wanted = " or ".join(sorted(expected(ending)))
        found.append(f"{state} where {wanted} is right: {job['error']!r:.300} {job['reason']!r:.200}")
    if state == "failed" and not (job["error"] and job["error"]["type"]):
        found.append("failed without an error")
    if state in {"cancelled", "back"} and not job["reason"]:
        found.append(f"{state} without a reason")
    if state == "succeeded" and ending["end"][0] == "return" and ending["end"][1][0] == "plain":
        value = ending["end"][1][1]
        found += [f"the result is {job['result']!r:.200}, not {value!r}"] if job["result"] != value else []
    found += _too_large(job)
    return [Fault("wrong end", one, number) for one in found]


def _too_large(job: dict[str, Any]) -> list[str]:
    error = job["error"] or {}
    sizes = {
        "result": (len(msgspec.json.encode(job["result"])), MAX_JSON_BYTES),
        "error message": (len((error.get("message") or "").encode()), MAX_MESSAGE_BYTES),
        "error type": (len((error.get("type") or "").encode()), MAX_MESSAGE_BYTES),
        "traceback": (len((error.get("traceback") or "").encode()), MAX_TRACEBACK_BYTES),
        "reason": (len((job["reason"] or "").encode()), MAX_REASON_BYTES),
        "progress": (len(msgspec.json.encode(job["progress"])), MAX_REASON_BYTES),
    }
    return [f"its {name} has {size} bytes, at most {most}" for name, (size, most) in sizes.items() if size > most]


def faults_of_log(lines: Iterable[dict[str, Any] | str]) -> list[Fault]:
    """Lines that no odd ending may cause: tracebacks of launchd's own frames, and unexpected events."""
    found, trace = [], [""]
    for line in lines:
        if isinstance(line, str):
            trace = [line] if line.startswith(("Traceback", "Exception ", "Fatal")) else [*trace, line][-60:]
            if not line.startswith(" ") and _is_ours(trace):
                found.append(Fault("log", "\n".join(trace[-12:])))
                trace = [""]
        elif (problem := _unexpected(line)) is not None:
            found.append(Fault("log", problem))
    return found


def _is_ours(trace: list[str]) -> bool:
    """True for a whole traceback outside the log's format whose last frame is in launchd itself."""
    if not trace[0].startswith("Traceback"):
        return trace[0].startswith("Fatal Python error") and "faulthandler" not in trace[0]
    frames = [line for line in trace if line.startswith('  File "')]
    return len(trace) > 1 and bool(frames) and "/launchd/" in frames[-1].partition("tests/fuzz")[0]


def _names_a_task(text: str) -> bool:
    return any(name in text for name in ("tests/fuzz", "tests.fuzz", "odd task", "odd_", "odd_outcome_tasks"))


def _unexpected(record: dict[str, Any]) -> str | None:
    """A sentence about a record that is a fault."""
    logger, event, text = str(record.get("logger")), str(record.get("event")), str(record)
    if logger in _THEIRS or record.get("level") in {"debug", "info"} or "timestamp" not in record:
        return None
    if logger.startswith("launchd"):
        fine = _is_expected(record, event, text)
    else:  # errors that a task has left show the task's own frames, or none of launchd's
        fine = _names_a_task(text) or (logger == "asyncio" and "never retrieved" in event and "/launchd/" not in text)
    return None if fine else f"{logger} says {event:.200}: {text:.1500}"


def _is_expected(record: dict[str, Any], event: str, text: str) -> bool:
    if event == "loop_goes_on":
        return float(record.get("seconds", 0)) < _HELD_SECONDS
    return event in EXPECTED_EVENTS or (event in _LEFT_BEHIND and _names_a_task(text))
