"""Launch Library 2, versions 2.0.0 to 2.3.0: intervals, statuses, shapes, and the paths of old versions."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import format_instant, parse_instant
from launchd.launches.launch import LaunchStatus, Place, Precision, Rejection, Sighting
from launchd.launches.sources import launch_library
from launchd.launches.sources.source import Payload
from tests.support.fetching import Unlimited
from tests.support.paths import SHARED
from tests.support.payloads import crew_7, ll2, page

RECORDED = SHARED / "sources" / "ll2"
YEAR = 2026


def one(record: Mapping[str, Any]) -> Sighting:
    found = launch_library.parse([page(record)])
    assert not found.rejections
    (sighting,) = found.sightings
    return sighting


def refused(*records: Any) -> tuple[Rejection, ...]:  # noqa: ANN401 - good and bad JSON
    found = launch_library.parse([page(*records)])
    assert not found.sightings
    return found.rejections


def interval(sighting: Sighting) -> tuple[str, str, str]:
    assert sighting.net is not None
    earliest, latest = format_instant(sighting.net.earliest), format_instant(sighting.net.latest)
    return earliest, latest[:19], sighting.net.precision.value


def test_a_launch_of_2_3_0_is_read_with_all_its_fields() -> None:
    sighting = one(crew_7())
    liftoff = parse_instant("2023-08-26T07:27:27Z")
    assert sighting.net is not None
    assert (sighting.net.earliest, sighting.net.latest, sighting.net.precision) == (
        liftoff,
        liftoff + 999_999,
        Precision.SECOND,
    )
    assert (sighting.status, sighting.designator, sighting.orbit) == (
        LaunchStatus.SUCCESS,
        "2023-128",
        "Low Earth Orbit",
    )
    assert (sighting.provider, sighting.vehicle, sighting.mission) == ("SpaceX", "Falcon 9 Block 5", "Crew-7")
    assert sighting.pad == "Launch Complex 39A"
    assert sighting.location == Place("Kennedy Space Center, FL, USA", 28.608227, -80.604282)
    assert (sighting.window_start, sighting.window_end) == (liftoff, liftoff)
    assert sighting.urls == ("https://example.org/", "https://example.org/second")


def test_before_2_3_0_coordinates_are_text_and_links_have_another_name() -> None:
    record = crew_7()
    pad = record["pad"] | {"latitude": "28.60822681", "longitude": "-80.60428186"}
    links = record.pop("vid_urls")
    old = one(record | {"pad": pad, "vidURLs": links, "infoURLs": []})
    assert old == one(crew_7())


def test_list_mode_has_text_where_the_others_have_objects() -> None:
    record = {name: value for name, value in crew_7().items() if name not in {"rocket", "launch_service_provider"}}
    record |= {"mission": "Crew-7", "pad": "Launch Complex 39A", "location": "Kennedy Space Center, FL, USA"}
    sighting = one(record | {"lsp_name": "SpaceX", "response_mode": "list"})
    assert (sighting.provider, sighting.vehicle, sighting.mission) == ("SpaceX", "Falcon 9 Block 5", "Crew-7")
    assert (sighting.pad, sighting.location) == ("Launch Complex 39A", Place("Kennedy Space Center, FL, USA"))


@pytest.mark.parametrize(
    ("net", "precision", "expected"),
    [
        ("2026-04-30T00:00:00Z", 7, ("2026-04-01T00:00:00Z", "2026-04-30T23:59:59", "month")),
        ("2026-03-31T00:00:00Z", 8, ("2026-01-01T00:00:00Z", "2026-03-31T23:59:59", "quarter")),
        ("2026-12-31T00:00:00Z", 11, ("2026-10-01T00:00:00Z", "2026-12-31T23:59:59", "quarter")),
        ("2026-06-30T00:00:00Z", 12, ("2026-01-01T00:00:00Z", "2026-06-30T23:59:59", "half")),
        ("2026-12-31T00:00:00Z", 13, ("2026-07-01T00:00:00Z", "2026-12-31T23:59:59", "half")),
        ("2026-12-31T00:00:00Z", 14, ("2026-01-01T00:00:00Z", "2026-12-31T23:59:59", "year")),
        ("2026-01-15T00:00:00Z", 6, ("2026-01-12T00:00:00Z", "2026-01-18T23:59:59", "week")),
        ("2026-01-15T00:00:00Z", 5, ("2026-01-15T00:00:00Z", "2026-01-15T23:59:59", "day")),
        ("2026-01-15T21:30:00Z", 2, ("2026-01-15T21:30:00Z", "2026-01-15T22:29:59", "hour")),
        ("2026-01-15T00:00:00Z", 1, ("2026-01-15T00:00:00Z", "2026-01-15T00:00:59", "minute")),
    ],
)
def test_a_net_is_the_interval_of_its_precision(net: str, precision: int, expected: tuple[str, str, str]) -> None:
    assert interval(one(ll2("Electron | Test", net, precision=precision))) == expected


@given(st.integers(1, 12))
def test_a_month_given_by_its_last_day_is_that_month(month: int) -> None:
    last = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)
    earliest, latest, _ = interval(one(ll2("A | B", f"{YEAR}-{month:02}-{last}T00:00:00Z", precision=7)))
    assert (earliest[:10], latest[:10]) == (f"{YEAR}-{month:02}-01", f"{YEAR}-{month:02}-{last}")


@pytest.mark.parametrize(
    ("status", "net", "flags", "expected"),
    [
        (3, "2020-07-23T14:26:22Z", {"tbddate": False, "tbdtime": False}, "second"),
        (3, "2020-07-25T03:13:00Z", {"tbddate": False, "tbdtime": False}, "minute"),
        (1, "2024-06-06T12:00:00Z", {"tbddate": False, "tbdtime": False}, "minute"),
        (1, "2024-06-06T05:00:00Z", {"tbddate": False, "tbdtime": True}, "day"),
        (2, "2023-03-31T00:00:00Z", {"tbddate": False, "tbdtime": False}, "month"),
        (2, "2024-06-10T00:00:00Z", {"tbddate": False, "tbdtime": True}, "day"),
        (2, "2020-08-06T00:00:00Z", {"tbddate": True, "tbdtime": True}, "month"),
        (2, "2023-03-09T00:35:00Z", {"tbddate": True, "tbdtime": True}, "day"),
        (8, "2021-01-05T01:27:00Z", {}, "day"),
    ],
)
def test_versions_2_0_0_and_2_1_0_have_no_precision_so_status_and_flags_decide(
    status: int, net: str, flags: dict[str, bool], expected: str
) -> None:
    record = ll2("Falcon 9 | Test", net, status=status) | flags
    del record["net_precision"]
    assert interval(one(record))[2] == expected


def test_the_window_of_a_vague_date_is_none() -> None:
    net = "2026-04-30T00:00:00Z"
    vague = one(ll2("A | B", net, precision=7, window_start=net, window_end=net))
    assert (vague.window_start, vague.window_end) == (None, None)


def test_of_a_repeated_launch_the_record_updated_last_stays() -> None:
    old = crew_7() | {"name": "Falcon 9 | Unknown Payload", "last_updated": "2023-01-01T00:00:00Z"}
    for order in ((old, crew_7()), (crew_7(), old)):
        (sighting,) = launch_library.parse([page(order[0]), page(order[1])]).sightings
        assert sighting.name == "Falcon 9 Block 5 | Crew-7"


@pytest.mark.parametrize(
    "field", ["id", "name", "net", "status", "window_start", "rocket", "launch_service_provider", "pad", "mission"]
)
def test_a_record_without_a_field_of_every_version_is_refused_with_the_field(field: str) -> None:
    record = crew_7()
    del record[field]
    (rejection,) = refused(record)
    assert rejection.field is None
    assert f"`{field}`" in rejection.reason
    assert rejection.record == (record.get("id") or record["name"])


def test_pads_agencies_and_events_are_no_launches() -> None:
    pad, agency = {"id": 93, "name": "Space Launch Complex 3W"}, {"id": 205, "name": "Inmarsat", "type": "Commercial"}
    assert [one.record for one in refused(pad, agency)] == ["93", "205"]


def test_a_word_that_is_not_known_costs_only_its_field() -> None:
    found = launch_library.parse([page(ll2("A | B", "2026-01-15T10:00:00Z", status=77, precision=55))])
    (sighting,) = found.sightings
    assert sighting.status is None
    assert [(one.field, one.reason) for one in found.rejections] == [
        ("status", "unknown status 77 'status 77'"),
        ("net_precision", "unknown precision 55"),
    ]


class Server(Unlimited):
    """Answers for the paths that it has, and collects all requests in `asked`."""

    def __init__(self, bodies: dict[str, bytes], known: frozenset[str] = frozenset()) -> None:
        self.bodies = bodies
        self.asked: list[str] = []
        self._known = known

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, optional: bool = False
    ) -> Payload | None:
        where = path + (f"?{params['offset']}" if params and "offset" in params else "")
        self.asked.append(where)
        if where not in self.bodies:
            assert optional, f"{where} was needed"
            return None
        return Payload(where, self.bodies[where])

    def known(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        return path in self._known and not (params and "offset" in params)


async def test_the_paths_of_older_versions_are_found_and_asked_first_from_then_on() -> None:
    bodies = {"launch/upcoming/": page(), "launch/previous/": page()}
    first = Server(bodies)
    assert len(await launch_library.pull(first)) == 2
    assert first.asked == ["launches/upcoming/", "launch/upcoming/", "launch/previous/", "launch/"]
    second = Server(bodies, known=frozenset({"launch/upcoming/"}))
    await launch_library.pull(second)
    assert second.asked == ["launch/upcoming/", "launch/previous/", "launch/"]


async def test_upcoming_pages_are_followed_to_the_last_and_then_the_newest_previous_ones_are_read() -> None:
    more = json.dumps({"count": 101, "next": "https://example.org/?offset=100", "results": [crew_7()]}).encode()
    server = Server(
        {"launches/upcoming/": more, "launches/upcoming/?100": page(), "launches/previous/": page()},
    )
    await launch_library.pull(server)
    assert server.asked == ["launches/upcoming/", "launches/upcoming/?100", "launches/previous/", "launches/"]


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
@pytest.mark.parametrize(
    ("pattern", "rows"),
    [
        ("2.0.0_upcoming_limit10/*", 50),
        ("2.0.0_lldev/*", 1000),
        ("2.1.0_colbad2/launch_*", 8),
        ("2.2.0_upcoming_limit5_es_portal/*.json", 1125),
        ("2.2.0_upcoming_detailed_limit100_zenith/*", 315),
        ("2.3.0/*", 10),
    ],
)
def test_every_recorded_record_of_every_version_is_read_whole(pattern: str, rows: int) -> None:
    found = [launch_library.parse([path.read_bytes()]) for path in sorted(RECORDED.glob(pattern))]
    assert sum(one.rows for one in found) == rows
    assert [one.rejections for one in found if one.rejections] == []
    sightings = [sighting for one in found for sighting in one.sightings]
    assert all(one.net and one.status and one.provider and one.vehicle for one in sightings)
