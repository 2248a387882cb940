"""launchd's journal entries and its alerts, under a real systemd."""

import json
import re

import pytest

from tests.lab.box import PATIENCE_SECONDS, Box, missing
from tests.lab.installed import PYTHON, UNIT, client, daemon, ended, until, write_config

__all__ = ["daemon"]  # the fixture
pytestmark = [pytest.mark.lab, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

# Accepts one alert, as JSON over HTTP, and writes it to a file.
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
    (job,) = client(daemon).request("GET", "/v1/jobs", schedule="lab", limit=1)["items"]
    client(daemon).request("GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)
    fields = [f"JOB_ID={job['id']}", "TASK=fail", "QUEUE=default", "SCHEDULE=lab", "ATTEMPT=1", "LOCK=lab_lock"]
    failed, *trace = daemon.journal(*fields, "PRIORITY=3").splitlines()
    assert failed.startswith("job_failed ")
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "ValueError: no luck")
    assert '    raise ValueError("no luck")' in trace
    assert "password=[redacted]" in daemon.journal(*fields, "PRIORITY=4")


def test_a_flood_of_lines_delays_nobody_and_what_is_lost_is_told(daemon: Box) -> None:
    job = client(daemon).request("POST", "/v1/tasks/talk/trigger", body={"args": {"lines": 100_000}})
    assert client(daemon).request("GET", "/readyz") == {"status": "ready"}
    client(daemon).request("GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)

    def accounted() -> int:
        written = daemon.journal(f"JOB_ID={job['id']}", "LOGGER=launchd.task").count("talking")
        told = re.findall(r"^log_lines_dropped count=(\d+)$", daemon.journal("-u", UNIT), re.MULTILINE)
        assert told
        return written + sum(map(int, told))

    until(lambda: accounted() >= 100_000)  # others may have lost some too


def test_an_alert_whose_target_was_down_is_delivered_after_a_restart(daemon: Box) -> None:
    write_config(daemon, '[alerts]\nurls = ["credential:alerts"]\n')
    daemon.run("systemctl", "restart", UNIT)
    daemon.run("systemctl", "reload", UNIT)
    client(daemon).request("POST", "/v1/queues/monitoring/pause", body={"note": "nobody is there to take it"})
    job = ended(daemon, "fail")
    until(lambda: client(daemon).request("GET", "/v1/alerts")["items"])
    daemon.run("systemctl", "restart", UNIT)
    daemon.path("/run/receiver.py").write_text(RECEIVER)
    daemon.run("systemd-run", "--unit=receiver", PYTHON, "/run/receiver.py")
    until(lambda: daemon.path("/run/receiving").exists())
    client(daemon).request("POST", "/v1/queues/monitoring/resume", body={})
    until(lambda: daemon.path("/run/alert").exists())
    told = json.loads(daemon.path("/run/alert").read_text())
    assert (told["title"], job["id"] in told["message"]) == ("fail failed", True)
    until(lambda: client(daemon).request("GET", "/v1/alerts")["items"][0]["state"] == "sent")
