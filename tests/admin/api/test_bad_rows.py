"""One bad row never breaks a list: whatever a database holds, every GET responds and shows the other rows unchanged."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import structlog
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchd.admin.route import EVENT_STREAM, Route
from launchd.admin.routes import ROUTES
from launchd.cli import cli
from launchd.daemon import Daemon
from tests.support.bad_rows import TEXTS, Column, Odd
from tests.support.hosted_daemon import hosted, quiet_config
from tests.support.sample_rows import GOOD, JOBS, LAUNCHES, batches, keyed, variants
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL

LISTS = (
    "/v1/jobs?limit=1000",
    "/v1/schedules/hourly/fires?limit=1000",
    "/v1/locks?limit=1000",
    "/v1/audit?limit=1000",
    "/v1/alerts?limit=1000",
    "/v1/feeds",
    "/v1/launches?limit=1000",
    "/v1/conflicts?limit=1000",
)
MORE = (
    "/v1/jobs?brief=true&limit=1000",
    "/v1/launches?slips=true&limit=1000",
    "/v1/launches?when=upcoming&limit=1000",
    "/v1/launches?when=past&q=good",
    "/v1/conflicts?source=gcat",
    "/v1/slips?of=vehicles",
    "/v1/scorecards?of=vehicles&source=gcat",
)


@asynccontextmanager
async def subject(directory: Path) -> AsyncIterator[tuple[Daemon, Odd, Odd]]:
    """A daemon that starts no jobs, with one good row in each table, and another program at both databases."""
    schedule = '[schedules.hourly]\ntask = "echo"\nargs = { value = "x" }\ncron = "0 * * * *"\n'
    async with hosted(quiet_config(directory, schedule), tasks=ALL) as daemon:
        await daemon.control.pause_queue("default", None, "test")
        jobs, launches = Odd(directory / "jobs.db"), Odd(directory / "launches.db")
        for other, tables in ((jobs, JOBS), (launches, LAUNCHES)):
            for table, row in tables.items():
                await asyncio.to_thread(other.put, table, [row])
        yield daemon, jobs, launches


class UnixConnection(HTTPConnection):
    """HTTP over the admin socket, one connection for many requests."""

    def __init__(self, path: Path) -> None:
        super().__init__("launchd", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Asker:
    """Sends every GET of the table of routes, and checks each response."""

    def __init__(self, path: Path) -> None:
        self._connection = UnixConnection(path)
        self.before = self.items()

    def close(self) -> None:
        self._connection.close()

    def get(self, address: str) -> tuple[int, bytes]:
        self._connection.request("GET", address)
        response = self._connection.getresponse()
        return response.status, response.read()

    def items(self) -> dict[str, list[Any]]:
        """The rows of each list, as the types of the contract read them."""
        found = {}
        for address in LISTS:
            status, body = self.get(address)
            assert status == 200, (address, body)
            found[address] = msgspec.json.decode(body)["items"]
        return found

    def check(self, table: str = "", ids: Iterable[str] = ()) -> None:
        """Every GET answers by its type, and so does the address of each of these rows of a table."""
        for route in ROUTES:
            if route.method == "GET" and route.answer != EVENT_STREAM:
                named = ids if route.path == f"/v1/{table}/{{id}}" else ()
                for address in _addresses(route, [GOOD, *named]):
                    self._check(route, address)
        for address in MORE:
            status, body = self.get(address)
            assert status == 200, (address, body)
            msgspec.json.decode(body)
        for address, items in self.items().items():
            assert [one for one in self.before[address] if one not in items] == [], address

    def _check(self, route: Route, address: str) -> None:
        status, body = self.get(address)
        assert status < 500 or (status == 503 and 503 in route.also), (address, status, body[:500])
        if status < 400 and not isinstance(route.answer, str):
            msgspec.json.decode(body, type=route.answer)


def _addresses(route: Route, names: list[str]) -> list[str]:
    if "{" not in route.path:
        return [route.path]
    if "{schedule}" in route.path:
        return [route.path.replace("{schedule}", "hourly")]
    head, _, tail = route.path.partition("{id}")
    return [f"{head}{quote(name, safe='')}{tail}" for name in names]


async def test_a_row_with_an_odd_value_in_any_column_leaves_all_other_rows_unchanged(tmp_path: Path) -> None:
    async with subject(tmp_path) as (daemon, jobs, launches):

        def look() -> None:
            with closing(Asker(daemon.socket)) as asker:
                for other, tables in ((jobs, JOBS), (launches, LAUNCHES)):
                    for table, model in tables.items():
                        for batch in batches(table, list(variants(table, model, other.columns(table)))):
                            other.put(table, batch)
                            asker.check(table, ids(table, batch))
                shown = {one["id"] for items in asker.items().values() for one in items if "id" in one}
                assert len([one for one in shown if one.startswith("odd-")]) > 500

        await asyncio.to_thread(look)


async def test_an_odd_row_has_its_id_and_names_its_unreadable_fields(tmp_path: Path) -> None:
    async with subject(tmp_path) as (daemon, jobs, launches):
        odd_job = JOBS["jobs"] | {"id": "odd", "state": "sleeping", "progress": '{"done":"x"}', "run_at": 2**63 - 1}
        await asyncio.to_thread(jobs.put, "jobs", [odd_job])
        await asyncio.to_thread(launches.put, "launches", [LAUNCHES["launches"] | {"id": "odd", "body": b"{bad"}])

        def look() -> None:
            with closing(Asker(daemon.socket)) as asker:
                found = msgspec.json.decode(asker.get("/v1/jobs/odd")[1])
                assert found["unreadable"] == ["state", "progress"]
                assert (found["state"], found["progress"], found["run_at"]) == ("unreadable", None, "unreadable")
                assert (found["task"], found["result"]) == ("echo", [1])
                found = msgspec.json.decode(asker.get("/v1/launches/odd")[1])
                assert (found["id"], found["name"], found["unreadable"]) == ("odd", "Good", ["body"])

        await asyncio.to_thread(look)


async def test_an_odd_row_is_logged_once_however_often_it_is_read(tmp_path: Path) -> None:
    async with subject(tmp_path) as (daemon, jobs, _):
        name = f"odd-{tmp_path.name}"
        await asyncio.to_thread(jobs.put, "jobs", [JOBS["jobs"] | {"id": name, "state": "sleeping", "args": "{bad"}])
        with structlog.testing.capture_logs() as lines:
            async with asking(daemon) as client:
                for _ in range(3):
                    async with client.get("/v1/jobs") as response:
                        assert response.status == 200
        told = [line for line in lines if line["event"] == "row_unreadable" and line["row"] == name]
        assert [line["values"] for line in told] == [["state"], ["args"]]


LOOKS = (
    "status",
    "health",
    "stats",
    "jobs --limit 1000",
    "jobs --state failed",
    f"job {GOOD}",
    "job odd-jobs-1",
    "job odd-jobs-50",
    "queues",
    "schedules",
    "fires hourly --limit 1000",
    "locks",
    "alerts",
    "launches --limit 1000",
    f"launch {GOOD}",
    "launch odd-launches-90",
    "sources",
    "conflicts",
    "slips",
    "scorecards --of vehicles",
    "monitor --count 1",
)


async def test_the_command_line_shows_odd_rows_without_an_error(tmp_path: Path) -> None:
    async with subject(tmp_path) as (daemon, jobs, launches):

        def look() -> None:
            for other, tables in ((jobs, JOBS), (launches, LAUNCHES)):
                for table, model in tables.items():
                    rows = batches(table, list(variants(table, model, other.columns(table))))[-1]
                    other.put(table, [row for row in rows if len(str(row)) < 4000])  # long lines are for other tests
            for line in LOOKS:
                for more in ([], ["--json"]):
                    result = CliRunner().invoke(cli, ["--socket", str(daemon.socket), *more, *line.split()])
                    assert result.exit_code == 0, (line, result.output, result.exception)

        await asyncio.to_thread(look)


NUMBER = st.integers(-(2**63), 2**63 - 1) | st.sampled_from((-1, 0, 1))
WORDS = st.text(max_size=40) | st.sampled_from([one for one in TEXTS if isinstance(one, str) and len(one) < 5000])
BY_KIND: dict[str, st.SearchStrategy[Any]] = {
    "TEXT": WORDS.filter(lambda text: text.isprintable() or max(text, default="") < "\ud800") | st.binary(max_size=40),
    "INTEGER": NUMBER,
    "REAL": st.floats(allow_nan=False),
    "BLOB": st.binary(max_size=40) | WORDS.map(lambda text: text.encode("utf-8", "replace")),
}


def _any_rows(columns: Mapping[str, list[Column]]) -> st.SearchStrategy[list[tuple[str, dict[str, Any]]]]:
    """Rows of any tables, each with odd values in one to three of its columns."""

    def values(table: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
        # unique columns are left to SQLite or to the model, so that no row replaces another
        of_table = [
            one
            for one in columns[table]
            if one.name not in {"seq", "fence"} and (table, one.name) != ("sources", "name")
        ]
        one = st.sampled_from(of_table).flatmap(
            lambda column: st.tuples(
                st.just(column.name), BY_KIND[column.kind] | (st.none() if column.nullable else st.nothing())
            )
        )
        return st.tuples(st.just(table), st.lists(one, min_size=1, max_size=3).map(dict))

    return st.lists(st.sampled_from(sorted(columns)).flatmap(values), min_size=1, max_size=12)


async def _try_any_rows(directory: Path, examples: int) -> None:
    async with subject(directory) as (daemon, jobs, launches):
        models, home = JOBS | LAUNCHES, dict.fromkeys(JOBS, jobs) | dict.fromkeys(LAUNCHES, launches)
        columns = {table: other.columns(table) for table, other in home.items()}

        def look() -> None:
            kept = {table: other.rows(table) for table, other in home.items()}
            with closing(Asker(daemon.socket)) as asker:

                @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
                @given(_any_rows(columns))
                def answers(rows: list[tuple[str, dict[str, Any]]]) -> None:
                    try:
                        for number, (table, values) in enumerate(rows):
                            home[table].put(table, [keyed(table, models[table], number) | values])
                        asker.check()
                    finally:
                        for table in {table for table, _ in rows}:
                            home[table].reset(table, kept[table])

                answers()

        await asyncio.to_thread(look)


async def test_any_values_in_any_columns_leave_every_response_complete(tmp_path: Path) -> None:
    await _try_any_rows(tmp_path, 25)


@pytest.mark.lab
async def test_any_values_in_any_columns_leave_every_response_complete_a_thousand_times(tmp_path: Path) -> None:
    await _try_any_rows(tmp_path, 1000)


def ids(table: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of odd rows that fit into an address."""
    found = [row["id"] for row in rows if table in {"jobs", "launches"}]
    return [one for one in found if isinstance(one, str) and 0 < len(one) < 100]
