"""The modules of the dashboard one by one, in a real browser: what they make of what they are given."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.admin_clients import with_tcp
from tests.support.browser import Tab, browsing, needs_browser
from tests.support.hosted_daemon import hosted

pytestmark = pytest.mark.browser


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    needs_browser()
    async with hosted(with_tcp(tmp_path)) as daemon, browsing(daemon) as one:
        yield one


async def test_a_stream_reads_the_same_wherever_it_is_cut(tab: Tab) -> None:
    """The page's own reader of server-sent events, fed in two pieces at each place, with every kind of line end."""
    stream = "retry: 2000\nid: a-1\n\n: beat\n\nevent: job.ended\nid: a-2\ndata: {\r\ndata: }\r\n\r\ndata:x\r\r"
    stream += "event: nothing\n\n"  # without data there is no event
    told = await tab.page.evaluate(
        """async (stream) => {
            const { StreamParser } = await import('/web/live.js');
            return [...Array(stream.length + 1).keys()].map((cut) => {
                const told = [], parser = new StreamParser((event) => told.push(event));
                parser.feed(stream.slice(0, cut));
                parser.feed(stream.slice(cut));
                return { told, id: parser.lastId };
            });
        }""",
        stream,
    )
    expected = {"told": [{"type": "job.ended", "data": "{\n}"}, {"type": "message", "data": "x"}], "id": "a-2"}
    assert [one for one in told if one != expected] == []


async def test_what_was_missed_for_good_is_asked_for_again(tab: Tab) -> None:
    told = await tab.page.evaluate(
        """async () => {
            const { Live } = await import('/web/live.js');
            const told = [];
            const heard = (type) => told.push(type), resync = () => told.push('everything');
            const live = new Live({ heard, state() {}, resync });
            for (const type of ['job.ended', 'gap']) live.told({ type, data: '{}' });
            return told;
        }"""
    )
    assert told == ["job.ended", "everything"]


async def test_no_time_is_shown_finer_than_it_is_known(tab: Tab) -> None:
    shown = await tab.page.evaluate(
        """async (precisions) => {
            const { isExact, lead, net } = await import('/web/time.js');
            return precisions.map((net_precision) => {
                const launch = { net: '2077-02-05T13:14:15Z', net_precision };
                const left = isExact(launch) ? lead(launch).textContent.replace(/\\d+/g, '0') : null;
                return [net(launch).textContent, left];
            });
        }""",
        ["second", "minute", "hour", "day", "month", "quarter"],
    )
    assert shown == [
        ["5 Feb 2077 13:14", "T\N{MINUS SIGN}0 d 0:0:0"],
        ["5 Feb 2077 13:14", "T\N{MINUS SIGN}0 d 0:0:0"],
        ["~5 Feb 2077 13:14", "T\N{MINUS SIGN}0 d 0 h"],
        ["5 Feb 2077", None],
        ["Feb 2077", None],
        ["Q1 2077", None],
    ]


async def test_the_marks_of_a_time_axis_are_round_and_few(tab: Tab) -> None:
    hours = [0.25, 1, 6, 24, 7 * 24]
    found = await tab.page.evaluate(
        """async (hours) => {
            const { marks } = await import('/web/charts.js');
            const from = Date.parse('2026-11-26T13:07:31Z');
            const text = (at) => new Date(at).toISOString().slice(5, 16);
            return hours.map((one) => marks(from, from + one * 3600e3).map(text));
        }""",
        hours,
    )
    assert found[0] == ["11-26T13:10", "11-26T13:15", "11-26T13:20"]
    assert found[1] == [f"11-26T{clock}" for clock in ("13:10", "13:20", "13:30", "13:40", "13:50", "14:00")]
    assert found[3][:2] == ["11-26T18:00", "11-27T00:00"]
    assert all(2 <= len(one) <= 7 for one in found), found


async def test_only_harmless_addresses_become_links(tab: Tab) -> None:
    given = [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "#/jobs",
        "https://example.org/",
    ]
    kept = await tab.page.evaluate("async (given) => given.map((await import('/web/dom.js')).safeHref)", given)
    assert kept == [None, None, None, None, "#/jobs", "https://example.org/"]
