"""The requests for details: which are made, in which order, and when there is no room for them.

The server is the replay server, and the client is the real one.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, SystemClock, format_instant, parse_instant
from launchd.launches.fetch.client import FetchOptions, HttpClient, Identity, open_session
from launchd.launches.fetch.politeness import RequestLimiter
from launchd.launches.source_store import FetchedPage
from launchd.launches.sources import launch_library, launch_library_plan
from launchd.launches.sources.launch_library_plan import Throttle, changes_page, near, near_page, plan, throttle_in
from launchd.launches.sources.source import Payload, RateLimitedError
from tests.support.launch_library_payloads import crew_14, in_normal_mode
from tests.support.payloads import encoded, ll2, page
from tests.support.replay_server import Replay, replaying

NOON = parse_instant("2026-08-28T12:00:00Z")
UPCOMING, PREVIOUS, DETAILS, THROTTLE = "/launches/upcoming/", "/launches/previous/", "/launches/", "/api-throttle/"


def never(_page: object) -> bool:
    return False


def always(_page: object) -> bool:
    return True


def throttle(used: int, limit: int = 15) -> bytes:
    return encoded(
        {"your_request_limit": limit, "limit_frequency_secs": 3600, "current_use": used, "next_use_secs": 90}
    )


def test_near_launches_come_first_and_changes_after_them() -> None:
    found = plan(budget=9, around=20, known=never, now=NOON)
    assert found == ((near_page(NOON, 0), changes_page(NOON)), (), None)
    assert near_page(NOON, 0)["net__gte"] == "2026-08-26T00:00:00Z"
    assert near_page(NOON, 0)["net__lte"] == "2026-09-12T00:00:00Z"
    assert changes_page(NOON)["last_updated__gte"] == "2026-08-27T00:00:00Z"


def test_near_launches_that_were_read_today_are_left_and_read_again_tomorrow() -> None:
    read = near_page(NOON, 0)
    known: Callable[[Any], bool] = lambda one: one == read  # noqa: E731 - one line says it
    assert plan(budget=9, around=None, known=known, now=NOON) == ((changes_page(NOON),), (read,), None)
    tomorrow = NOON + DAY
    assert plan(budget=9, around=None, known=known, now=tomorrow).asked[0] == near_page(tomorrow, 0)


def test_without_launches_around_today_only_the_changes_are_read() -> None:
    assert plan(budget=9, around=0, known=never, now=NOON).asked == (changes_page(NOON),)


def test_what_does_not_fit_into_the_rate_is_skipped_with_a_word() -> None:
    one = plan(budget=1, around=5, known=never, now=NOON)
    assert (len(one.asked), one.skipped) == (1, "1 of 2 pages of details do not fit into the rate")
    assert plan(budget=0, around=5, known=never, now=NOON).asked == ()
    kept = plan(budget=0, around=5, known=always, now=NOON)
    assert (kept.asked, kept.left) == ((), (near_page(NOON, 0), changes_page(NOON)))


@given(st.integers(-5, 20), st.none() | st.integers(0, 5000), st.booleans())
def test_no_plan_asks_for_more_than_its_budget(budget: int, around: int | None, is_known: bool) -> None:
    found = plan(budget=budget, around=around, known=lambda _page: is_known, now=NOON)
    assert len(found.asked) <= max(budget, 0)
    assert len(found.asked) + len(found.left) <= launch_library_plan.MAX_NEAR_PAGES + 1
    assert not {str(one) for one in found.asked} & {str(one) for one in found.left}


@pytest.mark.parametrize(
    ("net", "count"),
    [
        ("2026-08-26T11:59:00Z", 0),
        ("2026-08-26T12:00:00Z", 1),
        ("2026-09-11T12:00:00Z", 1),
        ("2026-09-11T12:01:00Z", 0),
        ("soon", 0),
        (None, 0),
    ],
)
def test_a_launch_is_near_from_two_days_ago_to_two_weeks_ahead(net: str | None, count: int) -> None:
    assert near([encoded({"results": [{"net": net}]})], NOON) == count


def test_a_list_that_was_not_sent_says_nothing_and_a_broken_one_has_no_launches() -> None:
    assert near([None, b"{}"], NOON) is None
    assert near([b"<html>", b'{"results": 7}', b'{"results": [{"net": 7}]}'], NOON) == 0


@pytest.mark.parametrize(
    "body", [None, b"", b"[]", b"{}", b'{"your_request_limit": "15", "current_use": 1}', b'{"your_request_limit": -1}']
)
def test_an_answer_about_our_use_that_cannot_be_read_is_none(body: bytes | None) -> None:
    assert throttle_in(body) is None


def test_more_use_than_the_limit_leaves_nothing() -> None:
    assert throttle_in(throttle(17)) == Throttle(0, 90.0)


@pytest.fixture
async def server() -> AsyncIterator[Replay]:
    soon = format_instant(SystemClock().now() + DAY)[:19] + "Z"
    launch = crew_14(net=soon, window_start=soon, window_end=soon)
    async with replaying() as replay:
        replay.bodies = {
            UPCOMING: page(in_normal_mode(launch)),
            PREVIOUS: page(ll2("Falcon 9 | Starlink", "2026-01-04T12:00:00Z", status=3)),
            DETAILS: page(launch),
            THROTTLE: throttle(0),
        }
        yield replay


async def pulled(
    replay: Replay, rate: str = "15/h", known: dict[str, FetchedPage] | None = None
) -> tuple[list[Payload], HttpClient]:
    clock, options = SystemClock(), FetchOptions(replay.url, 30.0, allow_private=True)
    async with open_session(options, Identity()) as session:
        limiter = RequestLimiter(rate, clock)
        source = launch_library.SOURCE
        client = HttpClient(session, source, options, limiter=limiter, known=known or {}, clock=clock)
        return await launch_library.pull(client), client


def asked(replay: Replay) -> list[str]:
    return [path for path, _ in replay.requests]


async def test_our_use_is_asked_first_and_then_the_lists_and_the_details(server: Replay) -> None:
    payloads, client = await pulled(server)
    assert asked(server) == [THROTTLE, UPCOMING, PREVIOUS, DETAILS, DETAILS]
    assert client.traffic.requests == len(payloads) == len(client.pages) == 4
    (launch, _) = launch_library.parse([one.body for one in payloads if one.body is not None]).sightings
    assert launch.details is not None
    assert launch.details.boosters[0].serial == "B1085"


async def test_an_unchanged_source_is_asked_for_changes_and_not_again_for_the_near_launches(server: Replay) -> None:
    _, client = await pulled(server)
    server.requests.clear()
    payloads, again = await pulled(server, known={one.url: one for one in client.pages})
    assert server.requests == [(THROTTLE, 200), (UPCOMING, 304), (PREVIOUS, 304), (DETAILS, 304)]
    assert again.unchanged()
    assert all(one.body is None for one in payloads)


async def test_a_server_that_has_few_requests_left_for_us_is_not_asked_for_details(server: Replay) -> None:
    server.bodies[THROTTLE] = throttle(12)
    await pulled(server)
    assert asked(server) == [THROTTLE, UPCOMING, PREVIOUS, DETAILS]
    server.requests.clear()
    server.bodies[THROTTLE] = throttle(13)
    await pulled(server)
    assert asked(server) == [THROTTLE, UPCOMING, PREVIOUS]


async def test_a_server_that_has_no_request_left_for_us_is_not_asked_at_all(server: Replay) -> None:
    server.bodies[THROTTLE] = throttle(15)
    with pytest.raises(RateLimitedError) as caught:
        await pulled(server)
    assert (caught.value.retry_after_seconds, caught.value.by_source) == (90.0, False)
    assert asked(server) == [THROTTLE]


@pytest.mark.parametrize("answer", [404, 429, 500])
async def test_without_an_answer_about_our_use_our_own_count_decides(server: Replay, answer: int) -> None:
    server.statuses[THROTTLE] = answer
    await pulled(server, rate="3/h")
    assert asked(server) == [THROTTLE, UPCOMING, PREVIOUS, DETAILS]


@pytest.mark.parametrize("answer", [404, 429, 500])
async def test_details_that_cannot_be_read_cost_the_lists_nothing(server: Replay, answer: int) -> None:
    server.statuses[DETAILS] = answer
    payloads, _ = await pulled(server)
    assert len(payloads) == 2
    assert asked(server)[-1] == DETAILS
    assert asked(server).count(DETAILS) == 1


async def test_details_that_fail_after_they_were_read_before_count_as_unchanged(server: Replay) -> None:
    _, client = await pulled(server)
    server.statuses[DETAILS] = 500
    payloads, again = await pulled(server, known={one.url: one for one in client.pages})
    assert len(payloads) == 4
    assert again.unchanged()
