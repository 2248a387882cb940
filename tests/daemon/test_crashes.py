"""Jobs after crashes, deploys and cancels, in the real daemon."""

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from launchd import Context, Retry, Snooze, task
from launchd.errors import ConflictError
from launchd.job import MAX_INTERRUPTIONS, JobState
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.killable_daemon import killable_daemon
from tests.support.tasks import ALL, fact, started

WISH = {"args": {"name": "for ever"}}


async def test_two_crashes_in_a_row_quarantine_a_job_until_it_is_requeued(tmp_path: Path) -> None:
    async with killable_daemon(tmp_path) as daemon:
        job_id = await daemon.trigger("waiting", **WISH)
        other = await daemon.trigger("waiting", **WISH, delay=3600)
        for attempt in (1, 2):
            assert (await daemon.until(job_id, "running"))["attempt"] == attempt
            await daemon.kill()
            await daemon.start()
        job = await daemon.until(job_id, "quarantined")
        assert (job["attempt"], job["waiting_on"]) == (2, None)
        assert (await daemon.ask("GET", f"/v1/jobs/{other}"))["state"] == "queued"
        await daemon.kill()
        await daemon.start()
        await daemon.until(job_id, "quarantined")
        await daemon.ask("POST", f"/v1/jobs/{job_id}/retry")
        assert (await daemon.until(job_id, "running"))["attempt"] == 1
        await daemon.kill()
        await daemon.start()
        assert (await daemon.until(job_id, "running"))["attempt"] == 2, "its crashes were counted from before"


async def test_a_crash_in_the_last_attempt_fails_the_job_with_that_reason(tmp_path: Path) -> None:
    async with killable_daemon(tmp_path) as daemon:
        job_id = await daemon.trigger("waiting", **WISH, max_retries=0)
        await daemon.until(job_id, "running")
        await daemon.kill()
        await daemon.start()
        job = await daemon.until(job_id, "failed")
        assert (job["attempt"], job["error"]["type"]) == (1, "CrashError")
        assert "the daemon died while this job ran" in job["error"]["message"]


@pytest.mark.parametrize("terminate", [False, True])
async def test_a_cancel_that_the_task_ignores_outlives_a_crash(tmp_path: Path, terminate: bool) -> None:
    async with killable_daemon(tmp_path) as daemon:
        job_id = await daemon.trigger("stubborn", **WISH, max_retries=5)
        await daemon.until(job_id, "running")
        told = await daemon.ask("POST", f"/v1/jobs/{job_id}/cancel", {"terminate": terminate, "reason": "enough"})
        assert told["cancel_requested"] == ("terminate" if terminate else "cancel")
        await daemon.kill()
        await daemon.start()
        job = await daemon.until(job_id, "cancelled")
        assert (job["attempt"], job["enforceable"]) == (1, False)


async def test_a_deploy_spends_no_attempt_five_times_in_a_row(tmp_path: Path) -> None:
    attempts = []
    job_id = ""
    config = quiet_config(tmp_path)
    config = msgspec.structs.replace(config, daemon=msgspec.structs.replace(config.daemon, drain_seconds=0.0))
    for _ in range(MAX_INTERRUPTIONS + 2):
        started("deployed").clear()
        async with hosted(config, tasks=ALL) as daemon:
            if not job_id:
                job_id = (await daemon.control.trigger("waiting", {"name": "deployed"}, by="test"))[0].id
            await fact(started("deployed"))
            attempts.append((await daemon.control.job(job_id)).attempt)
    assert attempts == [1] * (MAX_INTERRUPTIONS + 1) + [2]


@pytest.mark.parametrize("error", [ValueError("not like this"), Snooze(3600, "not now"), Retry("not like this")])
@pytest.mark.parametrize("max_retries", [0, 5])
async def test_a_cancelled_job_stays_cancelled_when_its_task_raises_on_the_way_out(
    tmp_path: Path, error: Exception, max_retries: int
) -> None:
    entered = threading.Event()

    @task(max_retries=max_retries)
    async def sulk(_ctx: Context) -> None:
        entered.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise error from None

    async with hosted(quiet_config(tmp_path), tasks=[sulk]) as daemon:
        job, _ = await daemon.control.trigger("sulk", {}, by="test")
        await fact(entered)
        await daemon.control.cancel(job.id, terminate=False, reason="enough", by="test")
        job = await ended(daemon, job.id)
        assert (job.state, job.reason) == (JobState.CANCELLED, "enough")
        assert str(error) in (job.error or "")
    async with hosted(quiet_config(tmp_path), tasks=[sulk]) as daemon:
        job = await daemon.control.job(job.id)
        assert (job.state, job.attempt) == (JobState.CANCELLED, 1)


async def test_a_unique_job_is_given_again_while_it_has_not_ended_and_cannot_be_requeued_beside_a_twin(
    tmp_path: Path,
) -> None:
    release = threading.Event()

    @task(unique=True)
    def lonely(_ctx: Context, *, number: int) -> int:
        release.wait(PATIENCE_SECONDS)
        return number

    async with hosted(quiet_config(tmp_path), tasks=[lonely]) as daemon:
        control = daemon.control
        first, made = await control.trigger("lonely", {"number": 1}, by="test")
        assert made
        again, made = await control.trigger("lonely", {"number": 1}, by="test")
        assert (again.id, made) == (first.id, False)
        other, made = await control.trigger("lonely", {"number": 2}, by="test")
        assert made
        assert other.id != first.id
        release.set()
        for job in (first, other):
            assert (await ended(daemon, job.id)).state is JobState.SUCCEEDED
        release.clear()
        twin, made = await control.trigger("lonely", {"number": 1}, by="test")
        assert made
        with pytest.raises(ConflictError, match=twin.id):
            await control.retry(first.id, by="test")
        release.set()
        await ended(daemon, twin.id)
        assert (await control.retry(first.id, by="test")).state is JobState.QUEUED
        assert (await ended(daemon, first.id)).state is JobState.SUCCEEDED
