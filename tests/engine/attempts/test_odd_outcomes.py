"""The engine checks everything that a task returns, raises or reports: one bad outcome is one failed job."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from launchd.job import MAX_JSON_BYTES, MAX_TRACEBACK_BYTES
from tests.fuzz.daemon import RealDaemon
from tests.fuzz.judge import faults_of_log, has_ended
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.odd_outcome_tasks import LOOP_ENDERS, WISHES

KINDS = ("coroutine", "thread", "process")
# A job whose outcome is lost never ends: each such test waits this long.
_PATIENCE_SECONDS = 20.0
# Lists that show values of tasks and clients.
_LISTS = ("/v1/jobs", "/v1/tasks", "/v1/schedules")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    made = RealDaemon(
        tmp_path_factory.mktemp("seams"), ("tests.support.odd_outcome_tasks",), scheduled="seam_coroutine", extra=_ARGS
    )
    yield made
    made.stop()


_ARGS = '[schedules.quiet.args]\nbody = "nothing"\n'


@pytest.fixture
def daemon(lasting: RealDaemon) -> Iterator[RealDaemon]:
    """A real daemon, shared by these tests; after each of them it runs, answers, and has logged no error of its own."""
    if not lasting.alive:
        lasting.start()
        lasting.lines()
    yield lasting
    assert lasting.alive, f"the daemon ended with exit code {lasting.code}"
    assert [fault for path in _LISTS if (fault := lasting.status_of(path))] == []
    assert faults_of_log(lasting.lines()) == []


def trigger(daemon: RealDaemon, task: str, **args: object) -> str:
    return str(daemon.ask("POST", f"/v1/tasks/{task}/trigger", body={"args": args})["id"])


def after_one_attempt(daemon: RealDaemon, job_id: str) -> dict[str, Any]:
    """The job once an attempt of it has ended."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not has_ended(job := daemon.ask("GET", f"/v1/jobs/{job_id}")):
        assert time.monotonic() < until, f"{job['task']} {job['args']} is still {job['state']}"
        time.sleep(0.01)
    return dict(job)


def run(daemon: RealDaemon, kind: str, body: str) -> dict[str, Any]:
    return after_one_attempt(daemon, trigger(daemon, f"seam_{kind}", body=body))


def lines_of(daemon: RealDaemon, job: dict[str, Any]) -> list[dict[str, Any]]:
    return list(daemon.ask("GET", f"/v1/jobs/{job['id']}/logs?limit=1000")["items"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- Retry, Snooze, Cancel ---


def test_neighbours_of_a_job_with_an_impossible_verdict_keep_their_success(daemon: RealDaemon) -> None:
    bodies = ["snooze 1e12", "nothing", "retry epoch in ms", "nothing", "surrogate", "nothing", "broken text"] * 3
    wishes = [{"task": "seam_coroutine", "args": {"body": body}} for body in bodies]
    ids = daemon.ask("POST", "/v1/jobs", body={"jobs": wishes})["ids"]
    states = [after_one_attempt(daemon, job_id)["state"] for job_id in ids]
    assert states == ["succeeded" if body == "nothing" else "failed" for body in bodies]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("snooze 1e12", "ValueError"),
        ("snooze nan", "ValueError"),
        ("snooze -5", "ValueError"),
        ("snooze 10**400", "ValueError"),
        ("snooze text", "TypeError"),
        ("retry epoch in ms", "ValueError"),
        ("retry inf", "ValueError"),
        ("retry text", "TypeError"),
    ],
)
def test_an_impossible_delay_is_refused_in_the_task_where_it_is_made(
    daemon: RealDaemon, kind: str, body: str, error: str
) -> None:
    job = run(daemon, kind, body)
    assert (job["state"], job["error"]["type"]) == ("failed", error)
    assert "366 days" in job["error"]["message"] or "timedelta" in job["error"]["message"]
    assert "odd_outcome_tasks.py" in job["error"]["traceback"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", ["snooze nan later", "retry text later"])
def test_a_delay_that_is_spoiled_after_it_was_made_fails_the_job(daemon: RealDaemon, kind: str, body: str) -> None:
    job = run(daemon, kind, body)
    assert job["state"] == "failed"
    assert ("seconds" if "snooze" in body else "after") in job["error"]["message"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("body", "delay"), [("retry timedelta", 300), ("snooze timedelta", 3600)])
def test_a_delay_may_be_a_timedelta(daemon: RealDaemon, kind: str, body: str, delay: int) -> None:
    wish = {"args": {"body": body}, "max_retries": 1}
    job = after_one_attempt(daemon, daemon.ask("POST", f"/v1/tasks/seam_{kind}/trigger", body=wish)["id"])
    assert job["state"] == "queued"
    waits = instant(job["run_at"]) - instant(job["created_at"])
    assert timedelta(seconds=delay) <= waits <= timedelta(seconds=delay + PATIENCE_SECONDS)
    daemon.ask("POST", f"/v1/jobs/{job['id']}/cancel", body={})


def test_a_snooze_of_nothing_waits_a_second_at_least(daemon: RealDaemon) -> None:
    job_id = trigger(daemon, "seam_coroutine", body="snooze 0")
    after_one_attempt(daemon, job_id)
    daemon.ask("POST", f"/v1/jobs/{job_id}/cancel", body={})
    events = [one for one in daemon.ask("GET", f"/v1/jobs/{job_id}?wait=10")["history"] if one["event"] == "snoozed"]
    gaps = [instant(later["at"]) - instant(one["at"]) for one, later in pairwise(events)]
    assert all(gap >= timedelta(seconds=1) for gap in gaps)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reason_that_is_no_utf_8_cancels_the_job_with_a_clean_text(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "cancel surrogate")
    assert job["state"] == "cancelled"
    assert job["reason"].startswith("caf")


# --- errors ---


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_whose_message_cannot_be_read_fails_the_job_with_that_reason(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "broken text")
    assert (job["state"], job["error"]["type"]) == ("failed", "Bad")
    assert job["error"]["message"] == "<Bad: its text cannot be read: TypeError>"
    assert "odd_outcome_tasks.py" in job["error"]["traceback"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("body", "says"), [("surrogate", "caf"), ("surrogate cause", "cannot read")])
def test_an_error_with_a_lone_surrogate_in_its_text_or_its_cause_fails_the_job(
    daemon: RealDaemon, kind: str, body: str, says: str
) -> None:
    job = run(daemon, kind, body)
    assert (job["state"], job["error"]["type"]) == ("failed", "ValueError")
    assert says in job["error"]["message"]
    assert "caf" in job["error"]["traceback"]


@pytest.mark.parametrize("kind", KINDS)
def test_stop_iteration_out_of_a_task_is_wrapped_and_fails_the_job(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "stop iteration")
    assert (job["state"], job["error"]["type"]) == ("failed", "RuntimeError")
    assert "StopIteration" in job["error"]["message"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("body", "error"), [("exit", "SystemExit"), ("interrupt", "KeyboardInterrupt")])
def test_an_exit_out_of_a_task_fails_the_job_alone(daemon: RealDaemon, kind: str, body: str, error: str) -> None:
    job = run(daemon, kind, body)
    assert (job["state"], job["error"]["type"]) == ("failed", error)


@pytest.mark.parametrize("kind", [*KINDS, "process_coroutine"])
def test_an_error_that_hides_its_class_fails_the_job(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "classless")
    assert (job["state"], job["error"]["type"], job["error"]["message"]) == ("failed", "Classless", "no class")


@pytest.mark.parametrize("body", ["long notes", "many notes"])
def test_the_notes_of_an_error_are_bounded_before_they_are_formatted(daemon: RealDaemon, body: str) -> None:
    job = run(daemon, "coroutine", body)
    assert (job["state"], job["error"]["message"]) == ("failed", "with notes")
    assert len(job["error"]["traceback"].encode()) <= MAX_TRACEBACK_BYTES
    assert "odd_outcome_tasks.py" in job["error"]["traceback"]


# --- progress and results ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", ["progress word", "progress nan", "progress 10**400"])
def test_progress_that_is_no_finite_number_is_refused_in_the_task(daemon: RealDaemon, kind: str, body: str) -> None:
    job = run(daemon, kind, body)
    assert (job["state"], job["progress"]) == ("failed", None)
    assert "number" in job["error"]["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_of_progress_that_is_no_text_is_kept_as_its_text(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "progress path")
    assert (job["state"], job["progress"]) == ("succeeded", {"done": 1.0, "total": 2.0, "note": "x"})


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_bounded_in_bytes(daemon: RealDaemon, kind: str) -> None:
    whole, cut = run(daemon, kind, "exactly"), run(daemon, kind, "large")
    assert len(whole["result"]) == MAX_JSON_BYTES - 2
    assert (cut["state"], cut["result"]["cut"], cut["result"]["bytes"]) == ("succeeded", True, 80_002)
    assert len(cut["result"]["head"].encode()) <= 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_that_is_no_json_fails_the_job(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "surrogate result")
    assert job["state"] == "failed"
    assert "JSON" in job["error"]["message"]


# --- the task loop ---


@pytest.mark.parametrize("how", list(LOOP_ENDERS))
def test_the_task_loop_goes_on_after_a_task_that_ends_loops(daemon: RealDaemon, how: str) -> None:
    job = after_one_attempt(daemon, trigger(daemon, "end_the_loop", how=how))
    assert job["state"] in {"failed", "succeeded"}
    for kind in KINDS[:2]:
        assert run(daemon, kind, "nothing")["state"] == "succeeded"
    assert {one["status"] for one in daemon.ask("GET", "/v1/health")["checks"].values()} == {"healthy"}


@pytest.mark.parametrize("how", ["wait_for", "call_soon", "subtask", "interrupt"])
def test_a_task_whose_callback_or_subtask_exits_fails(daemon: RealDaemon, how: str) -> None:
    job = after_one_attempt(daemon, trigger(daemon, "end_the_loop", how=how))
    assert job["state"] == "failed"
    assert job["error"]["type"] in {"SystemExit", "KeyboardInterrupt"}


def test_a_task_factory_that_fails_keeps_no_other_job_from_running(daemon: RealDaemon) -> None:
    assert after_one_attempt(daemon, trigger(daemon, "end_the_loop", how="spoil"))["state"] == "succeeded"
    assert run(daemon, "coroutine", "nothing")["state"] == "succeeded"
    assert after_one_attempt(daemon, trigger(daemon, "end_the_loop", how="restore"))["state"] == "succeeded"


# --- processes: standard input, the log ---


def test_the_child_of_a_process_task_reads_end_of_file_from_standard_input(daemon: RealDaemon) -> None:
    job = run(daemon, "process", "stdin")
    assert (job["state"], job["result"]) == ("succeeded", "")


def test_a_child_that_reads_standard_input_cannot_eat_the_answer_to_a_trigger(daemon: RealDaemon) -> None:
    job = after_one_attempt(daemon, trigger(daemon, "child_reads"))
    assert job["state"] == "succeeded", job["error"]
    assert after_one_attempt(daemon, job["result"])["state"] == "succeeded"


@pytest.mark.parametrize("kind", ["coroutine", "process"])
@pytest.mark.parametrize("wish", WISHES)
def test_an_odd_request_for_a_job_fails_the_job_that_makes_it(daemon: RealDaemon, kind: str, wish: str) -> None:
    job = after_one_attempt(daemon, trigger(daemon, f"wish_{kind}", wish=wish))
    assert job["state"] == "failed", job


@pytest.mark.parametrize("kind", KINDS)
def test_a_logged_exception_keeps_its_traceback(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "log exception")
    (line,) = [one for one in lines_of(daemon, job) if one["event"] == "something failed"]
    assert (job["state"], line["level"], line["fields"]["source"]) == ("succeeded", "error", "gcat")
    assert "an error to log" in str(line["fields"]["exception"])
    assert "odd_outcome_tasks.py" in str(line["fields"]["exception"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_logged_value_that_is_no_utf_8_or_no_json_is_shown_as_text(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "log surrogate")
    assert job["state"] == "succeeded", job["error"]
    (line,) = [one for one in lines_of(daemon, job) if one["event"] == "odd name"]
    assert line["fields"]["name"].startswith("caf")


@pytest.mark.parametrize("kind", KINDS)
def test_a_logged_list_that_holds_itself_many_times_is_copied_within_bounds(daemon: RealDaemon, kind: str) -> None:
    assert run(daemon, kind, "log tangled")["result"] == "logged"


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_whose_event_or_logger_is_no_text_is_shown_with_texts(daemon: RealDaemon, kind: str) -> None:
    lines = [one for one in lines_of(daemon, run(daemon, kind, "log odd event")) if one["event"] in {"", "5"}]
    assert len(lines) == 2
    assert {type(one["logger"]) for one in lines} == {str}


@pytest.mark.parametrize("kind", KINDS)
def test_lines_of_the_standard_librarys_log_in_a_task_carry_the_jobs_id(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "standard")
    said = {one["event"]: one for one in lines_of(daemon, job) if one["logger"] == "some.library"}
    assert said["a library says hello"]["level"] == "warning"
    assert "an error of a library" in str(said["a library failed"]["fields"]["exception"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_format_in_the_standard_librarys_log_costs_no_job_and_no_line(daemon: RealDaemon, kind: str) -> None:
    job = run(daemon, kind, "broken format")
    assert job["state"] == "succeeded"
    assert any("%d of %d" in one["event"] for one in lines_of(daemon, job))
