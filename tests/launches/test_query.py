"""Queries for launches, on real records in a real database."""

import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchd.clock import DAY, FOREVER, SystemClock, parse_instant
from launchd.db.database import Database, Row, open_database
from launchd.errors import InvalidError
from launchd.launches.dates import net_at
from launchd.launches.ingest import plan
from launchd.launches.launch import LaunchStatus, Place, Precision, Sighting
from launchd.launches.query import LaunchQuery, search_expression
from launchd.launches.store import LaunchStore

NOW = parse_instant("2026-06-01T00:00:00Z")


def sighting(key: str, name: str, day: int | None = 0, **more: Any) -> Sighting:  # noqa: ANN401 - a sighting's fields
    net = None if day is None else net_at(NOW + day * DAY, Precision.MINUTE)
    return Sighting(source="launch_library", source_id=key, name=name, net=net, **more)


SOME = (
    sighting(
        "a",
        "Falcon 9 Block 5 | Starlink Group 10-10",
        3,
        provider="SpaceX",
        vehicle="Falcon 9 Block 5",
        pad="Space Launch Complex 40",
        location=Place("Cape Canaveral SFS, FL, USA"),
        status=LaunchStatus.GO,
    ),
    sighting("b", "Électron | Été “quoted” 100%", 1, provider="Rocket Lab", mission="Test flight NEAR orbit"),
    sighting("c", "Ceres-1 | Unknown Payload", None, provider="Galactic Energy", status=LaunchStatus.TBD),
    sighting("d", "Ariane 6 | Flown", -3, provider="Arianespace", status=LaunchStatus.SUCCESS),
    sighting("e", "Vega | Late and not judged", -1, provider="Arianespace", status=LaunchStatus.GO),
)


async def put(store: LaunchStore, *sightings: Sighting) -> None:
    stored = await store.stored()
    ids = iter(f"00000000-0000-7000-8000-{number:012}" for number in range(len(stored.launches), 1 << 30))
    await store.apply(plan(stored, sightings, {}, NOW, lambda: next(ids)), None, NOW)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "launches.db", "launches", SystemClock()) as database:
        yield database


@pytest.fixture
async def store(db: Database) -> LaunchStore:
    found = LaunchStore(db)
    await put(found, *SOME)
    return found


async def keys(store: LaunchStore, query: LaunchQuery) -> str:
    """The source keys of the launches that a query selects, in order."""
    page = await store.list(query, NOW)
    by_name = {one.name: one.source_id for one in SOME}
    return "".join(by_name[record.launch.name] for record in page.items)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (LaunchQuery(), "cabed"),
        (LaunchQuery(when="upcoming"), "bac"),
        (LaunchQuery(when="past"), "ed"),
        (LaunchQuery(provider="ariane"), "ed"),
        (LaunchQuery(provider="100%"), ""),
        (LaunchQuery(status="go"), "ae"),
        (LaunchQuery(source="gcat"), ""),
        (LaunchQuery(since=NOW + 2 * DAY), "ca"),
        (LaunchQuery(until=NOW), "ed"),
        (LaunchQuery(q="starlink"), "a"),
        (LaunchQuery(q="STAR 10-10"), "a"),
        (LaunchQuery(q="10-1"), "a"),
        (LaunchQuery(q="01-10"), ""),
        (LaunchQuery(q="canaveral spacex 40"), "a"),
        (LaunchQuery(q="electron ete"), "b"),
        (LaunchQuery(q="near"), "b"),
        (LaunchQuery(q='"quoted"'), "b"),
        (LaunchQuery(q="starlink ariane"), ""),
        (LaunchQuery(q="***"), ""),
        (LaunchQuery(q="name:starlink"), ""),
        (LaunchQuery(q="ariane", status="success"), "d"),
    ],
)
async def test_a_filter_selects_by_its_field(store: LaunchStore, query: LaunchQuery, expected: str) -> None:
    assert await keys(store, query) == expected


@pytest.mark.parametrize("when", [None, "upcoming", "past"])
async def test_pages_of_any_size_hold_each_launch_once_dated_or_not(store: LaunchStore, when: str | None) -> None:
    whole = [one.launch.id for one in (await store.list(LaunchQuery(when=when), NOW)).items]
    for limit in (1, 2, 3):
        found: list[str] = []
        cursor = None
        while True:
            page = await store.list(LaunchQuery(when=when, limit=limit, cursor=cursor), NOW)
            found += [one.launch.id for one in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert found == whole


@pytest.mark.parametrize("cursor", ["", "x", "1", "1~", "~a", "99999999999999999999~a", "\u0661~a", "-~a", "1.5~a"])
async def test_an_invalid_cursor_is_refused(store: LaunchStore, cursor: str) -> None:
    with pytest.raises(InvalidError, match="cursor"):
        await store.list(LaunchQuery(cursor=cursor), NOW)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.one_of(st.text(max_size=60), st.text(alphabet="\"*^:-+(){}AND OR NOT NEAR,'\\\x00", max_size=60)))
async def test_no_text_is_ever_a_syntax_error(store: LaunchStore, text: str) -> None:
    try:
        expression = search_expression(text)
    except InvalidError:
        assert len(text.split()) > 20
        return
    page = await store.list(LaunchQuery(q=text), NOW)
    assert expression is not None or not page.items


@pytest.mark.parametrize("text", ["x" * 201, "a " * 21])
def test_a_search_that_is_too_long_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="q: expected at most"):
        search_expression(text)


async def indexed(db: Database, words: Iterable[str]) -> dict[str, int]:
    """The number of launches that the index has for each word."""
    statement = "SELECT count(*) FROM search WHERE search MATCH ?"
    return {word: (await db.read(statement, (f'"{word}"',)))[0][0] for word in words}


async def test_the_index_follows_launches_that_are_added_renamed_merged_and_unchanged(
    db: Database, store: LaunchStore
) -> None:
    await put(store, sighting("a", "Falcon 9 Block 5 | Renamed", 3, provider="SpaceX", vehicle="Falcon 9 Block 5"))
    assert await indexed(db, ["starlink", "renamed", "canaveral", "electron"]) == {
        "starlink": 1,  # its former name
        "renamed": 1,
        "canaveral": 0,
        "electron": 1,
    }
    await put(
        store,
        Sighting(source="gcat", source_id="z", name="Zeta", net=net_at(NOW + 90 * DAY, Precision.MINUTE)),
    )
    assert (await indexed(db, ["zeta"]))["zeta"] == 1
    joined = Sighting(
        source="gcat",
        source_id="z",
        name="Zeta",
        net=net_at(NOW + 90 * DAY, Precision.MINUTE),
        cross_ids={"launch_library": "a"},
    )
    await put(store, joined)
    assert len((await store.list(LaunchQuery(), NOW)).items) == len(SOME)
    assert await indexed(db, ["zeta renamed", "zeta", "renamed"]) == {"zeta renamed": 0, "zeta": 1, "renamed": 1}
    await db.write(lambda connection: connection.execute("INSERT INTO search(search) VALUES ('integrity-check')"))


async def test_any_sequence_of_renames_leaves_the_index_whole(db: Database, store: LaunchStore) -> None:
    dice = random.Random(1)
    words = ["alpha", "beta", "gamma", "delta"]
    names: dict[str, set[str]] = {}
    for _ in range(20):
        key = dice.choice("vwxyz")
        name = dice.sample(words, 2)
        names.setdefault(key, set()).update(name)
        await put(store, sighting(key, " ".join(name), 100 + 10 * ord(key)))
    expected = {word: sum(word in own for own in names.values()) for word in words}
    assert min(expected.values()) < len(names)
    assert await indexed(db, words) == expected
    await db.write(lambda connection: connection.execute("INSERT INTO search(search) VALUES ('integrity-check')"))


async def test_the_revision_grows_with_visible_changes_only(store: LaunchStore) -> None:
    async def revision() -> int:
        (record,) = (await store.list(LaunchQuery(q="vega"), NOW)).items
        return record.revision

    late = SOME[4]
    assert await revision() == 0
    await put(store, late)
    await put(store, Sighting(**{**as_fields(late), "status_word": "Go for Launch"}))
    assert await revision() == 0
    await put(store, Sighting(**{**as_fields(late), "orbit": "LEO"}))
    assert await revision() == 1


def as_fields(one: Sighting) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


async def test_a_list_stays_the_same_to_the_first_end_of_a_net_that_is_to_come(store: LaunchStore) -> None:
    upcoming, past = LaunchQuery(when="upcoming"), LaunchQuery(when="past")
    end = (await store.list(upcoming, NOW)).items[0].launch.net
    assert end is not None
    for query in (upcoming, past):
        until = await store.same_until(query, NOW)
        assert until == end.latest + 1
        names = [[one.launch.name for one in (await store.list(query, at)).items] for at in (NOW, until - 1, until)]
        assert names[0] == names[1] != names[2]
    assert await store.same_until(LaunchQuery(), NOW) == FOREVER
    assert await store.same_until(upcoming, NOW + 30 * DAY) == FOREVER  # "c" has no date, so it stays upcoming for ever


async def test_upcoming_launches_are_found_without_walking_through_flown_ones(
    store: LaunchStore, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, asked = db.read, list[tuple[str, Any]]()

    async def remember(statement: str, values: Any = ()) -> list[Row]:  # noqa: ANN401 - as `read` takes them
        asked.append((statement, values))
        return await read(statement, values)

    monkeypatch.setattr(db, "read", remember)
    page = await store.list(LaunchQuery(when="upcoming", limit=1), NOW)
    await store.list(LaunchQuery(when="upcoming", limit=1, cursor=page.next), NOW)
    await store.next_launch(LaunchQuery(), NOW)
    await store.same_until(LaunchQuery(when="upcoming"), NOW)
    assert len(asked) == 4
    for statement, values in asked:
        steps = " ".join(row["detail"] for row in await read(f"EXPLAIN QUERY PLAN {statement}", values))
        assert "USING INDEX launches_to_come" in steps, steps
        assert "TEMP B-TREE" not in steps, steps


async def test_the_name_in_a_retired_record_is_still_found_after_the_launch_has_changed(store: LaunchStore) -> None:
    net = net_at(NOW + 3 * DAY, Precision.MINUTE)
    listed = Sighting(source="gcat", source_id="z", name="Zeta", net=net, cross_ids={"launch_library": "a"})
    await put(store, listed)
    other = sighting("n", "Ninth", 400)
    gone = plan(
        await store.stored(), [other], {}, NOW, lambda: "00000000-0000-7000-8000-999999999999", complete={"gcat"}
    )
    assert [one.sighting.name for one in gone.seen if one.retired_at is not None] == ["Zeta"]
    await store.apply(gone, None, NOW)
    await put(store, sighting("a", "Falcon 9 Block 5 | Renamed", 3, provider="SpaceX"))
    (found,) = (await store.list(LaunchQuery(q="zeta"), NOW)).items
    assert found.launch.name == "Falcon 9 Block 5 | Renamed"


async def test_a_search_finds_the_other_names_that_a_source_gives(store: LaunchStore) -> None:
    net = net_at(NOW + 3 * DAY, Precision.MINUTE)
    await put(store, Sighting(source="gcat", source_id="z", name="Demo-2", names=("Dragon C206",), net=net))
    (found,) = (await store.list(LaunchQuery(q="dragon c206"), NOW)).items
    assert found.launch.name == "Demo-2"
