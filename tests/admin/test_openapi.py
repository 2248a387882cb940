"""The OpenAPI document is right: every response here is checked against it."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from launchd.admin.routes import ROUTES
from launchd.daemon import Daemon
from launchd.engine.firing.loading import Options
from tests.lab import contract
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.scraping_daemon import asking

OPERATIONS = [(route.method, route.path) for route in ROUTES]


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


@pytest.fixture
async def document(client: aiohttp.ClientSession) -> Any:  # noqa: ANN401 - JSON
    async with client.get("/openapi.json") as response:
        assert response.status == 200
        return await response.json()


def references(value: object) -> list[str]:
    """Every $ref in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [one for inner in value.values() for one in references(inner)]
    return [one for inner in value for one in references(inner)] if isinstance(value, list) else []


def reads(document: dict[str, Any]) -> dict[str, Any]:
    """The paths of a document that can be read."""
    return {path: found for path, found in document["paths"].items() if "get" in found}


async def test_every_endpoint_is_in_it_once_and_every_reference_has_a_target(document: dict[str, Any]) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert {(method.upper(), path) for path, found in document["paths"].items() for method in found} >= set(OPERATIONS)
    ids = [one["operationId"] for one in operations]
    assert len(set(ids)) == len(ids)
    links = {path: one["get"]["responses"].get("200", {}).get("links", {}) for path, one in reads(document).items()}
    assert {name for found in links.values() for name in found} <= set(ids)
    assert links["/v1/locks"] == {
        "release_lock": {"operationId": "release_lock", "parameters": {"name": "$response.body#/items/0/name"}}
    }
    for reference in references(document):
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        assert name in document["components"][kind], reference
    for path, found in document["paths"].items():
        for operation in found.values():
            named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
            assert operation["summary"]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_an_unknown_parameter_is_refused_by_every_endpoint(
    client: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with client.request(method, path.replace("{", "").replace("}", ""), params={"nonsense": "1"}) as response:
        assert response.status == 422, await response.text()
        problem = await response.json(content_type=None)
        assert response.content_type == "application/problem+json"
        assert "nonsense: no such parameter" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [(route.method, route.path) for route in ROUTES if route.method not in {"GET", "DELETE"}]
)
async def test_an_unknown_field_is_refused_by_every_endpoint_and_named(
    client: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with client.request(method, path.replace("{", "").replace("}", ""), json={"nonsense": 1}) as response:
        assert response.status == 422, await response.text()
        assert "nonsense" in (await response.json(content_type=None))["detail"]


async def test_a_problem_names_the_path_of_the_wrong_field(client: aiohttp.ClientSession) -> None:
    async with client.post("/v1/jobs", json={"jobs": [{"task": "echo", "priority": "high"}]}) as response:
        assert response.status == 422
        problem = await response.json(content_type=None)
    assert problem["errors"] == [{"path": "jobs[0].priority", "message": "Expected `int | null`, got `str`"}]
    async with client.get("/v1/jobs?limit=0") as response:
        assert (await response.json(content_type=None))["errors"][0]["path"] == "limit"


@pytest.mark.parametrize("fires", [True, False])
async def test_status_says_whether_schedules_are_fired_and_which_engine_runs_each_queue(
    tmp_path: Path, fires: bool
) -> None:
    async with (
        hosted(quiet_config(tmp_path), options=Options(scheduler=fires)) as daemon,
        asking(daemon) as client,
        client.get("/v1/status") as response,
    ):
        status = await response.json()
    assert status["leader"] is fires
    assert {one["engine"] for one in status["queues"]} == {"local"}
    assert {one["name"]: one["slots"] for one in status["queues"]} == {"default": 10, "scraping": 2, "monitoring": 2}


async def test_lists_of_every_kind_come_in_pages(client: aiohttp.ClientSession) -> None:
    for path in ("/v1/tasks", "/v1/queues", "/v1/sources"):
        names: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            async with client.get(path, params={"limit": "2", "cursor": cursor}) as response:
                page = await response.json()
            assert 1 <= len(page["items"]) <= 2
            names += [one["name"] for one in page["items"]]
            cursor = page["next"]
        assert len(names) > 2
        assert names == sorted(set(names))


async def test_every_response_has_the_type_that_the_document_says(
    daemon: Daemon, client: aiohttp.ClientSession, document: dict[str, Any]
) -> None:
    """Decode the response of each GET as the type in its row, from which its schema is made."""
    job, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    await ended(daemon, job.id)
    seen = 0
    for route in ROUTES:
        if route.method != "GET" or isinstance(route.answer, str) or "{" in route.path.replace("{id}", ""):
            continue
        path = route.path.replace("{id}", job.id)
        async with client.get(path, params={"expression": "* * * * *"} if "preview" in path else {}) as response:
            assert str(response.status) in document["paths"][route.path]["get"]["responses"], path
            if response.status in {route.status, *route.also} and "/launches/" not in path:
                msgspec.json.decode(await response.read(), type=route.answer)
                seen += 1
    assert seen > 15


@pytest.mark.lab
def test_schemathesis_finds_no_response_that_is_not_in_the_document(tmp_path: Path) -> None:
    """Generated requests, right and wrong; `make contract CASES=10000` sends more. See tests/lab/contract.py."""
    pytest.importorskip("schemathesis", reason="needs the extra `lab`")
    report = asyncio.run(contract.check(tmp_path, 1000))
    assert report.cases > 2000
    assert report.failures == []
