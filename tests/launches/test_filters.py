"""Filters accept every word of the registry for a provider, vehicle, site, pad and country, and what belongs to it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchd.clock import DAY, SystemClock, parse_instant
from launchd.db.database import open_database
from launchd.errors import InvalidError
from launchd.launches import canonical, registry
from launchd.launches.dates import net_at
from launchd.launches.ingest import plan
from launchd.launches.launch import Launch, Place, Precision, Sighting
from launchd.launches.query import LaunchQuery
from launchd.launches.store import LaunchStore

NOW = parse_instant("2026-06-01T00:00:00Z")
PADS = [(site.name, pad) for site in registry.all_sites().values() for pad in site.pads]
MORE_VEHICLES = ("Long March 3B", "Long March 3B/E", "Long March 3", "Soyuz 2.1b/Fregat", "Homemade 1")


def sightings() -> Iterable[Sighting]:
    """A launch of each provider, each vehicle, each site and each pad, named after it."""
    made: list[dict[str, object]] = [{"provider": name} for name in registry.all_providers()]
    made += [{"vehicle": name} for name in (*registry.all_vehicles(), *MORE_VEHICLES)]
    made += [{"location": Place(name)} for name in registry.all_sites()]
    made += [{"location": Place(site), "pad": pad.name} for site, pad in PADS]
    made += [{"provider": "Backyard Rockets 100%", "location": Place("A field"), "pad": "Pad 77"}]
    for number, fields in enumerate(made):
        net = net_at(NOW + number * 3 * DAY, Precision.MINUTE)
        yield Sighting(source="gcat", source_id=str(number), name=f"No {number}", net=net, **fields)  # type: ignore[arg-type]


async def fill(path: Path) -> None:
    async with open_database(path, "launches", SystemClock()) as database:
        store = LaunchStore(database)
        ids = iter(f"00000000-0000-7000-8000-{number:012}" for number in range(1 << 30))
        await store.apply(plan(await store.stored(), sightings(), {}, NOW, lambda: next(ids)), None, NOW)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a launch of each name, made once."""
    path = tmp_path_factory.mktemp("filters") / "launches.db"
    asyncio.run(fill(path))
    return path


@pytest.fixture
async def store(filled: Path) -> AsyncIterator[LaunchStore]:
    async with open_database(filled, "launches", SystemClock()) as database:
        yield LaunchStore(database)


async def found(store: LaunchStore, **filters: str) -> list[Launch]:
    """The launches that a filter selects."""
    page = await store.list(LaunchQuery(limit=None, **filters), NOW)  # type: ignore[arg-type]
    return [record.launch for record in page.items]


async def test_a_provider_is_found_by_each_of_its_words_and_those_of_its_parents(store: LaunchStore) -> None:
    for one in registry.all_providers().values():
        children = {each.name for each in registry.all_providers().values() if one in registry.lineage(each)}
        for word in one.search_words:
            assert {launch.provider for launch in await found(store, provider=word)} == children, word


async def test_a_vehicle_is_found_by_each_of_its_words(store: LaunchStore) -> None:
    for one in registry.all_vehicles().values():
        for word in one.search_words:
            launches = await found(store, vehicle=word)
            assert one.name in {launch.vehicle for launch in launches}, word
            if one.variant is not None:
                assert all(f"{launch.vehicle}/".startswith(f"{one.name}/") for launch in launches), word


async def test_a_family_finds_all_of_its_vehicles(store: LaunchStore) -> None:
    for family in {one.family for one in registry.all_vehicles().values()}:
        members = {name for name, one in registry.all_vehicles().items() if one.family == family}
        assert members <= {launch.vehicle for launch in await found(store, vehicle=family)}, family


async def test_a_site_is_found_by_each_of_its_words_with_all_of_its_pads(store: LaunchStore) -> None:
    for site in registry.all_sites().values():
        expected = {(site.name, None), *((site.name, pad.name) for pad in site.pads)}
        for word in site.search_words:
            places = await places_of(store, word)
            assert places == expected or (places < expected and len(places) == 1), word


async def places_of(store: LaunchStore, word: str) -> set[tuple[str | None, str | None]]:
    launches = await found(store, place=word)
    return {(launch.location.name if launch.location else None, launch.pad) for launch in launches}


async def test_a_pad_is_found_by_each_of_its_words_behind_its_site(store: LaunchStore) -> None:
    for site, pad in PADS:
        for word in pad.search_words:
            assert (site, pad.name) in await places_of(store, f"{site} {word}"), (site, word)


async def test_a_country_is_that_of_the_provider_or_that_of_the_site(store: LaunchStore) -> None:
    countries = {one.country for one in registry.all_providers().values()}
    countries |= {one.country for one in registry.all_sites().values()}
    for code in filter(None, countries):
        launches = await found(store, country=code.lower())
        assert launches, code
        for launch in launches:
            known = canonical.entries(launch)
            assert code in {known.provider and known.provider.country, known.site and known.site.country}
    assert await found(store, country="LU") == []


@pytest.mark.parametrize("word", ["", "USA", "Kazakhstan", "K", "12", "ÄÖ"])
async def test_a_country_that_is_no_code_is_refused(store: LaunchStore, word: str) -> None:
    with pytest.raises(InvalidError, match="country: expected a code of two letters"):
        await found(store, country=word)


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({"provider": "ula"}, 1),
        ({"provider": "United Launch All"}, 1),
        ({"provider": "Russian Federal"}, 1),
        ({"provider": "backyard"}, 1),
        ({"provider": "100%"}, 1),
        ({"provider": "%"}, 1),
        ({"provider": "nobody"}, 0),
        ({"vehicle": "homemade"}, 1),
        ({"vehicle": "made_1"}, 0),
        ({"vehicle": "LM-3B/E"}, 1),
        ({"vehicle": "chang zheng 3b"}, 2),
        ({"place": "a field"}, 1),
        ({"place": "Pad 77"}, 1),
        ({"place": "nowhere"}, 0),
        ({"place": "SLC-40"}, 1),
        ({"place": "39A"}, 1),
        ({"place": "KSC LC-39A"}, 1),
        ({"place": "Launch Complex 39A, Kennedy Space Center"}, 1),
    ],
)
async def test_other_words_are_parts_of_names(store: LaunchStore, filters: dict[str, str], number: int) -> None:
    assert len(await found(store, **filters)) == number


async def test_filters_together_select_what_all_of_them_select(store: LaunchStore) -> None:
    assert len(await found(store, place="Baikonur", country="KZ")) == len(await found(store, place="Baikonur"))
    assert await found(store, place="Baikonur", country="JP") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
async def test_any_text_is_a_filter(store: LaunchStore, provider: str, vehicle: str, place: str) -> None:
    for filters in ({"provider": provider}, {"vehicle": vehicle}, {"place": place}):
        assert len(await found(store, **filters)) < 2000
