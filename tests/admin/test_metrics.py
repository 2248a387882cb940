"""Metrics: their values are right, and table, alerts and dashboard name only metrics that exist."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from launchd.admin.client import AdminClient
from launchd.daemon import Daemon, HostProcess
from launchd.event import JobEnd
from launchd.job import JobState
from launchd.ops.metrics import METRICS, PROCESS, Described, exposition, names_of
from launchd.ops.tally import RUN_BOUNDS, Histogram, LagMeter, Tally
from launchd.task import Cancel, Context, Retry, Task, task
from launchd.testing import running
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.paths import ROOT

ALERTS = ROOT / "etc" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "etc" / "grafana" / "launchd.json"
ALL = METRICS + PROCESS
_NAME = re.compile(r"\b(?:launchd|process)_[a-z0-9_]+\b")
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def parsed(text: str) -> Samples:
    """Every sample by name and labels; raises ValueError for a text that Prometheus would refuse."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


async def scraped(daemon: Daemon) -> Samples:
    """The samples that Prometheus would get from a running daemon."""
    connector = aiohttp.UnixConnector(str(daemon.socket))
    async with (
        aiohttp.ClientSession("http://launchd", connector=connector) as session,
        session.get("/metrics", headers={"Accept": "text/plain; version=0.0.4"}) as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return parsed(await response.text())


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name][tuple(sorted(labels.items()))]


# --- values ---


@task
async def succeed(_ctx: Context) -> None:
    """Do nothing."""


@task(max_retries=0)
async def fail(_ctx: Context) -> None:
    raise ValueError


@task
async def come_back(_ctx: Context) -> None:
    raise Retry(after=3600)


@task
async def give_up(_ctx: Context) -> None:
    raise Cancel


ENTERED, LET_GO = threading.Event(), threading.Event()


@task(lock="metric_lock", lock_wait_seconds=0.1, queue="scraping")
def hold(_ctx: Context) -> None:
    ENTERED.set()
    LET_GO.wait(PATIENCE_SECONDS)


TASKS: tuple[Task, ...] = (succeed, fail, come_back, give_up, hold)


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon that has run jobs, fires and locks."""
    ENTERED.clear()
    LET_GO.clear()
    config = quiet_config(tmp_path, '[schedules.often]\ntask = "succeed"\nevery = "1s"\n')
    async with hosted(config, tasks=TASKS, host=HostProcess(log_lines_dropped=lambda: 7)) as daemon:
        yield daemon
        LET_GO.set()


async def test_a_scrape_counts_ended_jobs_and_measures_runs_and_waits(busy: Daemon) -> None:
    for name in ("succeed", "succeed", "fail", "give_up"):
        job, _ = await busy.control.trigger(name, {}, queue="monitoring", by="test")
        await ended(busy, job.id)
    later, _ = await busy.control.trigger("succeed", {}, queue="monitoring", delay=3600.0, by="test")
    await busy.control.cancel(later.id, terminate=False, reason=None, by="test")
    samples = await scraped(busy)
    for name, state, count in (
        ("succeed", "succeeded", 2),
        ("fail", "failed", 1),
        ("give_up", "cancelled", 1),
        ("succeed", "cancelled", 1),
    ):
        assert value(samples, "launchd_jobs_ended_total", task=name, queue="monitoring", state=state) == count
    assert value(samples, "launchd_job_run_seconds_count", task="succeed", queue="monitoring") == 2
    assert value(samples, "launchd_job_wait_seconds_count", queue="monitoring") == 4
    assert value(samples, "launchd_job_wait_seconds_bucket", queue="monitoring", le="60.0") == 4


async def test_an_attempt_that_is_retried_counts_as_returned_and_not_as_ended(busy: Daemon) -> None:
    await busy.control.trigger("come_back", {}, queue="monitoring", by="test")
    async with asyncio.timeout(PATIENCE_SECONDS):
        samples = await scraped(busy)
        while "launchd_attempts_returned_total" not in samples:
            samples = await scraped(busy)
    assert value(samples, "launchd_attempts_returned_total", task="come_back", queue="monitoring") == 1
    assert not any(("task", "come_back") in labels for labels in samples.get("launchd_jobs_ended_total", {}))


async def test_a_scrape_shows_locks_slots_and_jobs_that_wait_or_were_skipped_for_a_lock(busy: Daemon) -> None:
    await busy.control.trigger("hold", {}, by="test")
    await asyncio.to_thread(ENTERED.wait, PATIENCE_SECONDS)
    second, _ = await busy.control.trigger("hold", {}, by="test")
    assert (await ended(busy, second.id)).state is JobState.SKIPPED
    samples = await scraped(busy)
    assert value(samples, "launchd_queue_running_jobs", queue="scraping") == 1
    assert value(samples, "launchd_queue_slots", queue="scraping") == 2
    assert 0 < value(samples, "launchd_lock_held_seconds", lock="metric_lock") < PATIENCE_SECONDS
    assert value(samples, "launchd_jobs_ended_total", task="hold", queue="scraping", state="skipped") == 1


async def test_a_scrape_counts_each_fire_of_the_ledger_once(busy: Daemon) -> None:
    labels = (("outcome", "fired"), ("schedule", "often"))
    async with asyncio.timeout(PATIENCE_SECONDS):  # each look counts what is new, and nothing twice
        samples = await scraped(busy)
        while samples.get("launchd_schedule_fires_total", {}).get(labels, 0) < 3:
            samples = await scraped(busy)
    counted = samples["launchd_schedule_fires_total"][labels]
    client = AdminClient(busy.socket)
    rows = (await asyncio.to_thread(client.request, "GET", "/v1/schedules/often/fires", limit=1000))["items"]
    assert 3 <= counted <= len(rows)  # more may have come since
    assert value(samples, "launchd_schedule_late_seconds_count", schedule="often") == counted
    assert value(samples, "launchd_schedule_late_seconds_bucket", schedule="often", le="3600.0") == counted
    assert value(samples, "launchd_schedule_next_timestamp_seconds", schedule="often") > 1e9


async def test_fires_missed_while_no_daemon_ran_are_counted_by_the_next_one() -> None:
    schedules = {"hourly": {"task": "succeed", "cron": "0 * * * *", "catchup": "skip"}}
    async with running(tasks=[succeed], schedules=schedules) as daemon:
        await daemon.advance(hours=3)
        await daemon.stop()
        daemon.clock.jump(26.75 * 3600)  # by more than its grace after the last
        await daemon.start()
        await daemon.settle()
        counted = (await scraped(daemon.daemon))["launchd_schedule_fires_total"]
    assert counted == {(("outcome", "missed"), ("schedule", "hourly")): 26}


async def test_a_scrape_shows_the_process_and_dropped_log_lines(busy: Daemon) -> None:
    samples = await scraped(busy)
    assert value(samples, "launchd_ready") == 1
    assert value(samples, "launchd_log_lines_dropped_total") == 7
    assert value(samples, "process_resident_memory_bytes") > 10 * 1024 * 1024
    assert value(samples, "launchd_database_commits_total", database="jobs.db") >= 1
    assert value(samples, "launchd_database_failing", database="jobs.db") == 0
    assert value(samples, "launchd_loop_blocked_seconds", loop="task loop") == 0


async def test_two_daemons_of_one_process_count_apart(tmp_path: Path) -> None:
    """No global registry: two daemons of a process do not share counters."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        hosted(quiet_config(tmp_path / "a"), tasks=TASKS) as one,
        hosted(quiet_config(tmp_path / "b"), tasks=TASKS) as other,
    ):
        job, _ = await one.control.trigger("succeed", {}, by="test")
        await ended(one, job.id)
        assert "launchd_jobs_ended_total" in await scraped(one)
        assert "launchd_jobs_ended_total" not in await scraped(other)


async def test_a_scraper_that_asks_for_openmetrics_gets_it(busy: Daemon) -> None:
    connector = aiohttp.UnixConnector(str(busy.socket))
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with (
        aiohttp.ClientSession("http://launchd", connector=connector) as session,
        session.get("/metrics", headers=accept) as response,
    ):
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await response.text()).endswith("# EOF\n")


# --- counting ---


@given(st.lists(st.floats(0, 10_000), max_size=50))
def test_buckets_are_cumulative_and_a_bound_includes_itself(values: list[float]) -> None:
    histogram = Histogram(RUN_BOUNDS)
    for one in values:
        histogram.add(one)
    for bound, count in histogram.buckets():
        assert count == sum(one <= float(bound) for one in values)
    assert histogram.total == pytest.approx(sum(values))


def test_a_job_that_never_ran_has_no_duration() -> None:
    tally = Tally()
    tally.count([JobEnd(0, "j", "cancelled", "t", "q")])
    assert tally.ended == {("t", "q", "cancelled"): 1}
    assert not tally.runs


async def test_the_lag_of_a_blocked_loop_is_measured() -> None:
    meter = LagMeter()
    meter._measure(asyncio.get_running_loop().time() - 0.4)  # the loop comes 0.4 s late to it
    meter.stop()
    counts = dict(meter.lag.buckets())
    assert (counts["0.25"], counts["+Inf"]) == (0, 1)


# --- names ---


def test_a_reading_with_a_metric_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(KeyError, match="launchd_new"):
        exposition({"launchd_new": {(): 1}}, "")


def test_names_follow_prometheus_conventions() -> None:
    assert len({one.name for one in ALL}) == len(ALL)
    for one in ALL:
        assert one.name.endswith("_total") == (one.kind == "counter"), one.name
        assert one.help.endswith("."), one.name


def row(one: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.name}` | {one.kind} | {labels} | {one.help} |"


def test_the_table_of_metrics_is_the_registry() -> None:
    lines = (ROOT / "etc" / "docs" / "metrics.md").read_text("utf-8").splitlines()
    told = [line for line in lines if _NAME.match(line.removeprefix("| `"))]
    assert told == [row(one) for one in ALL]


async def test_every_metric_of_the_table_is_exposed_by_a_daemon_with_its_type(busy: Daemon) -> None:
    connector = aiohttp.UnixConnector(str(busy.socket))
    async with (
        aiohttp.ClientSession("http://launchd", connector=connector) as session,
        session.get("/metrics") as response,
    ):
        text = await response.text()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert {one.name: one.kind for one in ALL if one.name != "process_start_time_seconds"}.items() <= types.items()
    assert types.keys() <= {one.name for one in ALL}


def expressions(found: Any) -> list[str]:  # noqa: ANN401 - any JSON or YAML
    """Every `expr` in a document, however deep."""
    if isinstance(found, dict):
        own = [found["expr"]] if "expr" in found else []
        return own + [one for inner in found.values() for one in expressions(inner)]
    if isinstance(found, list):
        return [one for inner in found for one in expressions(inner)]
    return []


@pytest.mark.parametrize("path", [ALERTS, DASHBOARD], ids=["alerts", "dashboard"])
def test_alerts_and_dashboard_ask_only_for_metrics_and_labels_that_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    asked = expressions(yaml.safe_load(text) if path.suffix == ".yml" else json.loads(text))
    assert len(asked) >= 15
    labels = {label for one in ALL for label in one.labels} | {"le", "job"}
    for expression in asked:
        names = set(_NAME.findall(expression))
        assert names <= names_of(ALL), expression
        assert names or expression.startswith("up{"), expression
        used = re.findall(r"[{,]\s*(\w+)\s*[=!]", expression)
        grouped = [label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")]
        assert {label.strip() for label in used + grouped} <= labels, expression


def test_every_label_in_an_alert_or_a_legend_is_a_label_of_its_metric() -> None:
    for rule in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]:
        shown = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert shown <= labels_of(rule["expr"]) | {"instance"}, rule["alert"]
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", []):
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert shown <= labels_of(target["expr"]) | {"instance"}, target["expr"]


def labels_of(expression: str) -> set[str]:
    names = set(_NAME.findall(expression))
    return {label for one in ALL if names & names_of([one]) for label in one.labels}


def test_every_metric_of_our_own_is_on_the_dashboard() -> None:
    asked = " ".join(expressions(json.loads(DASHBOARD.read_text("utf-8"))))
    assert [one.name for one in METRICS if not names_of([one]) & set(_NAME.findall(asked))] == []


def test_every_alert_has_a_severity_and_a_summary_and_a_name_of_its_own() -> None:
    rules = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
