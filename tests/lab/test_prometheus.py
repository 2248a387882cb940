"""Prometheus' own tool promtool on launchd's metrics and on the alert rules that launchd ships."""

import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest

from launchd import Context, task
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (on Debian: prometheus)"),
]


@task(max_retries=0)
async def fail(_ctx: Context) -> None:
    """Fail."""
    raise ValueError


def promtool(*words: str, text: bytes = b"") -> None:
    done = subprocess.run(["promtool", *words], input=text, capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stdout.decode() + done.stderr.decode()


async def test_the_metrics_of_a_busy_daemon_are_as_prometheus_wants_them(tmp_path: Path) -> None:
    config = quiet_config(tmp_path, '[schedules.often]\ntask = "fail"\nevery = "1s"\n')
    async with hosted(config, tasks=[fail]) as daemon:
        job, _ = await daemon.control.trigger("fail", {}, by="test")
        await ended(daemon, job.id)
        connector = aiohttp.UnixConnector(str(daemon.socket))
        async with aiohttp.ClientSession("http://launchd", connector=connector) as session:
            text = await (await session.get("/metrics")).read()
    assert b'launchd_jobs_ended_total{queue="default",state="failed",task="fail"}' in text
    promtool("check", "metrics", text=text)


def test_the_alerts_are_rules_that_prometheus_takes() -> None:
    promtool("check", "rules", "etc/prometheus/alerts.yml")


def test_the_alerts_come_and_go_as_they_should() -> None:
    promtool("test", "rules", "tests/lab/alerts.yml")
