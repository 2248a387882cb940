"""Alerts of a real daemon, as a real server receives them and as the store keeps them."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from launchd import config as configuration
from launchd import testing
from launchd.alerts.store import AlertStore
from launchd.alerts.targets import open_targets
from launchd.daemon import Daemon
from launchd.daemon.service import check
from launchd.errors import ConfigError, StoreError
from launchd.event import Event
from launchd.job import JobState
from launchd.launches.query import LaunchQuery
from launchd.ops.health import Finding, Level
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.notification_server import Receiver, receiving
from tests.support.payloads import PREVIOUS, UPCOMING, ll2, page
from tests.support.replay_server import replaying
from tests.support.scraping_daemon import asking, refresh
from tests.support.tasks import echo, failing, failing_at_once


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as server:
        yield server


async def listed(daemon: Daemon, query: str = "") -> list[dict[str, Any]]:
    async with asking(daemon) as session, session.get(f"/v1/alerts{query}") as response:
        assert response.status == 200
        return list((await response.json())["items"])


def tell(daemon: Daemon, kind: str, **data: Any) -> None:  # noqa: ANN401 - any JSON
    """A launch event, as the tracker publishes it."""
    known = {"id": "l1", "name": "Falcon 9 | Crew-20", "status": "go", "net": None, "net_precision": None}
    daemon.control._bus.publish([Event(type=kind, at=daemon.control.now(), data=known | data)])


async def test_a_failed_job_makes_an_alert_and_the_next_ones_of_its_task_are_counted(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with testing.running(tasks=[failing_at_once, echo], config=receiver.config(), directory=tmp_path) as daemon:
        failed = await daemon.trigger("failing_at_once")
        await daemon.advance(seconds=2)
        (notice,) = await receiver.until(1)
        assert (notice["title"], notice["type"]) == ("failing_at_once failed", "failure")
        assert "ValueError: no second chance" in notice["message"]
        assert failed.id in notice["message"]
        for _ in range(3):
            await daemon.trigger("failing_at_once")
            await daemon.trigger("echo")
        await daemon.advance(minutes=59)
        (row,) = await listed(daemon.daemon)
        assert (row["count"], row["state"], row["rule"]) == (4, "sent", "job_failed")
        assert (await daemon.job(row["job_id"])).task == "send_alert"
        await daemon.advance(minutes=2)
        await daemon.trigger("failing_at_once")
        await daemon.advance(seconds=2)
        notice = (await receiver.until(2))[1]
        assert re.search(r"3 more since 2026-01-01T00:00:\d\dZ were not reported one by one", notice["message"])
    assert len(receiver.titles()) == 2


async def test_a_job_that_will_be_retried_makes_no_alert(receiver: Receiver, tmp_path: Path) -> None:
    async with testing.running(tasks=[failing], config=receiver.config(), directory=tmp_path) as daemon:
        job = await daemon.trigger("failing")
        assert job.state is JobState.QUEUED
        await daemon.advance(seconds=10)
        assert receiver.titles() == []
        await daemon.advance(minutes=2)
        assert (await daemon.job(job.id)).state is JobState.FAILED
        await receiver.until(1)


async def test_a_job_that_a_crash_of_the_daemon_quarantined_is_reported_after_the_restart(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with testing.running(tasks=[echo], config=receiver.config(), directory=tmp_path) as daemon:
        job, _ = await daemon.daemon.control.trigger("echo", {}, delay=1e6, by="test")
        await daemon.stop()
        with sqlite3.connect(tmp_path / "jobs.db") as connection:  # as two crashes leave it
            connection.execute(
                "UPDATE jobs SET state = 'running', ready = NULL, attempt = 2, crashes = 1, instance = 'dead', "
                "started_at = created_at WHERE id = ?",
                (job.id,),
            )
        connection.close()
        await daemon.start()
        assert (await daemon.job(job.id)).state is JobState.QUARANTINED
        (notice,) = await receiver.until(1)
    assert notice["title"] == "echo quarantined"


async def test_after_a_restart_an_alert_is_sent_only_to_targets_that_have_not_received_it(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.refusing = {"pager"}
    async with testing.running(
        tasks=[failing_at_once], config=receiver.config("ops", "pager"), directory=tmp_path
    ) as daemon:
        await daemon.trigger("failing_at_once")
        await daemon.advance(seconds=2)
        await receiver.until(1)
        await daemon.settle()
        (row,) = await listed(daemon.daemon)
        assert row["state"] == "pending"
        assert row["error"].startswith("not delivered to 2:json;")
        await daemon.stop()
        receiver.refusing = set()
        await daemon.start()
        await daemon.advance(minutes=2)
        await receiver.until(1, "pager")
        (row,) = await listed(daemon.daemon)
        assert (row["state"], row["error"]) == ("sent", None)
        await daemon.stop()
        await daemon.start()
        await daemon.advance(hours=2)
    assert len(receiver.titles("ops")) == len(receiver.titles("pager")) == 1


async def test_an_alert_that_cannot_be_sent_fails_and_makes_no_further_alert(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.refusing = {"ops"}
    async with testing.running(tasks=[failing_at_once], config=receiver.config(), directory=tmp_path) as daemon:
        await daemon.trigger("failing_at_once")
        await daemon.advance(hours=5)
        (row,) = await listed(daemon.daemon)
        assert row["state"] == "failed"
        sender = await daemon.job(row["job_id"])
        assert sender.state is JobState.FAILED
        assert receiver.asked["ops"] == sender.max_retries + 1
        receiver.refusing = set()
        await daemon.daemon.control.retry(sender.id, "test")
        await receiver.until(1)
        await daemon.settle()
        assert [row["state"] for row in await listed(daemon.daemon)] == ["sent"]


async def test_a_check_is_reported_when_it_degrades_when_it_worsens_and_when_it_has_recovered(
    receiver: Receiver, tmp_path: Path
) -> None:
    level = Level.HEALTHY

    async def probe() -> Finding:
        return Finding(level, "as the test says")

    ticking = {"tick": {"task": "echo", "every": "10s"}}  # in virtual time the scheduler wakes for its fires only
    config = receiver.config(rules="health = true")
    async with testing.running(tasks=[echo], schedules=ticking, config=config, directory=tmp_path) as daemon:
        daemon.daemon.control._health.add("probe", probe)
        await daemon.advance(minutes=2)
        assert receiver.titles() == []
        for level in (Level.DEGRADED, Level.UNHEALTHY, Level.DEGRADED, Level.HEALTHY, Level.DEGRADED):  # noqa: B007 - probe reads it
            await daemon.advance(minutes=2)
        await daemon.stop()
        await daemon.start()  # forgets the probe, so it is well
        await daemon.advance(minutes=4)
        assert receiver.titles() == ["probe is degraded", "probe is unhealthy"]
        await daemon.advance(minutes=2)
        assert receiver.titles()[2:] == ["Resolved: probe is unhealthy"]
        assert [notice["type"] for notice in receiver.got["ops"]] == ["warning", "failure", "success"]


async def test_a_queue_whose_jobs_wait_long_is_reported_and_so_is_its_end(receiver: Receiver, tmp_path: Path) -> None:
    async with testing.running(tasks=[echo], config=receiver.config(), directory=tmp_path) as daemon:
        await daemon.daemon.control.pause_queue("default", "for the test", "test")
        await daemon.trigger("echo")
        await daemon.advance(minutes=14)
        assert receiver.titles() == []
        await daemon.advance(minutes=3)
        assert receiver.titles() == ["Jobs wait long in queue default"]
        await daemon.daemon.control.resume_queue("default", "test")
        await daemon.advance(minutes=7)
        assert receiver.titles()[1:] == ["Resolved: Jobs wait long in queue default"]


async def test_a_source_without_a_success_for_long_is_reported_as_stale(receiver: Receiver, tmp_path: Path) -> None:
    settings = receiver.config(rules="source_stale = true", more="stale_source_hours = 0.2")
    only_gcat = "".join(
        f"\n[sources.{name}]\nenabled = false" for name in ("launch_library", "spacex", "rocketlaunch", "wikipedia")
    )
    async with testing.running(config=settings + only_gcat, directory=tmp_path) as daemon:
        await daemon.advance(minutes=11)
        assert receiver.titles() == []
        await daemon.advance(minutes=2)
        assert receiver.titles() == ["Source gcat is stale"]


async def test_launches_are_reported_by_the_rules_that_are_on(receiver: Receiver, tmp_path: Path) -> None:
    settings = receiver.config(rules="launch_status = false", more="slip_hours = 12")
    async with testing.running(config=settings, directory=tmp_path) as daemon:
        tell(daemon.daemon, "launch.slipped", net="2027-04-20T22:00:00Z", seconds=12 * 3600)
        tell(daemon.daemon, "launch.made")
        tell(daemon.daemon, "launch.status_changed", before="go", status="hold")
        tell(daemon.daemon, "launch.approaching", hours=1, seconds=3600)
        await daemon.advance(seconds=5)
        for _ in range(2):
            tell(daemon.daemon, "launch.slipped", net="2027-04-21T10:00:00Z", seconds=24 * 3600)
            await daemon.advance(seconds=5)
        assert receiver.titles() == ["Falcon 9 | Crew-20 slipped to 2027-04-21T10:00:00Z"]


async def test_a_new_launch_and_its_slip_are_reported_and_its_approach_if_its_provider_is_configured(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with replaying() as replay:
        replay.bodies = {UPCOMING: page(ll2("Falcon 9 | Crew-20", "2027-04-20T10:00:00Z")), PREVIOUS: page()}
        source = f'[sources.launch_library]\nbase_url = "{replay.url}/ll/"\nrate = "1000/s"\n'
        for chosen, titles in (
            ("Rocket Lab", ["New launch: Falcon 9 | Crew-20"]),
            ("spx", ["Falcon 9 | Crew-20 slipped to 2027-05-20T10:00:00Z", "Falcon 9 | Crew-20 is due within 24 h"]),
        ):
            receiver.got.clear()
            alerts = receiver.config(more=f'approaching_providers = ["{chosen}"]', rules="launch_new = true")
            async with hosted(quiet_config(tmp_path, source + alerts)) as daemon:
                await refresh(daemon)
                (known,) = (await daemon.launches.list(LaunchQuery(limit=10), daemon.control.now())).items
                assert known.launch.provider == "SpaceX"
                tell(daemon, "launch.approaching", id=known.launch.id, hours=24)
                tell(daemon, "launch.status_changed", id=chosen, name=chosen)  # so that there is something to wait for
                await receiver.until(len(titles) + 1)
            assert sorted(receiver.titles()) == sorted([*titles, f"{chosen} is now go"])
            replay.bodies[UPCOMING] = page(ll2("Falcon 9 | Crew-20", "2027-05-20T10:00:00Z"))


async def test_beyond_the_hourly_limit_alerts_are_held_and_summed_up_in_one(receiver: Receiver, tmp_path: Path) -> None:
    async with testing.running(config=receiver.config(more="max_per_hour = 3"), directory=tmp_path) as daemon:
        for number in range(14):
            tell(daemon.daemon, "launch.status_changed", id=f"l{number}", name=f"launch {number}")
        await daemon.advance(minutes=30)
        await daemon.stop()
        await daemon.start()
        await daemon.advance(minutes=29)
        assert sorted(receiver.titles()) == [f"launch {number} is now go" for number in range(3)]
        assert {row["state"] for row in await listed(daemon.daemon)} == {"sent", "held"}
        await daemon.advance(minutes=2)
        summed = (await receiver.until(4))[3]
        assert summed["title"] == "11 more alerts"
        assert "- launch 3 is now go\n" in summed["message"]
        assert "- and 1 more: launchd alerts" in summed["message"]
        rows = await listed(daemon.daemon)
        assert [row["state"] for row in rows] == ["sent"] + ["summed_up"] * 11 + ["sent"] * 3
        assert {row["summed_up_by"] for row in rows[1:12]} == {rows[0]["id"]}


async def test_a_test_alert_is_sent_at_once_and_the_list_has_pages(receiver: Receiver, tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path, receiver.config())) as daemon, asking(daemon) as session:
        for _ in range(2):
            async with session.post("/v1/alerts/test") as response:
                assert response.status == 202
                job = await response.json()
                assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
            assert (await ended(daemon, job["id"])).state is JobState.SUCCEEDED
        assert receiver.titles() == ["Test of launchd's alerts"] * 2
        async with session.get("/v1/alerts?limit=1") as response:
            first = await response.json()
        async with session.get(f"/v1/alerts?limit=1&cursor={first['next']}") as response:
            second = await response.json()
        assert first["items"][0]["job_id"] == job["id"]
        assert second["items"][0]["id"] != first["items"][0]["id"]
        assert second["next"] is None
        async with session.get("/v1/alerts?cursor=x") as response:
            assert response.status == 422
        command = [sys.executable, "-m", "launchd", "alerts", "--socket", str(daemon.socket)]
        shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        assert shown.stdout.count("sent") == 2
        receiver.refusing = {"ops"}
        tried = await asyncio.to_thread(
            subprocess.run, [*command, "--test"], capture_output=True, text=True, check=False
        )
        assert tried.returncode == 1
        assert "not delivered to 1:json" in tried.stdout


async def test_without_urls_no_failure_is_noted_a_test_is_refused_and_open_troubles_are_dropped(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with testing.running(tasks=[failing_at_once], directory=tmp_path) as daemon:
        await daemon.trigger("failing_at_once")
        await daemon.advance(minutes=1)
        async with asking(daemon.daemon) as session, session.post("/v1/alerts/test") as response:
            assert response.status == 409
            assert "alerts are off" in (await response.json())["detail"]
    async with testing.running(
        tasks=[failing_at_once], config=receiver.config(), directory=tmp_path, start="2026-01-02T00:00:00Z"
    ) as daemon:
        await daemon.advance(minutes=1)
        assert await listed(daemon.daemon) == []


def test_apprise_is_imported_only_where_urls_are_configured(tmp_path: Path) -> None:
    script = """
import sys
from launchd.daemon import service
service.check(sys.argv[1])
print("apprise" in sys.modules)
"""
    said = []
    for urls in ("", '"json://127.0.0.1:1/"'):
        file = tmp_path / "launchd.toml"
        file.write_text(f"[alerts]\nurls = [{urls}]\n")
        done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
        said.append(done.stdout.strip())
    assert said == ["False", "True"]


@pytest.mark.parametrize("url", ["json://127.0.0.1:1/", "credential:alerts"])
def test_urls_without_apprise_installed_are_an_error_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    file = tmp_path / "launchd.toml"
    file.write_text(f'[alerts]\nurls = ["{url}"]\n')
    with pytest.raises(ConfigError, match=r"\[alerts\] urls: needs apprise.* -m pip install apprise"):
        check(str(file))


def test_a_credential_is_checked_only_where_systemd_hands_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "launchd.toml"
    file.write_text('[alerts]\nurls = ["credential:alerts"]\n')
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert "is valid" in check(str(file))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="LoadCredential=alerts"):
        check(str(file))


def test_every_invalid_url_is_reported_and_no_secret_is_shown(tmp_path: Path) -> None:
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("nonsense://user:hunter2@example.org\n")
    right.write_text("jsons://user:hunter2@example.org/x\n")
    with pytest.raises(ConfigError) as raised:
        open_targets([f"file:{wrong}", f"file:{tmp_path / 'absent'}", f"file:{right}", "credential:absent"])
    assert [problem.path for problem in raised.value.errors] == [f"alerts.urls[{number}]" for number in (0, 1, 3)]
    assert "hunter2" not in raised.value.detail
    assert [target.name for target in open_targets([f"file:{right}"])] == ["1:json"]
    config = configuration.parse(f'[alerts]\nurls = ["file:{right}"]')
    assert configuration.secrets(config) == ["jsons://user:hunter2@example.org/x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('urls = ["file://x"]', "[alerts] urls: expected a list of an apprise URL"),
        ('urls = ["hunter2"]', "[alerts] urls: expected a list of an apprise URL"),
        ("max_per_hour = 0", "[alerts] max_per_hour: expected 1..1000, got 0"),
        ("rules = {jobs_failed = true}", "[alerts.rules] jobs_failed: no such key; did you mean job_failed?"),
        ("rules = {health = 1}", "[alerts.rules] health: expected true or false, got 1"),
    ],
)
def test_an_error_in_the_table_is_reported_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        configuration.parse(f"[alerts]\n{text}")
    assert said in raised.value.detail


async def test_events_are_kept_while_the_store_cannot_be_written(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = AlertStore.record
    refused: list[object] = []

    async def away(store: AlertStore, *given: Any) -> Any:  # noqa: ANN401 - passed on
        if not refused:
            refused.append(given)
            raise StoreError("the disk is away")
        return await real(store, *given)

    monkeypatch.setattr(AlertStore, "record", away)
    async with testing.running(config=receiver.config(), directory=tmp_path) as daemon:
        tell(daemon.daemon, "launch.status_changed", status="hold")
        await daemon.advance(seconds=5)
        assert receiver.titles() == ["Falcon 9 | Crew-20 is now hold"]
    assert refused
