"""The audit as the API shows it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from launchd.daemon import Daemon
from tests.support.admin_clients import get
from tests.support.scraping_daemon import asking


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


async def test_the_audit_is_read_in_pages_that_hold_each_row_once(
    daemon: Daemon, client: aiohttp.ClientSession
) -> None:
    for number in range(7):
        await daemon.control.audit("alice" if number % 2 else "bob", "tested", f"target-{number}", None)
    targets: list[str] = []
    cursor: str | None = ""
    path = "/v1/audit?action=tested&limit=3"
    while cursor is not None:
        page = await get(client, f"{path}&cursor={cursor}")
        assert len(page["items"]) <= 3
        targets += [one["target"] for one in page["items"]]
        cursor = page["next"]
        await daemon.control.audit("carol", "tested", "newer", None)  # inserts do not shift the pages
    assert targets == [f"target-{number}" for number in range(6, -1, -1)]
    mine = await get(client, "/v1/audit?actor=alice")
    assert [one["target"] for one in mine["items"]] == ["target-5", "target-3", "target-1"]
    await get(client, "/v1/audit?cursor=x", 422)
