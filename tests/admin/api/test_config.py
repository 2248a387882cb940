"""The configuration as the API shows it, and its reload."""

from pathlib import Path

import msgspec

from launchd import config as configuration
from launchd.logs.redact import MASK
from tests.support.admin_clients import get
from tests.support.hosted_daemon import hosted, only_these_sources, quiet_config
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL


async def test_the_configuration_in_force_is_shown_without_secrets(tmp_path: Path) -> None:
    text = """
[redis]
url = "redis://user:hunter2-secret@locks.example.org:6379/0"
[schedules.nightly]
task = "echo"
cron = "0 3 * * *"
args = { value = 1 }
"""
    async with hosted(quiet_config(tmp_path, text), tasks=ALL) as daemon, asking(daemon) as client:
        found = await get(client, "/v1/config")
    assert found["config"]["queues"]["scraping"]["concurrency"] == 2
    assert "hunter2" not in msgspec.json.encode(found).decode()
    assert found["config"]["redis"]["url"] == f"redis://user:{MASK}@locks.example.org:6379/0"
    assert found["needs_restart"] == []


async def test_a_reload_returns_the_changed_keys_and_refuses_an_invalid_file(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    base = only_these_sources(
        f'[daemon]\nstate_directory = "{tmp_path}"\n[admin]\nsocket = "{tmp_path}/s"\n'
        "[schedules.scrape_launch_data]\nenabled = false\n[schedules.health_check]\nenabled = false\n"
        "[schedules.prune]\nenabled = false\n"
    )
    path.write_text(base)
    async with hosted(configuration.load(path), tasks=ALL) as daemon, asking(daemon) as client:
        path.write_text(base + "[queues.scraping]\nconcurrency = 5\n[locks]\nlease_seconds = 30.0\n")
        async with client.post("/v1/config/reload") as response:
            assert response.status == 200, await response.text()
            found = await response.json()
        assert found["applied"] == ["queues.scraping.concurrency"]
        assert found["needs_restart"] == ["locks.lease_seconds"]
        assert found["changes"] == [
            {"key": "locks.lease_seconds", "old": 60.0, "new": 30.0, "applied": False},
            {"key": "queues.scraping.concurrency", "old": 2, "new": 5, "applied": True},
        ]
        assert (await get(client, "/v1/config"))["needs_restart"] == ["locks.lease_seconds"]
        queues = {one["name"]: one for one in (await get(client, "/v1/queues"))["items"]}
        assert queues["scraping"]["concurrency"] == 5
        path.write_text(base + "[queues.scraping]\nconcurrency = 0\n")
        async with client.post("/v1/config/reload") as response:
            problem = await response.json(content_type=None)
            assert (response.status, problem["code"]) == (422, "config_invalid")
            assert problem["errors"][0]["path"] == "queues.scraping.concurrency"
        assert [one["action"] for one in (await get(client, "/v1/audit"))["items"]] == ["reload"]
