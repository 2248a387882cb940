"""Modules of the dashboard that need a document, in a real browser; Node tests the pure ones (tests/admin/web/)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.browser import Tab, browsing, needs_browser, with_tcp
from tests.support.hosted_daemon import hosted

pytestmark = pytest.mark.browser


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    needs_browser()
    async with hosted(with_tcp(tmp_path)) as daemon, browsing(daemon) as one:
        yield one


async def test_a_gap_in_the_stream_refreshes_everything(tab: Tab) -> None:
    calls = await tab.page.evaluate(
        """async () => {
            const { Live } = await import('/web/live.js');
            const calls = [];
            const heard = (type) => calls.push(type), resync = () => calls.push('everything');
            const live = new Live({ heard, state() {}, resync });
            for (const type of ['job.ended', 'gap']) live.receive({ type, data: '{}' });
            return calls;
        }"""
    )
    assert calls == ["job.ended", "everything"]


async def test_no_time_is_shown_finer_than_its_precision(tab: Tab) -> None:
    shown = await tab.page.evaluate(
        """async (precisions) => {
            const { lead, net } = await import('/web/clocks.js');
            const { isExact } = await import('/web/time.js');
            return precisions.map((net_precision) => {
                const launch = { net: '2077-02-05T13:14:15Z', net_precision }, node = net(launch);
                const left = isExact(launch) ? lead(launch).textContent.replace(/\\d+/g, '0') : null;
                const local = node.title.includes('(local)');
                return [node.localName, node.textContent, local ? 'local' : node.title, left];
            });
        }""",
        ["second", "minute", "hour", "day", "month", "quarter"],
    )
    assert shown == [
        ["time", "5 Feb 2077 13:14", "local", "T\N{MINUS SIGN}0 d 0:0:0"],
        ["time", "5 Feb 2077 13:14", "local", "T\N{MINUS SIGN}0 d 0:0:0"],
        ["time", "~5 Feb 2077 13:14", "local", "T\N{MINUS SIGN}0 d 0 h"],
        ["time", "5 Feb 2077", "precise to the day", None],
        ["time", "Feb 2077", "precise to the month", None],
        ["time", "Q1 2077", "precise to the quarter", None],
    ]


async def test_a_time_that_is_missing_or_cannot_be_read_is_text(tab: Tab) -> None:
    shown = await tab.page.evaluate(
        """async () => {
            const { net, time } = await import('/web/clocks.js');
            const day = (instant) => net({ net: instant, net_precision: 'day' });
            return [time(null), time('unreadable', 'ago'), day(null), day('unreadable')]
                .map((node) => [node.localName, node.textContent]);
        }"""
    )
    assert shown == [["span", "\N{EN DASH}"], ["span", "unreadable"], ["span", "unknown"], ["span", "unreadable"]]
