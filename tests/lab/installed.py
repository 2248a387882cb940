"""Gives a test launchd in a box, installed there by `make install` as an operator would, with tasks to watch.

`box` is one box for all tests; `daemon` is that box with launchd running and no job left from another test.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launchd.admin.client import AdminClient
from tests.lab.box import PATIENCE_SECONDS, Box, booted

ROOT = Path(__file__).parents[2]
# The units run the system's Python: they may not read home directories.
PYTHON = "/usr/bin/python3"
UNIT = "launchd.service"
CONFIG = """
[tasks]
modules = ["lab_tasks"]
[schedules.scrape_launch_data]
enabled = false
[daemon]
drain_seconds = 120.0
{extra}
"""
# A task that runs until a file in the daemon's own state directory lets it end.
TASKS = """
import asyncio
import time
from pathlib import Path
from launchd import Context, task

@task
async def hold(ctx: Context) -> str:
    ctx.log.info("holding")
    while not Path("/var/lib/launchd/go").exists():
        await asyncio.sleep(0.02)
    return "let go"

@task
async def read_secret(ctx: Context) -> str:
    from launchd.launches.fetch.client import read_token
    secret = read_token("credential:launch_library") or ""
    ctx.log.info("read", words=f"it is {secret}")
    return str(len(secret))

@task(lock="lab_lock", max_retries=0)
async def fail(ctx: Context) -> None:
    ctx.log.warning("about_to_fail", password="not-for-the-journal")
    raise ValueError("no luck")

@task
async def block(ctx: Context) -> None:
    time.sleep(3600)

@task
def talk(ctx: Context, *, lines: int) -> None:
    for number in range(lines):
        ctx.log.info("talking", number=number)
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages that `make install` fetches, as wheels, since the box has no network."""
    work = tmp_path_factory.mktemp("wheels")
    subprocess.run([PYTHON, "-m", "venv", work / "venv"], check=True)
    pip = [str(work / "venv/bin/python"), "-m", "pip", "download", "-q", "-d", str(work / "wheels")]
    for lock in ("requirements", "build"):
        subprocess.run([*pip, "--require-hashes", "-r", f"etc/{lock}.lock"], cwd=ROOT, check=True)
    subprocess.run([*pip, "-c", "etc/constraints.txt", "apprise"], cwd=ROOT, check=True)
    return work / "wheels"


@pytest.fixture(scope="session")
def box(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box with launchd installed as an operator would, and two drop-ins that shorten the waits."""
    work = tmp_path_factory.mktemp("box")
    source = work / "inject/srv/launchd"
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in listed.stdout.decode().split():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    shutil.copytree(wheels, work / "inject/srv/wheels")
    drop_in = work / f"inject/etc/systemd/system/{UNIT}.d/lab.conf"
    drop_in.parent.mkdir(parents=True)
    # journald's own limit is out of reach, since a test counts lines; an interval of 0 would leave its default
    limit = "LogRateLimitIntervalSec=1\nLogRateLimitBurst=1000000\n"
    drop_in.write_text(f"[Service]\nWatchdogSec=3\nTimeoutStopSec=3\n{limit}")
    tasks = work / "inject/etc/launchd/lab_tasks.py"
    tasks.parent.mkdir(parents=True)
    tasks.write_text(TASKS)
    secret = work / "inject/etc/credstore/launch_library"
    secret.parent.mkdir(mode=0o700)
    secret.write_text("a-secret-of-20-chars")
    (secret.parent / "alerts").write_text("json://127.0.0.1:8472")
    with booted(work) as running:
        install(running)
        write_config(running)
        yield running


@pytest.fixture
def daemon(box: Box) -> Iterator[Box]:
    """The box with launchd running and no job left from another test."""
    box.path("/var/lib/launchd/go").unlink(missing_ok=True)
    write_config(box)
    box.run("systemctl", "reset-failed", UNIT, check=False)
    box.run("systemctl", "start", UNIT)
    yield box
    box.path("/var/lib/launchd/go").touch()
    box.run("systemctl", "stop", UNIT)


def offline(box: Box, *command: str, check: bool = True) -> str:
    """A command that installs packages, changed so that they come from the wheels."""
    path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    told = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PATH": path}
    return box.run("env", *map("=".join, told.items()), *command, check=check).stdout


def install(box: Box) -> None:
    """`make install`, and the extra package for alerts."""
    offline(box, "make", "-C", "/srv/launchd", "install", f"PYTHON={PYTHON}")
    offline(box, "/opt/launchd/bin/python", "-m", "pip", "install", "--quiet", "apprise")


def write_config(box: Box, extra: str = "") -> None:
    """Write the configuration of these tests; `extra` continues its table `[daemon]`."""
    box.path("/etc/launchd/launchd.toml").write_text(CONFIG.format(extra=extra))


def client(box: Box) -> AdminClient:
    """A client of the box's daemon, from outside."""
    return AdminClient(box.path("/run/launchd/admin.sock"))


def ended(box: Box, task: str, **args: object) -> dict[str, Any]:
    """The job of a task, once it has ended."""
    job = client(box).request("POST", f"/v1/tasks/{task}/trigger", body={"args": args})
    job = client(box).request("GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)
    return dict(job)


def until(true: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks


def until_state(box: Box, job_id: str, state: str) -> None:
    """Wait until a job has a state."""
    until(lambda: client(box).request("GET", f"/v1/jobs/{job_id}")["state"] == state)
