"""launchd under a real systemd: installed by `make install`, started, reloaded, watched, restarted, stopped."""

import re
import threading
import time

import pytest

from launchd.errors import LaunchdError
from tests.lab.box import PATIENCE_SECONDS, Box, missing
from tests.lab.installed import UNIT, client, daemon, install, offline, until_state, write_config
from tests.support.paths import ROOT

__all__ = ["daemon"]  # the fixture
pytestmark = [pytest.mark.lab, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


def test_a_started_daemon_is_ready_and_its_status_is_one_line(daemon: Box) -> None:
    assert daemon.property(UNIT, "ActiveState") == "active"
    assert "0 running, 0 waiting; next health_check at" in daemon.property(UNIT, "StatusText")
    assert client(daemon).request("GET", "/readyz") == {"status": "ready"}
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


def test_a_reload_with_a_bad_configuration_fails_loudly_and_the_daemon_runs_on(daemon: Box) -> None:
    before = daemon.property(UNIT, "MainPID")
    write_config(daemon, 'log_level = "loud"')
    refused = daemon.run("systemctl", "reload", UNIT, check=False)
    assert refused.returncode != 0
    assert '[daemon] log_level: expected one of "debug"' in daemon.journal("-u", UNIT)
    assert (daemon.property(UNIT, "MainPID"), daemon.property(UNIT, "ActiveState")) == (before, "active")


def test_a_daemon_that_systemd_no_longer_restarts_logs_the_reason_and_comes_back_with_its_socket(daemon: Box) -> None:
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
    assert client(daemon).request("GET", "/readyz") == {"status": "ready"}


def test_sighup_with_a_bad_configuration_is_refused_in_the_status_line(daemon: Box) -> None:
    write_config(daemon, 'log_level = "loud"')
    daemon.run("systemctl", "kill", "-s", "HUP", "--kill-who=main", UNIT)
    assert "log_level" in daemon.until(UNIT, "StatusText", "reload refused")
    assert client(daemon).request("GET", "/readyz") == {"status": "ready"}


def test_a_reload_applies_most_settings_and_names_those_that_need_a_restart(daemon: Box) -> None:
    write_config(daemon, 'log_level = "debug"\nlog_format = "json"')
    daemon.run("systemctl", "reload", UNIT)
    said = daemon.until(UNIT, "StatusText", "reloaded")
    assert said == "reloaded, 1 applied; a restart is due for daemon.log_format"
    assert daemon.property(UNIT, "ActiveState") == "active"


def test_a_wedged_daemon_is_killed_by_the_watchdog_and_started_again(daemon: Box) -> None:
    before = daemon.property(UNIT, "MainPID")
    restarts = int(daemon.property(UNIT, "NRestarts"))
    daemon.run("kill", "-STOP", before)
    daemon.until(UNIT, "NRestarts", str(restarts + 1))
    daemon.until(UNIT, "ActiveState", "active")
    assert daemon.property(UNIT, "MainPID") != before
    assert client(daemon).request("GET", "/readyz") == {"status": "ready"}
    assert "Watchdog timeout" in daemon.journal("_PID=1", "-u", UNIT) + daemon.journal("UNIT=" + UNIT)


def test_a_task_that_blocks_the_daemon_twice_is_set_aside(daemon: Box) -> None:
    """A coroutine that never awaits is named in the log; the watchdog kills the daemon; then the same once more."""
    write_config(daemon, "stall_kill_seconds = 5.0")
    daemon.run("systemctl", "restart", UNIT)
    restarts = int(daemon.property(UNIT, "NRestarts"))
    job = client(daemon).request("POST", "/v1/tasks/block/trigger", body={})
    daemon.until(UNIT, "NRestarts", str(restarts + 2))
    daemon.until(UNIT, "ActiveState", "active")
    until_state(daemon, job["id"], "quarantined")
    assert daemon.journal(f"JOB_ID={job['id']}", "TASK=block", "PRIORITY=3").count("loop_blocked") >= 2
    assert "watchdog_withheld" in daemon.journal("-u", UNIT)
    assert client(daemon).request("GET", "/readyz") == {"status": "ready"}


def test_a_working_daemon_outlives_many_watchdog_periods(daemon: Box) -> None:
    """WatchdogSec is 3 here: in one process, the watchdog's timestamp advances by more than three periods."""
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
                client(daemon).request("GET", "/healthz")
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
    assert client(daemon).request("GET", "/readyz") == {"status": "ready"}
    assert daemon.property(UNIT, "ActiveState") == "active"


def test_stop_waits_for_a_running_job_beyond_the_stop_timeout_and_takes_no_new_one(daemon: Box) -> None:
    """TimeoutStopSec is 3 here: only EXTEND_TIMEOUT_USEC keeps systemd from killing the daemon."""
    job = client(daemon).request("POST", "/v1/tasks/hold/trigger", body={})
    until_state(daemon, job["id"], "running")
    daemon.run("systemctl", "stop", "--no-block", UNIT)
    daemon.until(UNIT, "StatusText", "draining: 1 running")
    stopping_since = time.monotonic()
    late = client(daemon).request("POST", "/v1/tasks/hold/trigger", body={})
    while time.monotonic() < stopping_since + 5:
        assert daemon.property(UNIT, "SubState") == "stop-sigterm"
        time.sleep(0.1)  # the fact is that systemd lets it live so long
    assert client(daemon).request("GET", f"/v1/jobs/{late['id']}")["state"] == "queued"
    daemon.path("/var/lib/launchd/go").touch()
    daemon.until(UNIT, "ActiveState", "inactive")
    assert daemon.property(UNIT, "Result") == "success"
    daemon.run("systemctl", "start", UNIT)
    ended = client(daemon).request("GET", f"/v1/jobs/{job['id']}")
    assert (ended["state"], ended["attempt"], ended["result"]) == ("succeeded", 1, "let go")
    assert client(daemon).request("GET", f"/v1/jobs/{late['id']}", wait=PATIENCE_SECONDS)["state"] == "succeeded"


def test_the_data_are_the_services_alone_and_systemd_holds_the_port_while_the_daemon_is_down(daemon: Box) -> None:
    told = daemon.run("stat", "-c", "%a %U %G", "/var/lib/launchd", "/run/launchd/admin.sock").stdout.splitlines()
    assert told == ["700 launchd launchd", "660 launchd launchd-operators"]
    open_files = daemon.run("find", "/var/lib/launchd", "-type", "f", "-perm", "/077").stdout
    assert open_files == ""
    daemon.run("systemctl", "stop", UNIT)
    daemon.run("systemctl", "enable", "--now", "launchd-tcp.socket")
    try:
        assert daemon.property("launchd-tcp.socket", "ActiveState") == "active"
        taken = daemon.run("python3", "-c", "import socket; socket.create_server(('127.0.0.1', 8470))", check=False)
        assert "Address already in use" in taken.stderr
        asked = daemon.run(
            "curl", "--silent", "--show-error", "http://127.0.0.1:8470/healthz"
        ).stdout  # starts the daemon
        assert "alive" in asked
        assert client(daemon).request("GET", "/v1/health")["checks"]["tcp"]["detail"] == "listens on 127.0.0.1:8470"
    finally:
        daemon.run("systemctl", "disable", "--now", "launchd-tcp.socket")


def test_the_commands_of_the_readme_lead_to_the_dashboard(daemon: Box) -> None:
    """The commands under "To keep it", as printed; without a network, apt installs nothing and no source answers."""
    daemon.run("systemctl", "stop", UNIT)
    daemon.path("/etc/launchd/launchd.toml").unlink()  # `make install` lays the shipped one
    block = re.search(r"\*\*To keep it\*\*.*?```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    lines = [line for line in block[1].splitlines() if "apt-get" not in line]
    for line in lines:  # by root already; only a scrape may fail
        said = offline(daemon, "sh", "-c", f"cd /srv/launchd; {line.replace('sudo ', '')}", check="refresh" not in line)
    assert any("make install" in line for line in lines)
    page = daemon.run("curl", "--silent", "--show-error", "--location", "--cookie-jar", "-", said.strip()).stdout
    assert "<title>launchd</title>" in page
    assert "launchd_session" in page


def test_installing_again_and_uninstalling_leave_state_and_configuration(box: Box) -> None:
    write_config(box)
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
