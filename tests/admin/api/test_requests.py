"""Requests for jobs: any content is either refused with a message or makes a job that can be shown."""

import math
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from launchd import testing
from launchd.clock import FIRST_INSTANT, SECOND, format_instant
from launchd.daemon import Daemon
from launchd.engine.maker import JobMaker, TriggerRequest
from launchd.errors import InvalidError
from launchd.job import JobState
from launchd.task import Context, Retry, Snooze, task
from tests.support.scraping_daemon import asking

NOW = 1_800_000_000 * SECOND
NAMES = ("delay", "run_at", "expires_in", "priority", "max_retries")


@task
async def small(ctx: Context) -> None:
    """Do nothing."""


MAKER = JobMaker({"small": small}, {"default"}, str)
ANYTHING = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.text(max_size=5)
    | st.sampled_from([10**400, -(10**5000), timedelta(minutes=5), object(), b"1", [1], 1e308, FIRST_INSTANT, 2**63])
)


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    await daemon.control.pause_queue("default", None, "test")
    async with asking(daemon) as session:
        yield session


@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3))
def test_any_number_in_a_request_makes_a_job_that_can_be_stored_and_shown_or_is_refused(given: dict[str, Any]) -> None:
    try:
        job = MAKER.requested(TriggerRequest("small", **given), NOW)
    except InvalidError:
        return
    for at in (job.run_at, job.created_at, job.expires_at or NOW):
        assert isinstance(at, int)
        assert format_instant(at).endswith("Z")
    assert job.run_at >= NOW
    assert job.expires_at is None or job.expires_at > job.run_at
    assert type(job.priority) is type(job.max_retries) is int


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [True, math.nan, math.inf, "5", 10**400, -1, timedelta(minutes=5)])
def test_a_number_out_of_range_is_refused(name: str, value: object) -> None:
    if (name, value) == ("run_at", -1):
        return  # a microsecond before 1970: at once
    with pytest.raises(InvalidError, match=f"{name}: expected"):
        MAKER.requested(TriggerRequest("small", **cast("dict[str, Any]", {name: value})), NOW)


@pytest.mark.parametrize("given", [{"delay": 60}, {"delay": 60, "expires_in": 60}, {"run_at": NOW + 60 * SECOND}])
def test_a_job_that_would_expire_before_it_may_run_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match=r"expires_in: the job would expire .* from now and may not run before 2027"):
        MAKER.requested(TriggerRequest("small", **({"expires_in": 30} | given)), NOW)
    MAKER.requested(TriggerRequest("small", **given | {"expires_in": 61}), NOW)


@pytest.mark.parametrize(
    "body",
    [
        b'{"run_at": "9999-12-31T23:59:59-23:59"}',
        b'{"run_at": "0001-01-01T00:00:00+01:00"}',
        b'{"run_at": "soon"}',
        b'{"delay": 1e308}',
        b'{"delay": 1e999}',
        b'{"delay": NaN}',
        b'{"delay": true}',
        b'{"delay": 5, "expires_in": 5}',
        b'{"run_at": "2099-01-01T00:00:00Z", "expires_in": 5}',
        b'{"priority": 1' + b"0" * 400 + b"}",
        b'{"max_retries": true}',
        b'{"args": {"value": "\\ud800"}}',
        b'{"args": {"\\udfff": 1}}',
        b'{"args": {"value": "\xff"}}',
        b'{"args": {"value": 1' + b"0" * 5000 + b"}}",
        b'{"queue": "\\u0000"}',
    ],
)
async def test_an_invalid_body_is_refused_and_the_list_is_served(client: aiohttp.ClientSession, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.post("/v1/tasks/echo/trigger", data=body, headers=headers) as response:
        assert response.status in {400, 422}, await response.text()
        assert response.content_type == "application/problem+json"
        msgspec.json.decode(await response.read())
    async with client.get("/v1/jobs") as response:
        assert response.status == 200


async def test_deeply_nested_arguments_are_refused_or_make_a_job_that_can_be_shown(
    client: aiohttp.ClientSession,
) -> None:
    """The depth that is too deep depends on the version of Python."""
    body = b'{"args": {"value": ' + b"[" * 3000 + b"]" * 3000 + b"}}"
    headers = {"Content-Type": "application/json"}
    async with client.post("/v1/tasks/echo/trigger", data=body, headers=headers) as response:
        assert response.status in {202, 400, 422}, await response.text()
        accepted = response.status == 202
    async with client.get("/v1/jobs") as response:
        assert response.status == 200
        assert (b"[[[" in await response.read()) == accepted


@pytest.mark.parametrize(
    "address",
    [
        "/v1/jobs?since=9999-12-31T23:59:59-23:59",
        "/v1/jobs?until=0001-01-01T00:00:00%2B23:59",
        "/v1/jobs?cursor=99999999999999999999",
        "/v1/jobs?cursor=nan",
        "/v1/jobs?limit=1.5",
        "/v1/jobs?limit=99999999999999999999",
        "/v1/jobs?limit=true",
        "/v1/audit?since=nan",
        "/v1/alerts?cursor=9223372036854775808",
        "/v1/launches?since=+999999-01-01T00:00:00Z",
        "/v1/launches?cursor=9223372036854775809~x",
        "/v1/conflicts?cursor=1e3~a~b~c",
        "/v1/conflicts?cursor=9223372036854775808~a~b~c",
        "/v1/schedules/scrape_launch_data/fires?cursor=x",
        "/v1/cron/preview?expression=@daily&after=9999-12-31T23:59:59-23:59",
        "/v1/jobs/x?wait=nan",
        "/v1/jobs/x?wait=inf",
        "/v1/jobs/x?wait=1e309",
        "/v1/jobs/x?wait=-1",
    ],
)
async def test_a_parameter_without_a_valid_value_is_refused(client: aiohttp.ClientSession, address: str) -> None:
    async with client.get(URL(address, encoded=True)) as response:
        assert response.status in {404, 422}, await response.text()
        assert (await response.json(content_type=None))["status"] == response.status


@pytest.mark.parametrize("text", ["%ED%A0%80", "%FF", "%00", "%ED%B2%80x", "%C3%28", "a%0D%0Ab", "%F4%90%80%80"])
async def test_bytes_that_are_not_utf_8_never_break_a_response(client: aiohttp.ClientSession, text: str) -> None:
    for address in (
        f"/v1/jobs?queue={text}",
        f"/v1/jobs?task={text}",
        f"/v1/jobs?cursor={text}",
        f"/v1/jobs/{text}",
        f"/v1/jobs/{text}/logs",
        f"/v1/audit?target={text}",
        f"/v1/launches?q={text}",
        f"/v1/launches?provider={text}",
        f"/v1/launches/{text}",
        f"/v1/conflicts?kind={text}",
        f"/v1/conflicts?cursor=1~{text}~b~c",
        f"/v1/schedules/{text}",
        f"/v1/queues?cursor={text}",
        f"/v1/cron/preview?expression={text}&timezone={text}",
    ):
        async with client.get(URL(address, encoded=True)) as response:
            assert response.status < 500, (address, await response.text())
            msgspec.json.decode(await response.read())


@pytest.mark.parametrize("after", ["9999-12-31T23:59:59.999999Z", "9999-12-30T00:00:00Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
async def test_a_preview_works_at_either_end_of_the_calendar(
    client: aiohttp.ClientSession, after: str, zone: str
) -> None:
    for expression in ("@hourly", "0 3 * * *", "*/20 * * * * *"):
        query = {"expression": expression, "timezone": zone, "after": after, "count": "1000"}
        async with client.get("/v1/cron/preview", params=query) as response:
            assert response.status == 200, await response.text()


async def test_a_job_that_expires_in_its_retry_wait_says_that_it_ran_before() -> None:
    @task
    async def flaky(_ctx: Context) -> None:
        """Fails."""
        raise Retry("no", after=50)

    @task
    async def sleepy(_ctx: Context) -> None:
        """Comes back later."""
        raise Snooze(50)

    async with testing.running(tasks=[flaky, sleepy, small]) as daemon:
        control = daemon.daemon.control
        await control.pause_queue("default", None, "test")
        never, _ = await control.trigger("small", {}, expires_in=70, by="test")
        await daemon.advance(seconds=75)
        await control.resume_queue("default", "test")
        twice, _ = await control.trigger("flaky", {}, expires_in=70, by="test")
        once, _ = await control.trigger("sleepy", {}, expires_in=30, by="test")
        await daemon.advance(seconds=120)
        reasons = {}
        for job in (never, twice, once):
            ended = await control.job(job.id)
            assert ended.state is JobState.EXPIRED
            reasons[job.task] = ended.reason
        assert reasons == {
            "small": "not started before expires_at",
            "flaky": "expired before attempt 3 could start",
            "sleepy": "expired before it could start again",
        }
