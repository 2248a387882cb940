"""Gives a test small payloads in the formats of the sources, and the paths at which a replay server offers them."""

import json
from typing import Any

from tests.support import nasa_feeds, wikipedia_pages
from tests.support.launch_library_payloads import crew_14

UPCOMING, PREVIOUS = "/ll/launches/upcoming/", "/ll/launches/previous/"
LOG = "/gcat/tsv/derived/launchlog.tsv"
HEADER = "#Launch_Tag\tLaunch_Date\tPiece\tType\tName\tPLName\tLV_Type\tLaunch_Site\tLaunch_Pad\tAgency\tLaunch_Code"


def ll2(name: str, net: str, *, key: str = "id-1", status: int = 1, precision: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "id": key,
        "name": name,
        "net": net,
        "status": {"id": status, "name": f"status {status}"},
        "window_start": None,
        "window_end": None,
        "net_precision": {"id": precision},
        "launch_service_provider": {"name": "SpaceX"},
        "rocket": {"configuration": {"full_name": name.partition(" | ")[0]}},
        "mission": None,
        "pad": None,
        **more,
    }


def page(*records: Any) -> bytes:  # noqa: ANN401 - good and bad JSON
    return json.dumps({"count": len(records), "next": None, "previous": None, "results": records}).encode()


def gcat(*rows: str) -> bytes:
    return "\n".join([HEADER, "# Updated 2026 Jan 01", *rows, ""]).encode()


LIST_HEADER = "#Launch_Tag\tLaunch_Date\tLV_Type\tVariant\tFlight\tMission\tLaunch_Site\tLaunch_Pad\tAgency\tLaunchCode"
LIST_ROW = "2026-001 \t2026 Jan  4 1200:30\tFalcon 9\tFT5\tStarlink-300\tStarlink Group 9-1\tCC\tLC40\tSPX\tOS"


def gcat_list(*rows: str) -> bytes:
    return "\n".join([LIST_HEADER, "# Updated 2026 Jan 01", *rows, ""]).encode()


FLOWN_ROW = "2026-001 \t2026 Jan  4 1200:30\t2026-001A\tP\tStarlink 9001\tStarlink\tFalcon 9\tCC\tLC40\tSPX\tOS"


def crew_7() -> dict[str, Any]:
    """A launch of Launch Library 2.3.0, mode normal: Crew-7, flown from LC-39A on 2023-08-26."""
    net = "2023-08-26T07:27:27Z"
    return {
        "id": "8a9d4c2e-7f25-4c64-9b0f-3d6a0c7e1b52",
        "name": "Falcon 9 Block 5 | Crew-7",
        "response_mode": "normal",
        "launch_designator": "2023-128",
        "status": {"id": 3, "name": "Launch Successful", "abbrev": "Success"},
        "last_updated": "2023-08-27T10:00:00Z",
        "net": net,
        "net_precision": {"id": 0, "name": "Second", "abbrev": "SEC"},
        "window_start": net,
        "window_end": net,
        "launch_service_provider": {
            "id": 121,
            "name": "SpaceX",
            "abbrev": "SpX",
            "type": {"id": 3, "name": "Commercial"},
        },
        "rocket": {"id": 1, "configuration": {"id": 164, "name": "Falcon 9", "full_name": "Falcon 9 Block 5"}},
        "mission": {"id": 1, "name": "Crew-7", "orbit": {"id": 8, "name": "Low Earth Orbit", "abbrev": "LEO"}},
        "pad": {
            "id": 87,
            "name": "Launch Complex 39A",
            "latitude": 28.60822681,
            "longitude": -80.60428186,
            "location": {"id": 27, "name": "Kennedy Space Center, FL, USA"},
        },
        "vid_urls": [
            {"priority": 9, "url": "https://example.org/second"},
            {"priority": 1, "url": "https://example.org/"},
        ],
    }


def tile(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A tile of spacex.com: Starship's tenth flight, from Texas on 2025-08-26."""
    return {
        "id": 2973,
        "link": "starship-flight-10",
        "title": "Starship's Tenth Flight Test",
        "missionStatus": "final",
        "missionType": "starship",
        "vehicle": "Starship",
        "launchSite": "Starbase, Texas",
        "launchDate": "2025-08-26",
        "launchTime": "18:30:00",
        "isLive": False,
        "imageDesktop": {"url": "https://example.org/large.jpg", "formats": {"large": {}, "small": {}}},
    } | changed


def next_launch(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A launch of RocketLaunch.Live: Starliner's OFT-2 of 2022-05-19, as listed ten days before."""
    return {
        "id": 679,
        "cospar_id": "",
        "sort_date": "1653000840",
        "name": "CST-100 Starliner (Boe-OFT2)",
        "provider": {"id": 3, "name": "United Launch Alliance (ULA)", "slug": "united-launch-alliance-ula"},
        "vehicle": {"id": 3, "name": "Atlas V", "company_id": 3, "slug": "atlas-v"},
        "pad": {
            "id": 4,
            "name": "SLC-41",
            "location": {
                "id": 62,
                "name": "Cape Canaveral SFS",
                "state": "FL",
                "statename": "Florida",
                "country": "United States",
            },
        },
        "missions": [{"id": 710, "name": "CST-100 Starliner (Boe-OFT2)", "description": None}],
        "win_open": "2022-05-19T22:54Z",
        "t0": None,
        "win_close": None,
        "est_date": {"month": None, "day": None, "year": None, "quarter": None},
        "date_str": "May 19",
        "slug": "boe-oft2",
        "result": -1,
        "suborbital": False,
        "modified": "2022-04-14T21:12:09+00:00",
    } | changed


def capstone() -> dict[str, Any]:
    """A launch of RocketLaunch.Live with a date and no time: CAPSTONE, as planned on 2022-05-02."""
    return next_launch(
        id=613,
        name="CAPSTONE",
        provider={"id": 26, "name": "Rocket Lab", "slug": "rocket-lab"},
        vehicle={"id": 18, "name": "Electron", "company_id": 26, "slug": "electron"},
        pad={
            "id": 88,
            "name": "Pad TBD",
            "location": {
                "id": 20,
                "name": "Rocket Lab Launch Complex, Mahia Peninsula",
                "state": None,
                "statename": None,
                "country": "New Zealand",
            },
        },
        missions=[{"id": 639, "name": "CAPSTONE", "description": None}],
        win_open=None,
        est_date={"month": 5, "day": 27, "year": 2022, "quarter": None},
        date_str="May 27",
        slug="capstone",
        modified="2022-05-02T18:58:47+00:00",
    )


FALCON_9, SLC_40, LC_39A = "5e9d0d95eda69973a809d1ec", "5e9e4501f509094ba4566f84", "5e9e4502f509094188566f88"
DRAGON = "5eb0e4d0b6c3bb0006eeb253"
ROCKETS = [{"id": FALCON_9, "name": "Falcon 9", "stages": 2, "engines": {"number": 9}}]
LAUNCHPADS = [
    {"id": one, "name": name, "locality": "Cape Canaveral", "region": "Florida", "latitude": north, "longitude": east}
    for one, name, north, east in (
        (SLC_40, "CCSFS SLC 40", 28.5618571, -80.577366),
        (LC_39A, "KSC LC 39A", 28.6080585, -80.6039558),
    )
]
CARGO = [{"id": DRAGON, "name": "CRS-20", "customers": ["NASA (CRS)"], "orbit": "ISS", "norad_ids": [45341]}]


def archived(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A launch of the r/SpaceX API, version 4: CRS-20, flown from SLC-40 on 2020-03-07."""
    return {
        "id": "5eb87d42ffd86e000604b384",
        "flight_number": 91,
        "name": "CRS-20",
        "date_utc": "2020-03-07T04:50:31.000Z",
        "date_unix": 1583556631,
        "date_local": "2020-03-06T23:50:31-05:00",
        "date_precision": "hour",
        "tbd": False,
        "net": False,
        "window": 0,
        "upcoming": False,
        "success": True,
        "rocket": FALCON_9,
        "launchpad": SLC_40,
        "payloads": [DRAGON],
        "links": {"webcast": "https://youtu.be/1MkcWK2PnsU", "article": None, "wikipedia": None},
        "launch_library_id": None,
    } | changed


def archived_v3(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The first launch as version 3 of the r/SpaceX API has it: FalconSat, from Kwajalein on 2006-03-24."""
    return {
        "flight_number": 1,
        "mission_name": "FalconSat",
        "upcoming": False,
        "launch_date_utc": "2006-03-24T22:30:00.000Z",
        "is_tentative": False,
        "tentative_max_precision": "hour",
        "tbd": False,
        "rocket": {
            "rocket_name": "Falcon 1",
            "second_stage": {"payloads": [{"payload_id": "FalconSAT-2", "customers": ["DARPA"], "orbit": "LEO"}]},
        },
        "launch_site": {"site_name": "Kwajalein Atoll", "site_name_long": "Kwajalein Atoll Omelek Island"},
        "launch_success": False,
        "links": {"video_link": "https://www.youtube.com/watch?v=0a_00nJ_Y88", "article_link": None, "wikipedia": None},
    } | changed


def encoded(document: Any) -> bytes:  # noqa: ANN401 - JSON
    return json.dumps(document).encode()


# One scrape of each source, small and valid: every source must have one (test_hostile_payloads.py).
EXAMPLES: dict[str, tuple[bytes, ...]] = {
    "launch_library": (page(crew_7(), ll2("Falcon 9 | Starlink", "2026-01-04T12:00:00Z")), page(crew_14())),
    "spacex": (encoded([tile(), tile(link="sl-17-9", title="Starlink Mission", launchSite="SLC-4E, California")]),),
    "gcat": (gcat(FLOWN_ROW, FLOWN_ROW.replace("2026-001", "2026-F01").replace("\tOS", "\tOF40")),),
    "rocketlaunch": (encoded({"valid_auth": False, "count": 1, "result": [next_launch(), capstone()]}),),
    "nasa": (nasa_feeds.PLAIN,),
    "wikipedia": (wikipedia_pages.past(wikipedia_pages.CRS_1, wikipedia_pages.HEAVY, wikipedia_pages.AMOS_6),),
    "spacex_api": tuple(encoded(one) for one in ([archived(), archived_v3()], ROCKETS, LAUNCHPADS, CARGO)),
}
