"""The commands on launch data against a real daemon in a process of its own, its sources a replay server."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from launchd.cli.commands.next_launch import countdown
from tests.support.daemon_process import Installation, command
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.payloads import FLOWN_ROW, LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying

CREW = "Falcon 9 | Crew-20"
_SOURCES = """
[sources.launch_library]
base_url = "{url}/ll/"
rate = "1000/s"
[sources.gcat]
base_url = "{url}/gcat"
rate = "1000/s"
"""


class Scraping(NamedTuple):
    """A daemon's process and the server that it scrapes, which runs on the test's loop: run commands in a thread."""

    installation: Installation
    replay: Replay

    async def text(self, *words: str, code: int = 0) -> str:
        return await asyncio.to_thread(self.installation.text, *words, code=code)

    async def json(self, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
        return await asyncio.to_thread(self.installation.json, *words, code=code)


@pytest.fixture
async def scraping(tmp_path: Path) -> AsyncIterator[Scraping]:
    async with replaying() as replay:
        early = ll2("Falcon 9 | Starlink", "2026-01-04T11:00:00Z", key="id-2", status=3, launch_designator="2026-001")
        replay.bodies = {
            UPCOMING: page(ll2(CREW, "2027-04-20T10:00:00Z")),
            PREVIOUS: page(early),
            LOG: gcat(FLOWN_ROW),
        }
        installation = Installation(tmp_path, _SOURCES.format(url=replay.url))
        with installation.running():
            yield Scraping(installation, replay)


async def read_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        return (await process.stdout.readline()).decode()


async def test_a_refresh_reports_each_source_as_it_ends(scraping: Scraping) -> None:
    scraping.replay.held = {UPCOMING: asyncio.Event()}
    process = await asyncio.create_subprocess_exec(
        *command("refresh", "--wait"), env=scraping.installation.environ, stdout=subprocess.PIPE
    )
    assert (await read_line(process)).startswith("gcat: 1 records")
    scraping.replay.held[UPCOMING].set()
    assert (await read_line(process)).startswith("launch_library: 2 records")
    assert ": succeeded" in await read_line(process)
    assert process.stdout is not None
    table = (await process.stdout.read()).decode()
    assert await process.wait() == 0
    assert {line.split()[0] for line in table.splitlines()} == {"source", "launch_library", "gcat"}


async def test_a_refresh_of_failing_sources_alone_exits_with_1_and_says_why(scraping: Scraping) -> None:
    scraping.replay.statuses = {LOG: 500}
    text = await scraping.text("refresh", "--sources", "gcat", "--wait", code=1)
    assert "HTTP 500" in text
    assert "again at" in text
    assert "(none)" not in text
    (made,) = (await scraping.json("jobs", "--task", "manual_refresh"))["items"]
    lines = (await scraping.json("job", made["id"], "--logs"))["items"]
    assert [line["level"] for line in lines if line["event"] == "source_failed"] == ["warning"]
    ended = await scraping.json("refresh", "--sources", "gcat", "--force", "--wait", code=1)
    assert ended["state"] == "queued"
    assert "HTTP 500" in ended["reason"]


async def test_launches_are_listed_shown_overridden_and_restored(scraping: Scraping) -> None:
    ended = await scraping.json("refresh", "--wait")
    assert ended["result"]["sources"]["gcat"]["created"] + ended["result"]["sources"]["launch_library"]["created"] >= 2
    (coming,) = (await scraping.json("launches", "--upcoming"))["items"]
    assert coming["name"] == CREW
    assert CREW in await scraping.text("launches", "--search", "crew")
    assert await scraping.text("launches", "--provider", "nobody") == "(none)\n"
    assert CREW not in await scraping.text("launches", "--past")
    told = await scraping.text("override", coming["id"], "status=hold", "orbit=null", "--reason", "told by the range")
    assert "told by the range" in told
    detail = await scraping.json("launch", coming["id"])
    assert (detail["status"], detail["overrides"][0]["reason"]) == ("hold", "told by the range")
    assert "told by the range" in await scraping.text("launch", coming["id"])
    assert (await scraping.json("take-back", coming["id"], "status"))["status"] == "go"
    assert "orbit" not in await scraping.text("take-back", coming["id"])
    assert "nonsense" in await asyncio.to_thread(lambda: refused(scraping, "override", coming["id"], "nonsense=1"))


def refused(scraping: Scraping, *words: str) -> str:
    return scraping.installation.launchd(*words, code=1).stderr


async def test_sources_and_conflicts_are_listed(scraping: Scraping) -> None:
    await scraping.json("refresh", "--wait")
    replayed = await scraping.json("replay", "gcat", "--wait")
    assert replayed["result"]["sources"]["gcat"]["replayed"] is True
    by_name = {one["name"]: one for one in (await scraping.json("sources"))["items"]}
    assert (by_name["gcat"]["records"], by_name["gcat"]["circuit"]["state"]) == (1, "closed")
    row = next(line for line in (await scraping.text("sources")).splitlines() if line.startswith("gcat "))
    assert re.match(r"gcat +yes +\d+ (s|min) ", row)
    (conflict,) = (await scraping.json("conflicts", "--kind", "net"))["items"]
    assert set(conflict["values"]) == {"gcat", "launch_library"}
    assert "Starlink" in await scraping.text("conflicts")
    assert (await scraping.json("conflicts", "--source", "gcat", "--kind", "vehicle"))["items"] == []


async def test_any_word_for_a_thing_filters_and_unknown_words_are_listed(scraping: Scraping) -> None:
    pad = {"name": "Barn door", "latitude": None, "longitude": None, "location": {"name": "Some Field"}}
    home = ll2("Homemade 1 | Hope", "2027-08-20T10:00:00Z", key="home", pad=pad)
    scraping.replay.bodies[UPCOMING] = page(ll2(CREW, "2027-04-20T10:00:00Z"), home)
    await scraping.json("refresh", "--wait")
    for words in (("--provider", "SPX"), ("--vehicle", "F9"), ("--country", "us")):
        names = [one["name"] for one in (await scraping.json("launches", *words, "--upcoming"))["items"]]
        assert CREW in names, words
    (flown,) = (await scraping.json("launches", "--place", "CC LC40"))["items"]
    assert flown["pad"] == "SLC-40"
    assert "Hope" in await scraping.text("launches", "--place", "barn")
    assert "two letters" in await asyncio.to_thread(lambda: refused(scraping, "launches", "--country", "Japan"))
    listed = (await scraping.json("sources", "--unknown"))["items"]
    assert {(one["subject"], one["word"]) for one in listed} == {
        ("pad", "Barn door, Some Field"),
        ("vehicle", "Homemade 1"),
    }
    assert "Homemade 1" in await scraping.text("sources", "--unknown")


async def test_the_next_launch_is_shown_with_its_countdown(scraping: Scraping) -> None:
    await scraping.text("refresh", "--wait")
    about, left = (await scraping.text("next", "--provider", "spacex")).splitlines()
    assert CREW in about
    assert about.startswith("2027-04-20 10:00")
    assert re.fullmatch(r"T-\d+ d \d\d:\d\d:\d\d", left)
    assert (await scraping.json("next"))["name"] == CREW
    await scraping.text("next", "--place", "Mahia", code=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (93_784.9, "T-1 d 02:03:04"),
        (59.2, "T-00:00:59"),
        (0, "T+00:00:00"),
        (-3_605, "T+01:00:05"),
        (None, "no time of day yet"),
    ],
)
def test_a_countdown_is_in_days_and_a_clock(seconds: float | None, text: str) -> None:
    assert countdown(seconds) == text
