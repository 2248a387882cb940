"""Gives a test a real daemon as a process that it may kill and start again on the same state."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from launchd.admin.client import AdminClient, RefusedError
from launchd.errors import UnreachableError
from tests.support.hosted_daemon import PATIENCE_SECONDS, QUIET_SCHEDULES, only_these_sources
from tests.support.paths import ROOT


class KillableDaemon:
    """The daemon of one state directory."""

    def __init__(self, directory: Path) -> None:
        self._client = AdminClient(directory / "admin.sock")
        self._config = directory / "launchd.toml"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it (again) and wait until it answers."""
        command = [sys.executable, "-m", "launchd", "run", "--config", str(self._config)]
        self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(UnreachableError, RefusedError):  # 503 until it takes work
                    await self.ask("GET", "/readyz")
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Send SIGKILL, as a stand-in for a power cut."""
        await self.end(signal.SIGKILL)

    async def end(self, how: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Ask the admin socket."""
        return await asyncio.to_thread(self._client.request, method, path, body=body)

    async def trigger(self, task: str, **wish: Any) -> str:  # noqa: ANN401 - as the admin socket takes it
        """Trigger a task; returns the job's id."""
        return str((await self.ask("POST", f"/v1/tasks/{task}/trigger", wish))["id"])

    async def until(self, job_id: str, state: str) -> dict[str, Any]:
        """Wait until the job has a state; returns it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                job: dict[str, Any] = await self.ask("GET", f"/v1/jobs/{job_id}")
                if job["state"] == state:
                    return job
                await asyncio.sleep(0.02)


@asynccontextmanager
async def killable_daemon(directory: Path, modules: str = "tests.support.tasks") -> AsyncIterator[KillableDaemon]:
    """A started daemon with the tasks of a module; it is killed at the end."""
    text = f"""
[daemon]
state_directory = "{directory}"
[admin]
socket = "{directory}/admin.sock"
[tasks]
modules = ["{modules}"]
{QUIET_SCHEDULES}
"""
    (directory / "launchd.toml").write_text(only_these_sources(text))
    daemon = KillableDaemon(directory)
    try:
        await daemon.start()
        yield daemon
    finally:
        await daemon.kill()
