"""The log lines of a job: what is kept of them, and the endpoint that shows them."""

import logging
from pathlib import Path
from typing import Any

import pytest
import structlog

from launchd.daemon import HostProcess
from launchd.logs import joblines
from launchd.logs import setup as logs
from launchd.logs.joblines import JobLines
from launchd.logs.redact import MASK, Redactor
from launchd.logs.writer import Line
from tests.support.admin_clients import get
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL, gate


@pytest.fixture
def kept() -> JobLines:
    return JobLines(Redactor(["hunter2-secret"]))


def line(job_id: str, text: str = "said", **fields: Any) -> Line:  # noqa: ANN401 - any plain value
    event = {"event": text, "job_id": job_id, "level": "info", "logger": "l", "timestamp": "2026-01-01T00:00:00Z"}
    return Line(logging.INFO, event | fields, 100)


async def test_the_log_lines_of_a_job_have_their_fields_and_no_secrets(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as sink:
        log = logs.configure("info", "json", secrets=["hunter2-secret"], descriptor=sink.fileno())
        try:
            gate("logs").set()
            async with hosted(quiet_config(tmp_path), tasks=ALL, host=HostProcess(job_lines=log.job_lines)) as daemon:
                job, _ = await daemon.control.trigger("advancing", {"name": "logs"}, by="test")
                await ended(daemon, job.id)
                structlog.get_logger("x").warning("login hunter2-secret", job_id=job.id, password="p")
                async with asking(daemon) as client:
                    found = await get(client, f"/v1/jobs/{job.id}/logs")
                    nobody = await get(client, "/v1/jobs/00000000-0000-7000-8000-000000000000/logs", 404)
        finally:
            log.close()
            structlog.reset_defaults()
    events = [one["event"] for one in found["items"]]
    assert events == ["advanced", "job_ended", f"login {MASK}"]
    assert found["items"][0]["fields"]["name"] == "logs"
    assert found["items"][2]["fields"]["password"] == MASK
    assert (found["next"], found["missing"]) == (None, 0)
    assert nobody["code"] == "not_found"


async def test_lines_are_paged_by_number(tmp_path: Path, kept: JobLines) -> None:
    async with (
        hosted(quiet_config(tmp_path), tasks=ALL, host=HostProcess(job_lines=kept)) as daemon,
        asking(daemon) as client,
    ):
        job, _ = await daemon.control.trigger("echo", {}, by="test")
        await ended(daemon, job.id)
        for number in range(5):
            kept.keep(line(job.id, f"line {number}"))
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await get(client, f"/v1/jobs/{job.id}/logs?limit=2&cursor={cursor}")
            found += [one["event"] for one in page["items"]]
            cursor = page["next"]
        await get(client, f"/v1/jobs/{job.id}/logs?cursor=-1", 422)
    assert found == [f"line {number}" for number in range(5)]


def test_lines_jobs_and_characters_are_bounded(kept: JobLines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblines, "MAX_LINES", 3)
    monkeypatch.setattr(joblines, "MAX_JOBS", 2)
    for number in range(5):
        kept.keep(line("a", str(number)))
    found, missing = kept.of("a", 0, 100)
    assert ([one.event for one in found], missing) == (["2", "3", "4"], 2)
    kept.keep(line("b"))
    kept.keep(line("a", "again"))
    kept.keep(line("c"))
    assert kept.of("b", 0, 100) == ([], 0)
    assert len(kept.of("a", 0, 100)[0]) == 3
    monkeypatch.setattr(joblines, "MAX_CHARACTERS", 250)
    kept.keep(line("c"))
    assert kept.of("a", 0, 100) == ([], 0)
    assert len(kept.of("c", 0, 100)[0]) == 2
    kept.keep(Line(logging.INFO, {"event": "of no job"}, 10))
