"""The log lines of jobs that start and end."""

import logging

import structlog
from structlog.testing import capture_logs

from launchd import Context, Retry, task
from launchd.engine.attempts.joblog import SUCCESSES_PER_SECOND
from launchd.engine.maker import TriggerRequest
from launchd.testing import running


@task(queue="scraping", lock="bench", max_retries=1)
async def breaks(_ctx: Context) -> None:
    """Fail."""
    raise ValueError("no luck")


@task
async def asks(_ctx: Context) -> None:
    """Raise Retry."""
    raise Retry("not now", after=5)


@task
async def works(_ctx: Context) -> None:
    """Succeed."""


async def test_a_failure_names_queue_schedule_and_lock_and_shows_where_it_was_raised() -> None:
    schedules = {"hourly": {"task": "breaks", "cron": "0 * * * *"}}
    with capture_logs() as lines:
        async with running(tasks=[breaks], schedules=schedules) as daemon:
            await daemon.advance(minutes=70)
            (job,) = await daemon.jobs(task="breaks")
    retries, failed = (one for one in lines if one.get("job_id") == job.id and "error" in one)
    named = {"task": "breaks", "queue": "scraping", "schedule": "hourly", "lock": "bench"}
    named["error"] = "ValueError: no luck"
    assert named.items() <= retries.items()
    assert (retries["event"], retries["log_level"], retries["attempt"]) == ("job_retries", "warning", 1)
    assert named.items() <= failed.items()
    assert (failed["event"], failed["log_level"], failed["attempt"]) == ("job_failed", "error", 2)
    assert 'raise ValueError("no luck")' in failed["exception"]


async def test_a_start_is_logged_at_debug_only() -> None:
    seen = {}
    for level in (logging.DEBUG, logging.INFO):
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
        try:
            with capture_logs() as lines:
                async with running(tasks=[works]) as daemon:
                    job = await daemon.trigger("works")
        finally:
            structlog.reset_defaults()
        seen[level] = [one for one in lines if one["event"] == "job_started" and one["job_id"] == job.id]
    ((started,), nothing) = seen.values()
    assert (started["task"], started["log_level"], nothing) == ("works", "debug", [])


async def test_a_retry_is_logged_without_a_traceback() -> None:
    with capture_logs() as lines:
        async with running(tasks=[asks]) as daemon:
            await daemon.trigger("asks")
    (line,) = (one for one in lines if one["event"] == "job_retries")
    assert (line["error"], "exception" in line) == ("Retry: not now", False)


async def test_too_many_successes_within_a_second_are_logged_as_one_line_after_it() -> None:
    more = 7
    with capture_logs() as lines:
        async with running(tasks=[works]) as daemon:
            await daemon.daemon.control.enqueue([TriggerRequest("works")] * (SUCCESSES_PER_SECOND + more), by="test")
            await daemon.advance(seconds=0.5)
            assert [one for one in lines if one["event"] == "jobs_succeeded"] == []
            await daemon.advance(seconds=1)
    told = [one for one in lines if one["event"] == "job_ended"]
    assert len(told) == SUCCESSES_PER_SECOND
    (together,) = (one for one in lines if one["event"] == "jobs_succeeded")
    assert (together["queue"], together["count"]) == ("default", more)


async def test_that_line_is_logged_even_if_the_queue_was_paused_meanwhile() -> None:
    with capture_logs() as lines:
        async with running(tasks=[works]) as daemon:
            control = daemon.daemon.control
            await control.enqueue([TriggerRequest("works")] * (SUCCESSES_PER_SECOND + 1), by="test")
            await daemon.settle()
            await control.pause_queue("default", None, "test")
            await daemon.advance(seconds=2)
            assert [one["count"] for one in lines if one["event"] == "jobs_succeeded"] == [1]
