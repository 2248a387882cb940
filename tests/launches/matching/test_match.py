"""Matching sightings to launches: the ten hard cases of the sources, and the bounds of every rule."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.launches.launch import LaunchStatus, Precision, Sighting
from launchd.launches.matching.evidence import Strength
from launchd.launches.matching.match import Assignment, Known, assign, key
from tests.support.sightings import GCAT, LL2, ROCKETLAUNCH, SPACEX_API, WIKIPEDIA, at, sight, worlds

F9 = "Falcon 9 Block 5"
CAPE, VANDENBERG = "Cape Canaveral SFS, FL, USA", "Vandenberg SFB, CA, USA"


def grouped(*sightings: Sighting) -> list[set[str]]:
    """The groups of more than one, by the names in them."""
    named = {key(one): one.name for one in sightings}
    return [{named[one] for one in group} for group in assign(sightings, {}).groups if len(group) > 1]


def assign_again(launches: Sequence[Sequence[Sighting]], *sightings: Sighting, changed: bool = True) -> Assignment:
    """Group the sightings again; each of `launches` was one launch before, and its records have changed since."""
    known = {
        key(one): Known(str(number), 0, int(changed)) for number, members in enumerate(launches) for one in members
    }
    return assign(sightings, known)


def are_one(*sightings: Sighting) -> bool:
    return [set(group) for group in assign(sightings, {}).groups] == [{key(one) for one in sightings}]


def are_apart(*sightings: Sighting) -> bool:
    return len(assign(sightings, {}).groups) == len(sightings)


# --- case 1: pairs of one provider and vehicle, hours apart ---


@pytest.mark.parametrize("gap", ["2024-08-31T08:49:00Z", "2024-08-31T09:26:00Z", "2024-08-31T10:40:00Z"])
def test_two_launches_of_a_vehicle_an_hour_apart_stay_two_even_where_each_source_knows_only_one(gap: str) -> None:
    first = sight(LL2, f"{F9} | Starlink Group 8-10", "2024-08-31T07:43:00Z", pad="SLC-40", place=CAPE)
    second = sight(GCAT, "Starlink 32112", gap, vehicle="Falcon 9", pad="VS SLC4E")
    assert are_apart(first, second)
    assert not assign([first, second], {}).doubtful
    assert are_apart(first, sight(GCAT, "Starlink 32112", gap, vehicle="Falcon 9"))


def test_both_launches_of_a_pair_find_their_other_record() -> None:
    sightings = [
        sight(LL2, f"{F9} | Starlink Group 8-10", "2024-08-31T07:43:00Z"),
        sight(LL2, f"{F9} | Starlink Group 9-5", "2024-08-31T08:48:50Z"),
        sight(GCAT, "2024-154", "2024-08-31T07:43:09Z", vehicle="Falcon 9"),
        sight(GCAT, "2024-155", "2024-08-31T08:48:11Z", vehicle="Falcon 9"),
    ]
    pairs = [{"2024-154", f"{F9} | Starlink Group 8-10"}, {"2024-155", f"{F9} | Starlink Group 9-5"}]
    assert grouped(*sightings) == pairs


def test_a_heavy_and_a_single_falcon_of_one_night_are_two_launches() -> None:
    heavy = sight(LL2, "Falcon Heavy | OTV-7", "2023-12-29T01:07:00Z", place=CAPE)
    assert are_apart(heavy, sight(GCAT, "Starlink", "2023-12-29T01:09:00Z", vehicle="Falcon 9", pad="CC LC40"))


def test_two_launches_of_a_vehicle_from_two_sites_or_pads_stay_two_though_they_share_a_time() -> None:
    noon = at("2026-01-04T12:00:00Z", Precision.MINUTE)
    cape = sight(LL2, f"{F9} | Crew-13", noon, pad="Launch Complex 39A", place=CAPE, status=LaunchStatus.GO)
    far = sight(ROCKETLAUNCH, "Starlink (17-5)", noon, vehicle="Falcon 9", pad="SLC-4E", place="Vandenberg SFB")
    next_pad = sight(
        ROCKETLAUNCH,
        "Starlink (10-5)",
        noon,
        vehicle="Falcon 9",
        pad="SLC-40",
        place="Cape Canaveral SFS",
        status=LaunchStatus.GO,
    )
    same_hour = sight(
        ROCKETLAUNCH,
        "Falcon 9 | ?",
        at("2026-01-04T11:30:00Z", Precision.HOUR),
        pad="SLC-40",
        place="Cape Canaveral SFS",
        status=LaunchStatus.GO,
    )
    for other in (far, next_pad, same_hour):
        assert are_apart(cape, other)
    assert are_apart(
        sight(LL2, f"{F9} | ?", noon, place=CAPE), sight(GCAT, "?", noon, vehicle="Falcon 9", pad="VS SLC4E")
    )


# --- case 2: the names of Starlink ---


def test_group_numbers_are_one_series_whatever_the_source_writes_around_them() -> None:
    upcoming = {"status": LaunchStatus.GO}
    tbd = at("2022-05-13T00:00:00Z", Precision.DAY)
    group = sight(LL2, f"{F9} | Starlink Group 4-13", at("2022-05-13T22:07:00Z", Precision.MINUTE), **upcoming)
    serial = sight(ROCKETLAUNCH, "Starlink-45 (4-13)", tbd, vehicle="Falcon 9", **upcoming)
    other = sight(ROCKETLAUNCH, "Starlink-46 (4-15)", tbd, vehicle="Falcon 9", **upcoming)
    assert are_one(group, serial)
    assert are_apart(group, other)


def test_serials_of_starlink_are_of_another_count_in_each_source_and_decide_nothing() -> None:
    library = sight(LL2, f"{F9} | Starlink 28", "2021-05-26T18:59:35Z")
    same = sight(GCAT, "Starlink-30 (N29)", "2021-05-26T18:59:00Z", vehicle="Falcon 9")
    misleading = sight(GCAT, "Starlink-28", "2021-05-09T06:42:00Z", vehicle="Falcon 9")
    archived = sight(SPACEX_API, "Starlink-28 (v1.0)", "2021-05-26T18:59:00Z", vehicle="Falcon 9")
    assert grouped(library, same, misleading, archived) == [{library.name, same.name, archived.name}]


def test_satellites_of_a_rideshare_are_no_group_number() -> None:
    archived = sight(SPACEX_API, "Starlink-8 & SkySat 16-18", "2020-06-13T09:21:00Z", vehicle="Falcon 9")
    assert are_one(archived, sight(GCAT, "Starlink V1.0-L8-03", "2020-06-13T09:21:18Z", vehicle="Falcon 9"))


# --- cases 3, 4 and 5: renamed, another vehicle, slipped; their identity is the id of their source ---


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            ("Long March 6A | Unknown Payload", "2025-09-06T16:35:00Z"),
            ("Long March 6A | Yaogan 40", "2025-09-09T16:34:00Z"),
        ),
        (("Vulcan VC4S | GPS III SV10", "2026-03-31T00:00:00Z"), ("Falcon 9 | GPS III SV10", "2026-04-21T06:53:00Z")),
        (("Falcon Heavy | USSF-52", "2021-03-31T00:00:00Z"), ("Falcon Heavy | OTV-7", "2023-12-29T01:07:00Z")),
        (("Falcon 9 | SXM-8", "2021-02-01T00:00:00Z"), ("Falcon 9 | SXM-8", "2021-06-06T04:26:00Z")),
    ],
)
def test_a_launch_stays_one_when_a_source_renames_moves_or_rebuilds_it(
    before: tuple[str, str], after: tuple[str, str]
) -> None:
    other = sight(ROCKETLAUNCH, before[0], at(before[1], Precision.DAY), key="r", status=LaunchStatus.TBD)
    renamed = sight(LL2, after[0], after[1], key="uuid", status=LaunchStatus.GO)
    found = assign_again([[other, renamed]], other, renamed)
    assert [len(group) for group in found.groups] == [2]


def test_a_bond_does_not_outlive_a_contradiction() -> None:
    first = sight(
        LL2, f"{F9} | Starlink Group 10-5", at("2026-01-04T12:00:00Z", Precision.MINUTE), status=LaunchStatus.GO
    )
    second = sight(
        ROCKETLAUNCH, "Starlink-300 (10-7)", at("2026-01-04T12:00:00Z", Precision.MINUTE), vehicle="Falcon 9"
    )
    assert len(assign_again([[first, second]], first, second).groups) == 2


def test_a_name_counts_for_a_launch_that_slipped_but_never_alone() -> None:
    stale = sight(LL2, "Falcon 9 | SXM-8", at("2021-02-01T00:00:00Z", Precision.MONTH), status=LaunchStatus.TBD)
    assert are_one(stale, sight(GCAT, "SXM-8", "2021-06-06T04:26:18Z", vehicle="Falcon 9"))
    assert are_apart(stale, sight(GCAT, "SXM-8", "2021-06-06T04:26:18Z"))
    assert are_apart(stale, sight(GCAT, "SXM-8", "2018-06-06T04:26:18Z", vehicle="Falcon 9"))


def test_a_launch_that_flew_does_not_slip() -> None:
    flown = sight(GCAT, "SXM-8", at("2021-02-01T00:00:00Z", Precision.MONTH), vehicle="Falcon 9")
    assert are_apart(flown, sight(LL2, "Falcon 9 | SXM-8", "2021-06-06T04:26:00Z", status=LaunchStatus.GO))


# --- case 6: scrubs, and explosions on the pad ---


def test_a_scrub_of_a_day_is_the_same_launch_by_its_name_or_pad_and_a_doubt_without_both() -> None:
    planned = sight(SPACEX_API, "CRS-2", "2013-02-28T15:10:00Z", vehicle="Falcon 9", live=False)
    flown = sight(GCAT, "Dragon CRS-2", "2013-03-01T15:10:13Z", vehicle="Falcon 9")
    assert are_one(planned, flown)
    nameless = sight(LL2, "Long March 2D | Unknown Payload", "2025-05-13T04:10:00Z", status=LaunchStatus.GO)
    following = sight(GCAT, "Xingshidai 27", "2025-05-14T04:11:00Z", vehicle="Chang Zheng 2D")
    apart = assign([nameless, following], {})
    assert len(apart.groups) == 2
    assert [pair.strength for pair in apart.doubtful] == [Strength.DOUBTFUL]


def test_a_pad_explosion_has_no_designator_in_common_and_is_found_by_its_time() -> None:
    explosion = sight(GCAT, "Amos-6", "2016-09-01T13:07:00Z", vehicle="Falcon 9", designator="2016-E01")
    assert are_one(explosion, sight(SPACEX_API, "Amos-6", "2016-09-01T13:07:00Z", vehicle="Falcon 9"))


# --- case 7: rideshares ---


def test_a_rideshare_is_one_launch_by_its_name_without_the_brackets() -> None:
    soon = {"status": LaunchStatus.TBC}
    library = sight(
        LL2, f"{F9} | Transporter 9 (Dedicated SSO Rideshare)", at("2023-11-30T00:00:00Z", Precision.MONTH), **soon
    )
    other = sight(WIKIPEDIA, "Transporter-9", at("2023-11-11T00:00:00Z", Precision.DAY), vehicle="Falcon 9", **soon)
    next_one = sight(WIKIPEDIA, "Transporter-10", at("2023-11-20T00:00:00Z", Precision.DAY), vehicle="Falcon 9", **soon)
    assert grouped(library, other, next_one) == [{library.name, other.name}]


# --- cases 8 and 9: Chinese and Russian names, and the names of vehicles ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Long March 12 | SatNet LEO Group 07", ("WHWD 07", "Chang Zheng 12")),
        ("Soyuz 2.1b/Fregat-M | Glonass-M No. 58 (Kosmos 2534)", ("Uragan-M No. 758", "Soyuz-2-1B")),
        ("Kinetica 1 | Unknown Payload", ("Taijing", "Lijian-1")),
        ("Smart Dragon 3 | Unknown Payload", ("Gili 04 zu", "Jielong-3")),
        ("Ceres-1 | Unknown Payload", ("Yunyao", "Gushenxing-1")),
        ("Atlas V 551 | Project Kuiper (KA-02)", ("Kuiper KA-02", "Atlas V")),
        ("LVM-3 | OneWeb India-1", ("OneWeb L14", "GSLV Mk III")),
        ("Starship V2 | Flight 7", ("Starship Flight 7", "Starship")),
    ],
)
def test_other_words_for_a_mission_and_its_vehicle_at_one_time_are_one_launch(one: str, other: tuple[str, str]) -> None:
    name, vehicle = other
    assert are_one(sight(LL2, one, "2025-08-04T10:21:00Z"), sight(GCAT, name, "2025-08-04T10:20:40Z", vehicle=vehicle))


def test_twelve_unknown_payloads_of_one_year_are_twelve_launches_and_no_guess_is_made() -> None:
    year = at("2026-12-31T00:00:00Z", Precision.YEAR)
    unknown = "Long March 6A | Unknown Payload"
    library = [sight(LL2, unknown, year, key=str(number), status=LaunchStatus.TBD) for number in range(12)]
    other = sight(ROCKETLAUNCH, unknown, at("2026-06-01T00:00:00Z", Precision.MONTH), status=LaunchStatus.TBD)
    assert are_apart(*library, other)


# --- case 10: suborbital and from the Moon ---


def test_a_launch_that_one_catalogue_leaves_out_is_left_unmatched() -> None:
    suborbital = sight(LL2, "New Shepard | NS-25", "2024-05-19T14:35:09Z", suborbital=True)
    lunar = sight(GCAT, "CE-5 SSQ", "2020-12-03T15:10:00Z", vehicle="CE-5 SSQ", pad="LOMN CE-5 ZQ")
    near = sight(LL2, "Falcon 9 | Starlink", "2020-12-03T15:12:00Z", place=CAPE)
    assert are_apart(suborbital, lunar, near)


# --- rules for all cases ---


def test_a_link_that_another_job_made_by_the_nearest_time_is_no_proof_against_the_vehicle() -> None:
    linked = sight(SPACEX_API, "Starlink-9", "2020-08-07T05:12:00Z", vehicle="Falcon 9", cross_ids={LL2: "uuid"})
    assert are_apart(linked, sight(LL2, "Electron | StriX", "2020-08-07T09:00:00Z", key="uuid"))
    assert are_one(linked, sight(LL2, f"{F9} | BlackSky", "2020-08-07T05:12:05Z", key="uuid"))


def test_designators_decide_over_everything_visible() -> None:
    one = sight(LL2, f"{F9} | A-1", "2024-01-01T00:00:00Z", designator="2024-001")
    other = sight(GCAT, "B-2", "2024-01-02T23:00:00Z", vehicle="Falcon 9", designator="2024-001")
    assert are_one(one, other)
    assert are_apart(one, sight(GCAT, "A-1", "2024-01-01T00:00:00Z", vehicle="Falcon 9", designator="2024-002"))


def test_another_pair_of_sources_that_is_settled_does_not_make_a_match_ambiguous() -> None:
    """Two launches so close that every record fits both: the designator settles one pair, and so the other."""
    sightings = [
        sight(LL2, "Soyuz | Kosmos", "1970-01-01T00:00:00Z", key="a", designator="1970-001"),
        sight(LL2, "Soyuz | Kosmos", "1970-01-01T00:05:00Z", key="b"),
        sight(GCAT, "Zenit 1", "1970-01-01T00:01:00Z", key="1", vehicle="Voskhod", designator="1970-001"),
        sight(GCAT, "Zenit 2", "1970-01-01T00:04:00Z", key="2", vehicle="Voskhod"),
    ]
    groups = assign(sightings, {}).groups
    assert set(groups) == {((GCAT, "1"), (LL2, "a")), ((GCAT, "2"), (LL2, "b"))}


def test_a_record_that_fits_two_launches_of_a_source_is_left_apart_and_listed() -> None:
    one = sight(GCAT, "?", at("1970-01-01T00:00:00Z", Precision.DAY), vehicle="Soyuz")
    both = [sight(LL2, "Soyuz | Kosmos", f"1970-01-01T0{hour}:00:00Z", key=str(hour)) for hour in (2, 8)]
    found = assign([one, *both], {})
    assert len(found.groups) == 3
    assert {pair.first for pair in found.doubtful} == {key(one)}
    assert len(found.doubtful) == 2


def test_an_ambiguity_of_one_source_does_not_keep_others_apart() -> None:
    vague = sight(GCAT, "?", at("1970-01-01T00:00:00Z", Precision.DAY), vehicle="Soyuz")
    early, late = (sight(LL2, "Soyuz | Kosmos", f"1970-01-01T{hour}:00:00Z", key=hour) for hour in ("02", "20"))
    same = sight(ROCKETLAUNCH, "Soyuz | ?", at("1970-01-01T01:30:00Z", Precision.HOUR))
    assert grouped(vague, early, late, same) == [{early.name, same.name}]


def test_a_chain_that_would_bring_two_records_of_one_source_together_is_left_apart() -> None:
    links = [
        sight(GCAT, "first", "1970-01-01T00:00:00Z", vehicle="Soyuz"),
        sight(LL2, "second", "1970-01-01T00:09:00Z", vehicle="Soyuz"),
        sight(ROCKETLAUNCH, "third", "1970-01-01T00:18:00Z", vehicle="Soyuz"),
        sight(GCAT, "fourth", "1970-01-01T00:27:00Z", vehicle="Soyuz"),
    ]
    assert are_apart(*links)
    assert [pair.strength for pair in assign(links, {}).doubtful].count(Strength.TIME) == 3


def test_a_record_that_comes_later_and_fits_as_well_does_not_take_a_launch_apart() -> None:
    one = sight(ROCKETLAUNCH, "Falcon 9 | ?", "2026-01-01T12:02:00Z")
    first = sight(LL2, f"{F9} | ?", "2026-01-01T12:00:00Z", key="a")
    second = sight(LL2, f"{F9} | ?", "2026-01-01T12:05:00Z", key="b")
    assert are_apart(one, first, second)
    before = [[one, first]]
    assert (key(first), key(one)) in assign_again(before, one, first, second, changed=False).groups
    assert (key(first), key(one)) in assign_again(before, one, first, second).groups


def test_a_slip_onto_the_time_of_another_launch_does_not_take_that_launchs_record() -> None:
    slipped = sight(LL2, f"{F9} | ?", "2026-01-03T12:00:00Z", status=LaunchStatus.GO)
    stale = sight(ROCKETLAUNCH, "Falcon 9 | ?", "2026-01-01T12:00:00Z", key="stale", status=LaunchStatus.GO)
    other = sight(ROCKETLAUNCH, "Falcon 9 | ?", "2026-01-03T12:02:00Z", key="other", status=LaunchStatus.GO)
    assert (key(slipped), key(stale)) in assign_again([[slipped, stale], [other]], slipped, stale, other).groups


@settings(max_examples=200, deadline=None)
@given(worlds(), st.randoms())
def test_groups_hold_one_sighting_of_a_source_each_and_are_the_same_in_any_order(
    sightings: list[Sighting], random: object
) -> None:
    found = assign(sightings, {})
    for group in found.groups:
        sources = [source for source, _ in group]
        assert len(sources) == len(set(sources))
    assert sorted(itertools.chain(*found.groups)) == sorted(key(one) for one in sightings)
    shuffled = list(sightings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign(shuffled, {}) == found
    named = {key(one): one for one in sightings}
    launches = [[named[one] for one in group] for group in found.groups]
    for changed in (False, True):
        assert assign_again(launches, *sightings, changed=changed).groups == found.groups
