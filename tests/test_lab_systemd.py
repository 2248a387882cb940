"""launchd under a real systemd: installed by `make install`, started, reloaded, watched, restarted, stopped."""

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launchd.admin.client import AdminClient
from launchd.errors import LaunchdError
from tests.lab.box import PATIENCE_SECONDS, Box, booted, missing

pytestmark = [pytest.mark.lab, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

ROOT = Path(__file__).parents[1]
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
# A task that runs until it is let go: the file lies in the daemon's own state directory.
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
    from launchd.launches.fetch import read_token
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
# Takes one alert, as JSON over HTTP, and writes it to a file.
RECEIVER = """
import http.server, pathlib

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        pathlib.Path("/run/alert.new").write_bytes(body)
        pathlib.Path("/run/alert.new").rename("/run/alert")
        self.send_response(200)
        self.end_headers()

with http.server.HTTPServer(("127.0.0.1", 8472), Receiver) as server:
    pathlib.Path("/run/receiving").touch()
    server.handle_request()
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that `make install` asks the package index for, as wheels: the box has no network."""
    work = tmp_path_factory.mktemp("wheels")
    subprocess.run([PYTHON, "-m", "venv", work / "venv"], check=True)
    pip = [str(work / "venv/bin/python"), "-m", "pip", "wheel", "-q", "-c", "etc/constraints.txt", "-w"]
    subprocess.run([*pip, str(work / "wheels"), ".[alerts]", "hatchling"], cwd=ROOT, check=True)
    for wheel in (work / "wheels").glob("launchd-*.whl"):
        wheel.unlink()  # the box builds it from the sources
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
    # journald's own limit is off: a test counts lines
    drop_in.write_text("[Service]\nWatchdogSec=3\nTimeoutStopSec=3\nLogRateLimitIntervalSec=0\nLoadCredential=alerts\n")
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
    """The box with launchd up and no job left from another test."""
    box.path("/var/lib/launchd/go").unlink(missing_ok=True)
    write_config(box)
    box.run("systemctl", "reset-failed", UNIT, check=False)
    box.run("systemctl", "start", UNIT)
    yield box
    box.path("/var/lib/launchd/go").touch()
    box.run("systemctl", "stop", UNIT)


def install(box: Box) -> None:
    """`make install`, and the extra package for alerts, from the wheels."""
    for command in (
        ("make", "-C", "/srv/launchd", "install", f"PYTHON={PYTHON}"),
        ("/opt/launchd/bin/python", "-m", "pip", "install", "--quiet", "apprise"),
    ):
        box.run(*command, PIP_NO_INDEX="1", PIP_FIND_LINKS="/srv/wheels", PIP_DISABLE_PIP_VERSION_CHECK="1")


def write_config(box: Box, extra: str = "") -> None:
    box.path("/etc/launchd/launchd.toml").write_text(CONFIG.format(extra=extra))


def client(box: Box) -> AdminClient:
    return AdminClient(box.path("/run/launchd/admin.sock"))


def test_a_started_daemon_is_ready_and_says_in_one_line_what_it_does(daemon: Box) -> None:
    assert daemon.property(UNIT, "ActiveState") == "active"
    assert "0 running, 0 waiting; next health_check at" in daemon.property(UNIT, "StatusText")
    assert client(daemon).ask("GET", "/readyz") == {"status": "ready"}
    said = daemon.run("/usr/local/bin/launchd", "status").stdout
    assert "scraping" in said


def test_the_units_are_clean_and_the_service_is_confined(daemon: Box) -> None:
    units = [f"/etc/systemd/system/{name}" for name in (UNIT, "launchd.socket")]
    checked = daemon.run("systemd-analyze", "verify", "--recursive-errors=no", *units)
    assert checked.stdout + checked.stderr == ""
    daemon.run("systemd-analyze", "security", "--offline=true", "--threshold=15", units[0])
    pid = daemon.property(UNIT, "MainPID")
    status = daemon.run("cat", f"/proc/{pid}/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines())
    assert (facts["Seccomp"], facts["NoNewPrivs"], int(facts["CapBnd"], 16)) == ("2", "1", 0)
    assert facts["Uid"].split()[0] != "0"


def ended(box: Box, task: str, **args: object) -> dict[str, Any]:
    """The job of a task, once it has ended."""
    job = client(box).ask("POST", f"/v1/tasks/{task}/trigger", body={"args": args})
    job = client(box).ask("GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)
    return dict(job)


def test_a_secret_of_the_credential_store_reaches_the_daemon_and_not_the_journal(daemon: Box) -> None:
    job = ended(daemon, "read_secret")
    assert job["result"] == "20"
    assert "words='it is [redacted]'" in daemon.journal(f"JOB_ID={job['id']}")
    assert "a-secret-of-20-chars" not in daemon.journal("-u", UNIT)


def test_a_jobs_lines_are_found_in_the_journal_by_its_id(daemon: Box) -> None:
    daemon.path("/var/lib/launchd/go").touch()
    job = ended(daemon, "hold")
    found = [f"JOB_ID={job['id']}", "TASK=hold", "PRIORITY=6", "_TRANSPORT=journal", "SYSLOG_IDENTIFIER=launchd"]
    assert daemon.journal(*found).startswith("holding ")


def test_a_failure_is_found_in_the_journal_by_each_field_and_shows_its_traceback(daemon: Box) -> None:
    schedule = '[schedules.lab]\ntask = "fail"\ncron = "@startup"\n'
    write_config(daemon, schedule)
    daemon.run("systemctl", "restart", UNIT)
    (job,) = client(daemon).ask("GET", "/v1/jobs", schedule="lab", limit=1)["items"]
    client(daemon).ask("GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)
    fields = [f"JOB_ID={job['id']}", "TASK=fail", "QUEUE=default", "SCHEDULE=lab", "ATTEMPT=1", "LOCK=lab_lock"]
    failed, *trace = daemon.journal(*fields, "PRIORITY=3").splitlines()
    assert failed.startswith("job_failed ")
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "ValueError: no luck")
    assert '    raise ValueError("no luck")' in trace
    assert "password=[redacted]" in daemon.journal(*fields, "PRIORITY=4")


def test_a_flood_of_lines_delays_nobody_and_what_is_lost_is_told(daemon: Box) -> None:
    job = client(daemon).ask("POST", "/v1/tasks/talk/trigger", body={"args": {"lines": 100_000}})
    assert client(daemon).ask("GET", "/readyz") == {"status": "ready"}
    client(daemon).ask("GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)
    daemon.run("systemctl", "stop", UNIT)  # whatever waited has been written
    written = daemon.journal(f"JOB_ID={job['id']}", "LOGGER=launchd.task").count("talking")
    told = re.findall(r"^log_lines_dropped count=(\d+)$", daemon.journal("-u", UNIT), re.MULTILINE)
    assert told
    assert written + sum(map(int, told)) >= 100_000  # others lose some too


def test_an_alert_that_found_nobody_is_delivered_after_a_restart(daemon: Box) -> None:
    write_config(daemon, '[alerts]\nurls = ["credential:alerts"]\n')
    daemon.run("systemctl", "restart", UNIT)
    daemon.run("systemctl", "reload", UNIT)
    client(daemon).ask("POST", "/v1/queues/monitoring/pause", body={"note": "nobody is there to take it"})
    job = ended(daemon, "fail")
    until(lambda: client(daemon).ask("GET", "/v1/alerts")["items"])
    daemon.run("systemctl", "restart", UNIT)
    daemon.path("/run/receiver.py").write_text(RECEIVER)
    daemon.run("systemd-run", "--unit=receiver", PYTHON, "/run/receiver.py")
    until(lambda: daemon.path("/run/receiving").exists())
    client(daemon).ask("POST", "/v1/queues/monitoring/resume", body={})
    until(lambda: daemon.path("/run/alert").exists())
    told = json.loads(daemon.path("/run/alert").read_text())
    assert (told["title"], job["id"] in told["message"]) == ("fail failed", True)
    until(lambda: client(daemon).ask("GET", "/v1/alerts")["items"][0]["state"] == "sent")


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks


def test_a_reload_with_a_bad_configuration_fails_loudly_and_the_daemon_runs_on(daemon: Box) -> None:
    before = daemon.property(UNIT, "MainPID")
    write_config(daemon, 'log_level = "loud"')
    refused = daemon.run("systemctl", "reload", UNIT, check=False)
    assert refused.returncode != 0
    assert '[daemon] log_level: expected one of "debug"' in daemon.journal("-u", UNIT)
    assert (daemon.property(UNIT, "MainPID"), daemon.property(UNIT, "ActiveState")) == (before, "active")


def test_a_daemon_that_systemd_has_given_up_says_why_as_an_error_and_comes_back_with_its_socket(daemon: Box) -> None:
    daemon.run("systemctl", "stop", UNIT)
    write_config(daemon, 'log_level = "loud"')
    daemon.run("systemctl", "start", UNIT, check=False)
    daemon.until(UNIT, "Result", "exit-code", "start-limit-hit")
    daemon.until(UNIT, "ActiveState", "failed")
    assert '[daemon] log_level: expected one of "debug"' in daemon.journal("-u", UNIT, "-p", "err")
    daemon.until("launchd.socket", "ActiveState", "failed")  # systemd takes it down with the service
    write_config(daemon)
    daemon.run("systemctl", "reset-failed", UNIT)
    daemon.run("systemctl", "start", UNIT)
    assert daemon.property("launchd.socket", "ActiveState") == "active"
    assert client(daemon).ask("GET", "/readyz") == {"status": "ready"}


def test_sighup_with_a_bad_configuration_is_refused_in_the_status_line(daemon: Box) -> None:
    write_config(daemon, 'log_level = "loud"')
    daemon.run("systemctl", "kill", "-s", "HUP", "--kill-who=main", UNIT)
    assert "log_level" in daemon.until(UNIT, "StatusText", "reload refused")
    assert client(daemon).ask("GET", "/readyz") == {"status": "ready"}


def test_a_reload_applies_what_it_can_and_names_what_needs_a_restart(daemon: Box) -> None:
    write_config(daemon, 'log_level = "debug"\nminimum_free_mib = 7')
    daemon.run("systemctl", "reload", UNIT)
    said = daemon.until(UNIT, "StatusText", "reloaded")
    assert said == "reloaded, 1 applied; a restart is due for daemon.minimum_free_mib"
    assert daemon.property(UNIT, "ActiveState") == "active"


def test_a_wedged_daemon_is_killed_by_the_watchdog_and_started_again(daemon: Box) -> None:
    before = daemon.property(UNIT, "MainPID")
    restarts = int(daemon.property(UNIT, "NRestarts"))
    daemon.run("kill", "-STOP", before)
    daemon.until(UNIT, "NRestarts", str(restarts + 1))
    daemon.until(UNIT, "ActiveState", "active")
    assert daemon.property(UNIT, "MainPID") != before
    assert client(daemon).ask("GET", "/readyz") == {"status": "ready"}
    assert "Watchdog timeout" in daemon.journal("_PID=1", "-u", UNIT) + daemon.journal("UNIT=" + UNIT)


def test_a_task_that_blocks_the_daemon_twice_is_set_aside(daemon: Box) -> None:
    """A coroutine that does not await: named in the log, the watchdog withheld, the daemon killed; then all again."""
    write_config(daemon, "stall_kill_seconds = 5.0")
    daemon.run("systemctl", "restart", UNIT)
    restarts = int(daemon.property(UNIT, "NRestarts"))
    job = client(daemon).ask("POST", "/v1/tasks/block/trigger", body={})
    daemon.until(UNIT, "NRestarts", str(restarts + 2))
    daemon.until(UNIT, "ActiveState", "active")
    until_state(daemon, job["id"], "quarantined")
    assert daemon.journal(f"JOB_ID={job['id']}", "TASK=block", "PRIORITY=3").count("loop_blocked") >= 2
    assert "watchdog_withheld" in daemon.journal("-u", UNIT)
    assert client(daemon).ask("GET", "/readyz") == {"status": "ready"}


def test_a_daemon_that_gets_on_outlives_many_watchdog_periods(daemon: Box) -> None:
    """WatchdogSec is 3 here; the timestamp of the last word moves on by more than three of them, in one process."""
    before = daemon.property(UNIT, "MainPID")
    first = watchdog_heard(daemon)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while watchdog_heard(daemon) < first + 10_000_000:
        assert time.monotonic() < deadline
        time.sleep(0.2)  # between two looks
    assert daemon.property(UNIT, "MainPID") == before


def watchdog_heard(box: Box) -> int:
    return int(box.property(UNIT, "WatchdogTimestampMonotonic"))


def test_a_restart_under_load_refuses_and_loses_no_request(daemon: Box) -> None:
    before = daemon.property(UNIT, "MainPID")
    over = threading.Event()
    answered: list[int] = []
    failures: list[str] = []

    def ask_on() -> None:
        count = 0
        while not over.is_set():
            try:
                client(daemon).ask("GET", "/healthz")
                count += 1
            except LaunchdError as error:
                failures.append(error.detail)
        answered.append(count)

    callers = [threading.Thread(target=ask_on) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(3):
            daemon.run("systemctl", "restart", UNIT)
    finally:
        over.set()
        for caller in callers:
            caller.join()
    assert daemon.property(UNIT, "MainPID") != before
    assert failures == []
    assert min(answered) > 0


def test_a_connection_to_a_stopped_daemon_starts_it(daemon: Box) -> None:
    daemon.run("systemctl", "stop", UNIT)
    assert client(daemon).ask("GET", "/readyz") == {"status": "ready"}
    assert daemon.property(UNIT, "ActiveState") == "active"


def test_stop_waits_for_a_running_job_beyond_the_stop_timeout_and_takes_no_new_one(daemon: Box) -> None:
    """TimeoutStopSec is 3 here: only EXTEND_TIMEOUT_USEC keeps systemd from killing the daemon."""
    job = client(daemon).ask("POST", "/v1/tasks/hold/trigger", body={})
    until_state(daemon, job["id"], "running")
    daemon.run("systemctl", "stop", "--no-block", UNIT)
    daemon.until(UNIT, "StatusText", "draining: 1 running")
    stopping_since = time.monotonic()
    late = client(daemon).ask("POST", "/v1/tasks/hold/trigger", body={})
    while time.monotonic() < stopping_since + 5:
        assert daemon.property(UNIT, "SubState") == "stop-sigterm"
        time.sleep(0.1)  # the fact is that systemd lets it live so long
    assert client(daemon).ask("GET", f"/v1/jobs/{late['id']}")["state"] == "queued"
    daemon.path("/var/lib/launchd/go").touch()
    daemon.until(UNIT, "ActiveState", "inactive")
    assert daemon.property(UNIT, "Result") == "success"
    daemon.run("systemctl", "start", UNIT)
    ended = client(daemon).ask("GET", f"/v1/jobs/{job['id']}")
    assert (ended["state"], ended["attempt"], ended["result"]) == ("succeeded", 1, "let go")
    assert client(daemon).ask("GET", f"/v1/jobs/{late['id']}", wait=PATIENCE_SECONDS)["state"] == "succeeded"


def until_state(box: Box, job_id: str, state: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while client(box).ask("GET", f"/v1/jobs/{job_id}")["state"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks


def test_installing_again_and_uninstalling_leave_state_and_configuration(box: Box) -> None:
    install(box)
    assert box.path("/usr/local/share/doc/launchd/etc/docs/tasks.md").exists()
    assert "lab_tasks" in box.path("/etc/launchd/launchd.toml").read_text()
    box.run("systemctl", "start", UNIT)
    box.run("make", "-C", "/srv/launchd", "uninstall")
    assert box.property(UNIT, "LoadState") == "not-found"
    assert not box.path("/opt/launchd").exists()
    assert not box.path("/run/launchd").exists()
    assert not box.path("/usr/local/share/doc/launchd").exists()
    assert "lab_tasks" in box.path("/etc/launchd/launchd.toml").read_text()
    assert box.path("/var/lib/launchd/jobs.db").exists()
    assert box.run("systemctl", "list-unit-files", "launchd*", "-o", "json", check=False).stdout.strip() == "[]"
