"""A task that blocks, a lock that is held, and a daemon that is killed, as seen from outside."""

import asyncio
import signal
import sys
import threading
from pathlib import Path

import aiohttp
import pytest

from launchd.admin.client import AdminClient
from launchd.errors import UnreachableError
from launchd.job import JobState
from launchd.task import Context, task
from tests.support import tasks
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, only_these_sources, quiet_config
from tests.support.payloads import FLOWN_ROW, LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying


async def test_a_coroutine_that_blocks_its_loop_leaves_the_socket_answering_and_its_lock_renewed(
    tmp_path: Path,
) -> None:
    entered, release = threading.Event(), threading.Event()

    @task(lock="blocking_lock")
    async def block(_ctx: Context) -> None:
        entered.set()
        release.wait(PATIENCE_SECONDS)  # what time.sleep(60) does to a loop

    async with hosted(quiet_config(tmp_path, "[locks]\nlease_seconds = 3.0"), tasks=[block]) as daemon:
        job, _ = await daemon.control.trigger("block", {}, by="test")
        await asyncio.to_thread(entered.wait, PATIENCE_SECONDS)
        connector = aiohttp.UnixConnector(str(daemon.socket))
        async with aiohttp.ClientSession("http://launchd", connector=connector) as session:
            async with session.get("/v1/status") as response:
                assert response.status == 200
            (before,) = await daemon.control.locks()
            async with asyncio.timeout(PATIENCE_SECONDS):
                after = before
                while after.lock.expires_at == before.lock.expires_at:
                    await asyncio.sleep(0.05)
                    (after,) = await daemon.control.locks()
            assert (after.lock.job_id, after.lock.fence) == (job.id, before.lock.fence)
        release.set()
        assert (await ended(daemon, job.id)).state is JobState.SUCCEEDED


async def test_a_job_whose_lock_stays_held_is_skipped_and_names_the_holder(tmp_path: Path) -> None:
    entered, release = threading.Event(), threading.Event()

    @task(lock="shared_lock", lock_wait_seconds=0.2)
    def hold(_ctx: Context) -> None:
        entered.set()
        release.wait(PATIENCE_SECONDS)

    async with hosted(quiet_config(tmp_path), tasks=[hold]) as daemon:
        first, _ = await daemon.control.trigger("hold", {}, by="test")
        await asyncio.to_thread(entered.wait, PATIENCE_SECONDS)
        second, _ = await daemon.control.trigger("hold", {}, by="test")
        skipped = await ended(daemon, second.id)
        release.set()
        assert skipped.state is JobState.SKIPPED
        assert skipped.reason is not None
        assert first.id in skipped.reason
        assert (await ended(daemon, first.id)).state is JobState.SUCCEEDED


def write_config(directory: Path, replay: Replay) -> Path:
    path = directory / "launchd.toml"
    path.write_text(
        only_these_sources(f"""
[daemon]
state_directory = "{directory}"
[admin]
socket = "{directory}/admin.sock"
[sources.launch_library]
base_url = "{replay.url}/ll/"
[sources.gcat]
base_url = "{replay.url}/gcat/"
""")
    )
    return path


async def start(config: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "launchd", "run", "--config", str(config), stderr=asyncio.subprocess.DEVNULL
    )


async def scraped(client: AdminClient) -> dict[str, object]:
    """The scheduled scrape, once it has ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                answer = await asyncio.to_thread(client.request, "GET", "/v1/jobs", task="scrape_launch_data")
            except UnreachableError:
                answer = {"items": []}
            for job in answer["items"]:
                if job["state"] not in {"queued", "running"}:
                    found: dict[str, object] = job
                    return found
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kill", [True, False])
async def test_a_daemon_killed_in_the_middle_of_a_scrape_ends_with_the_data_of_an_undisturbed_one(
    tmp_path: Path, kill: bool
) -> None:
    client = AdminClient(tmp_path / "admin.sock")
    async with replaying() as replay:
        upcoming = page(ll2("Falcon 9 | Next", "2099-01-01T00:00:00Z"))
        replay.bodies = {UPCOMING: upcoming, PREVIOUS: page(), LOG: gcat(FLOWN_ROW)}
        config = write_config(tmp_path, replay)
        replay.free.clear()
        process = await start(config)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await replay.asked.wait()
            if kill:
                process.kill()
                await process.wait()
                process = await start(config)
            replay.free.set()
            job = await scraped(client)
            launches = (await asyncio.to_thread(client.request, "GET", "/v1/launches"))["items"]
            detail = await asyncio.to_thread(client.request, "GET", f"/v1/launches/{launches[0]['id']}")
        finally:
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    assert (job["state"], job["attempt"]) == ("succeeded", 2 if kill else 1)
    assert [one["name"] for one in launches] == ["Falcon 9 | Next", "Starlink"]
    assert detail["history"] == []


async def test_a_coroutine_that_only_computes_lets_others_run_and_ends_at_a_checkpoint(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=tasks.ALL) as daemon:
        job, _ = await daemon.control.trigger("computing", {"name": "checkpoint"}, by="test")
        await tasks.fact(tasks.started("checkpoint"))
        other, _ = await daemon.control.trigger("echo", {"value": 1}, by="test")
        assert (await ended(daemon, other.id)).state is JobState.SUCCEEDED
        await daemon.control.cancel(job.id, terminate=False, reason="enough", by="test")
        assert (await ended(daemon, job.id)).state is JobState.CANCELLED
