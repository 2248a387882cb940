"""GCAT: the rows of a launch become one sighting, codes get their names, broken files are reported."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import format_instant
from launchd.launches.launch import LaunchStatus, Parsed, Place, Sighting
from launchd.launches.sources import gcat, gcat_tables
from launchd.launches.sources.source import Payload
from tests.support.fetching import Unlimited
from tests.support.paths import SHARED

RECORDED = SHARED / "sources" / "gcat"
LOG = ["Launch_Tag", "Launch_Date", "Piece", "Type", "Name", "PLName", "LV_Type", "Launch_Site", "Launch_Pad"]
LOG += ["Agency", "Launch_Code"]
SPUTNIK = "1957 ALP  \t1957 Oct  4 1928:34\t1957 ALP 2\tP   \t1-y ISZ\tPS-1\tSputnik 8K71PS\tNIIP-5\tLC1\tMVS\tOS"
STAGE = "1957 ALP  \t1957 Oct  4 1928:34\t1957 ALP 1\tR2  \tBlok A\t-\tSputnik 8K71PS\tNIIP-5\tLC1\tMVS\tOS"
DRAGON = "2024-200  \t2024 Nov  5 0229:30\t2024-200A\tPP-H\tDragon CRS-31\tDragon C208.5\tFalcon 9\tKSC\tLC39A\tSPX\tOS"
FALCON_1 = "2006-F01  \t2006 Mar 24 2230\t2006-F01\tP   F\tFalconsat 2\tFalconsat 2\tFalcon 1\tKMR\tOM\tSPX\tOF"
CRS_1 = "2012-054  \t2012 Oct  8 0035:07\t2012-054A\tPP\tDragon CRS-1\tDragon C103\tFalcon 9\tCC\tLC40\tSPX\tOS85"
LAUNCH = [
    "Launch_Tag",
    "Launch_JD",
    "Launch_Date",
    "LV_Type",
    "Variant",
    "Flight_ID",
    "Flight",
    "Mission",
    "FlightCode",
]
LAUNCH += ["Platform", "Launch_Site", "Launch_Pad", "Agency", "LaunchCode", "FailCode"]
CRS_31 = (
    "2024-200\t2460619.60\t2024 Nov  5 0229:30\tFalcon 9\tFT5\tB1083.5\tSpX-31\tCRS-31\t-\t-\tKSC\tLC39A\tSPX\tOS\t-"
)
AMOS_6 = "2016-E01\t2457633.05\t2016 Sep  1 1307\tFalcon 9\tFT3\tF9-29\tAmos-6\tAmos-6\t-\t-\tCC\tLC40\tSPX\tOE\t-"
V_2 = "1942-S01\t2430524\t1942 Jun 13 1052\tA-4\t-\tV2\t-\t-\t-\t-\tPEEN\tP7\tHWA\tSF\t-"
PLACES = ["Site", "Code", "UCode", "Type", "TStart", "TStop", "ShortName", "Name", "Location", "Longitude", "Latitude"]
PLACES += ["ShortEName", "EName"]
SITES = [
    "CC\t-\tCC\tLS\t1992\t2000\tCanaveral\tCape Canaveral Air Station, Florida\t-\t    -80.5400 \t   28.4600 \t-\t-",
    "NIIP-5\t-\tGIK-5\tLS\t1956\t1989\tBaykonur\tNIIP-5, Baykonur, Kazakstan\t-\t63.0000\t46.0000\t-\t-",
    "GIK-5\t-\tGIK-5\tLS\t1989\t*\tBaykonur\tGIK-5, Baykonur, Kazakstan\t-\t63.0000\t46.0000\t-\t-",
]
PADS = [
    "CC\tLC40\t-\tLP\t1965\t*\tCC    LC40\tSpace Launch Complex 40, Cape Canaveral\t-\t-80.5772\t28.5620\t-\t-",
    "GIK-5\tLC1\t-\tLP\t1957\t*\tGIK-5 LC1\tPloshchadka 1 PU 17P32-5\t-\t63.3423\t45.9203\t-\t-",
]
ORGANISATIONS = ["Code", "UCode", "Type", "ShortName", "Name", "ShortEName", "EName"]
SPACEX = "SPX\tSPX\tLA\tSpaceX\tSpaceX\t-\t-"
ARIANE = "AE\tAE\tLA\tArianespace\tArianespace, Inc.\tArianespace\t-"
ESA = "ESA\tESA\tO\tESA\tEuropean Space Agency\t-\t-"
VEHICLES = ["LV_Name", "LV_Family", "LV_Variant", "LV_Alias", "Class"]
PROTON = "UR-500K\tUR-500\t-\tProton-K\tO"
SOUNDING = "Antares\tAntares\t-\tOPd-56-39-22D\tR"


def file(header: list[str], *rows: str) -> bytes:
    return "\n".join(["#" + "\t".join(header), "# Updated 2024 Dec 01 16:03:11", *rows, ""]).encode()


TABLES = (
    file(PLACES, *SITES),
    file(PLACES, *PADS),
    file(ORGANISATIONS, SPACEX, ARIANE, ESA),
    file(VEHICLES, PROTON, SOUNDING),
)


def parse(*files: bytes) -> Parsed:
    return gcat.parse(files)


def only(parsed: Parsed) -> Sighting:
    (sighting,) = parsed.sightings
    assert parsed.rejections == ()
    return sighting


def test_the_pieces_of_a_launch_are_one_sighting_named_by_its_payload() -> None:
    launch = only(parse(file(LOG, STAGE, SPUTNIK)))
    assert (launch.source_id, launch.designator, launch.name) == ("1957 ALP", "1957-001", "PS-1")
    assert launch.net is not None
    assert (format_instant(launch.net.earliest), launch.net.precision) == ("1957-10-04T19:28:34Z", "second")
    assert (launch.status, launch.provider, launch.pad) == (LaunchStatus.SUCCESS, "MVS", "NIIP-5 LC1")


def test_the_row_of_the_launch_is_preferred_to_its_pieces_in_any_order_of_the_files() -> None:
    log, launches = file(LOG, DRAGON), file(LAUNCH, CRS_31)
    first, second = only(parse(log, launches)), only(parse(launches, log))
    assert first == second
    assert (first.name, first.mission, first.vehicle) == ("CRS-31", "CRS-31", "Falcon 9 FT5")


def test_a_pad_explosion_is_a_failure_and_suborbital_flights_are_left_out() -> None:
    launch = only(parse(file(LAUNCH, AMOS_6, V_2)))
    assert (launch.name, launch.status, launch.designator) == ("Amos-6", LaunchStatus.FAILURE, "2016-E01")


@pytest.mark.parametrize(
    ("tag", "modern"),
    [
        ("1957 ALP", "1957-001"),
        ("1962 B PSI", "1962-071"),
        ("1961 A ETA", "1961-031"),
        ("1960 OME", "1960-024"),
        ("2024-237", "2024-237"),
        ("2006-F01", "2006-F01"),
        ("1960 XYZ", None),
        ("\u0661957-001", None),
        ("x", None),
    ],
)
def test_greek_tags_have_modern_forms(tag: str, modern: str | None) -> None:
    assert gcat.modern_tag(tag) == modern


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("OS", LaunchStatus.SUCCESS),
        ("OS85", LaunchStatus.PARTIAL_FAILURE),
        ("OS100", LaunchStatus.SUCCESS),
        ("OF40", LaunchStatus.FAILURE),
        ("DS", LaunchStatus.SUCCESS),
        ("OE", LaunchStatus.FAILURE),
        ("OU", None),
        ("OS\u00b2", None),
        ("OS" + "9" * 5000, None),
    ],
)
def test_launch_codes_give_the_outcome_and_unknown_ones_are_reported(code: str, status: LaunchStatus | None) -> None:
    found = parse(file(LOG, CRS_1.removesuffix("OS85") + code))
    assert found.sightings[0].status is status
    assert [one.field for one in found.rejections] == ([] if status else ["status"])


def test_codes_get_their_names_from_the_tables() -> None:
    launch = only(parse(file(LOG, CRS_1), *TABLES))
    assert launch.provider == "SpaceX"
    assert launch.pad == "CC LC40 (Space Launch Complex 40, Cape Canaveral)"
    assert launch.location == Place("Canaveral", 28.562, -80.5772)


def test_a_pad_is_found_under_the_later_name_of_its_site() -> None:
    launch = only(parse(*TABLES, file(LOG, SPUTNIK)))
    assert launch.pad == "NIIP-5 LC1 (Ploshchadka 1 PU 17P32-5)"
    assert launch.location == Place("Baykonur", 45.9203, 63.3423)


def test_a_pad_is_found_under_an_earlier_name_of_its_site() -> None:
    sites = [
        "VS\t-\tPA\tLS\t1964\t2021\tVandenberg\tSouth Vandenberg AFB\t-\t-120.61\t34.63\t-\t-",
        "VSFBS\t-\tPA\tLS\t2021\t*\tVandenberg\tVandenberg Space Force Base\t-\t-120.61\t34.63\t-\t-",
    ]
    pad = "VS\tSLC4E\tLC2-4\tLP\t1966\t*\tV     SLC4E\tSpace Launch Complex 4-East\t-\t-120.6106\t34.6320\t-\t-"
    log = file(LOG, CRS_1.replace("\tCC\tLC40\t", "\tVSFBS\tSLC4E\t"))
    assert only(parse(log, file(PLACES, pad), file(PLACES, *sites))).location == Place("Vandenberg", 34.632, -120.6106)


def test_a_pad_that_is_not_in_the_tables_has_the_place_of_its_site() -> None:
    launch = only(parse(file(LOG, CRS_1.replace("LC40", "LC99?")), *TABLES))
    assert (launch.pad, launch.location) == ("CC LC99", Place("Canaveral", 28.46, -80.54))


def test_a_site_whose_short_name_is_its_code_is_shown_by_its_name() -> None:
    own = "V\t-\tPA\tLS\t1958\t2021\tV     -\tVandenberg AFB, California\t-\t-120.6\t34.7\t-\t-"
    launch = only(parse(file(LOG, CRS_1.replace("\tCC\t", "\tV\t")), file(PLACES, own)))
    assert launch.location == Place("Vandenberg AFB, California", 34.7, -120.6)


def test_two_organisations_and_a_doubtful_one_are_named() -> None:
    launch = only(parse(file(LOG, CRS_1.replace("\tSPX\t", "\tESA/AE?\t")), *TABLES))
    assert launch.provider == "ESA/Arianespace"


@pytest.mark.parametrize(("named", "shown"), [("UR-500K", "UR-500K (Proton-K)"), ("Antares", "Antares")])
def test_an_orbital_vehicle_is_shown_with_its_better_known_name(named: str, shown: str) -> None:
    assert only(parse(file(LOG, CRS_1.replace("Falcon 9", named)), *TABLES)).vehicle == shown


def test_impossible_coordinates_are_left_out() -> None:
    odd = file(PLACES, SITES[0].replace("-80.5400", "nan").replace("28.4600", "inf"))
    assert only(parse(file(LOG, CRS_1), odd)).location == Place("Canaveral")


@pytest.mark.parametrize(
    "date", ["2025 Oct    -", "1989 Nov  24", "1992 JUl", "1968", "1960s", "2009 Q1", "2012 Oct 8?"]
)
def test_dirty_and_vague_dates_are_read(date: str) -> None:
    assert only(parse(file(LOG, CRS_1.replace("2012 Oct  8 0035:07", date)))).net is not None


@pytest.mark.parametrize("date", ["", "9999 Dec 31 9999", "0000", "20C", "2012 Foo  8", "x" * 5000, "2012 Feb 31"])
def test_an_invalid_date_costs_only_itself(date: str) -> None:
    found = parse(file(LOG, CRS_1.replace("2012 Oct  8 0035:07", date)))
    assert found.sightings[0].net is None
    assert [one.field for one in found.rejections] == ["net"]
    assert len(found.rejections[0].reason) < 300


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not one of column names"),
        (b"<html>\t</html>", "not one of column names"),
        (b"#" + b"\t" * 5_000_000, "not one of column names"),
        (b"#A\tB\n1\t2\n", "not one of the known files; its columns are A, B"),
        (file(LOG, "2012-054\tx"), "2 cells where the header has 11"),
        (file(LOG, CRS_1.replace("2012-054  ", "-")), "no Launch_Tag"),
        (file(LOG, CRS_1.replace("2012-054  ", "tomorrow")), "not a launch tag"),
        (file(LOG, "x" * 100_000), "more than 10000 bytes"),
        (file(LOG, *["x"] * 5_000), "1000 broken rows; the rest was not read"),
    ],
)
def test_broken_rows_and_unknown_files_are_refused_with_a_reason(body: bytes, reason: str) -> None:
    found = parse(body)
    assert found.sightings == ()
    assert any(reason in one.reason for one in found.rejections), found.rejections[-1]


def test_more_rows_than_a_file_has_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcat_tables, "MAX_ROWS", 3)
    found = parse(file(LOG, *[CRS_1.replace("2012-054 ", f"2012-{number:03d}") for number in range(1, 6)]))
    assert len(found.sightings) == 3
    assert "more than 3 rows" in found.rejections[0].reason


class Mirror(Unlimited):
    """Answers for some paths; all others are missing."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, optional: bool = False
    ) -> Payload | None:
        assert params is None
        assert optional == (path != "tsv/derived/launchlog.tsv")
        return Payload(path, b"") if path in self.paths else None

    def known(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        raise AssertionError(path, params)


async def test_a_mirror_without_the_tables_still_gives_the_log() -> None:
    mirror = Mirror("tsv/derived/launchlog.tsv", "tsv/tables/orgs.tsv")
    payloads = await gcat.pull(mirror)
    assert [payload.url for payload in payloads] == list(mirror.paths)


JUNK = st.sampled_from(
    [b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\t", b"\n", b"\r", b"#", b"?", b"-", b"9999", b"\xd9\xa1", b"\xc2\xb2"]
)
FILES = b"\n".join((file(LOG, SPUTNIK, DRAGON, FALCON_1, CRS_1), b"")), file(LAUNCH, CRS_31, AMOS_6), *TABLES
CUTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900), st.integers(0, 40), JUNK), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(CUTS)
def test_damaged_files_give_launches_that_are_whole_and_reports_of_the_rest(
    cuts: list[tuple[int, int, int, bytes]],
) -> None:
    files = list(FILES)
    for number, at, length, junk in cuts:
        files[number] = files[number][:at] + junk + files[number][at + length :]
    found = parse(*files)
    assert found.sightings or found.rejections
    for launch in found.sightings:
        assert launch.name
        assert launch.designator is not None
        assert gcat.modern_tag(launch.source_id) == launch.designator


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
def test_every_row_of_the_recorded_files_is_read_and_98_in_100_launches_have_a_named_pad() -> None:
    found = parse(*(path.read_bytes() for path in sorted(RECORDED.glob("*.tsv"))))
    assert (found.rows, len(found.sightings), len(found.rejections)) == (23_338, 6_817, 0)
    assert all(one.net is not None and one.status is not None for one in found.sightings)
    assert sum("(" in (one.pad or "") for one in found.sightings) > 0.98 * 6_817
    assert sum(one.location is not None and one.location.latitude is not None for one in found.sightings) > 6_800
