"""Gives a test detailed launches in the formats of Launch Library 2.3.0 and 2.2.0, small and with every detail."""

from typing import Any

PICTURE = {
    "id": 1,
    "name": "Falcon 9 on the pad",
    "image_url": "https://images.example.org/falcon.jpeg",
    "thumbnail_url": "https://images.example.org/falcon_small.jpeg",
    "credit": "SpaceX",
    "license": {"id": 5, "name": "CC BY-NC 2.0", "link": "https://creativecommons.org/licenses/by-nc/2.0/"},
}
LANDING = {
    "id": 1913,
    "attempt": True,
    "success": None,
    "description": "B1085 will land on the drone ship.",
    "downrange_distance": 614.6,
    "landing_location": {"id": 5, "name": "A Shortfall of Gravitas", "abbrev": "ASOG"},
    "type": {"id": 1, "name": "Autonomous Spaceport Drone Ship", "abbrev": "ASDS"},
}
BOOSTER: dict[str, Any] = {
    "id": 918,
    "type": "Core",
    "reused": True,
    "launcher_flight_number": 17,
    "launcher": {"id": 111, "serial_number": "B1085", "is_placeholder": False, "flights": 16},
    "previous_flight_date": "2026-04-29T14:13:00Z",
    "turn_around_time": "P122DT21H13M",
    "landing": LANDING,
}
OFFICIAL = {
    "priority": 10,
    "source": "x.com",
    "publisher": "SpaceX",
    "title": "Crew-14",
    "description": None,
    "url": "https://x.com/i/broadcasts/1",
    "type": {"id": 1, "name": "Official Webcast"},
    "language": {"id": 1, "name": "English", "code": "en"},
    "start_time": "2026-08-30T09:16:00Z",
    "end_time": None,
    "live": False,
}
FAN = {"priority": 5, "url": "https://video.example.org/fan", "type": {"id": 3, "name": "Unofficial Webcast"}}
NOTES = [
    {"id": 15578, "comment": "Added launch time.", "info_url": None, "created_by": "Pat"}
    | {"created_on": "2026-07-16T20:48:00Z"},
    {"id": 15589, "comment": "Setting GO.", "info_url": "https://example.org/", "created_by": "Pat"}
    | {"created_on": "2026-07-17T18:31:00Z"},
]
INFO_PAGE = {"priority": 10, "url": "https://example.org/crew-14", "type": {"id": 1, "name": "Official Page"}}
PATCH = {"id": 1, "name": "Crew-14", "priority": 10, "image_url": "https://images.example.org/p.png"}


def crew_14(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A launch of 2.3.0, mode detailed: a crewed flight that is to come."""
    return {
        "id": "521f3a1c-f977-4306-9b7f-000000000014",
        "name": "Falcon 9 Block 5 | Crew-14",
        "response_mode": "detailed",
        "launch_designator": None,
        "status": {"id": 1, "name": "Go for Launch", "abbrev": "Go"},
        "last_updated": "2026-08-28T10:00:00Z",
        "net": "2026-08-30T09:16:00Z",
        "net_precision": {"id": 1, "name": "Minute", "abbrev": "MIN"},
        "window_start": "2026-08-30T09:16:00Z",
        "window_end": "2026-08-30T09:16:00Z",
        "image": PICTURE,
        "infographic": None,
        "probability": 80,
        "weather_concerns": "Cumulus Cloud Rule",
        "failreason": "",
        "launch_service_provider": {"id": 121, "name": "SpaceX"},
        "rocket": {
            "id": 1,
            "configuration": {"id": 164, "name": "Falcon 9", "full_name": "Falcon 9 Block 5"},
            "launcher_stage": [BOOSTER],
            "spacecraft_stage": [
                {
                    "id": 5,
                    "destination": "International Space Station",
                    "launch_crew": [
                        {
                            "role": {"role": "Commander"},
                            "astronaut": {"name": "A. Example", "agency": {"name": "NASA"}},
                        }
                    ],
                    "spacecraft": {
                        "name": "Crew Dragon Endeavour",
                        "spacecraft_config": {"type": {"name": "Capsule"}, "agency": {"name": "SpaceX"}},
                    },
                }
            ],
            "payloads": [
                {
                    "destination": "Low Earth Orbit",
                    "amount": 2,
                    "payload": {
                        "name": "Cube",
                        "type": {"name": "CubeSat"},
                        "manufacturer": {"name": "Maker"},
                        "operator": {"name": "ESA"},
                        "mass": 4.5,
                    },
                }
            ],
        },
        "mission": {
            "id": 1,
            "name": "Crew-14",
            "type": "Human Exploration",
            "description": "Four people <b>fly</b> to the station.\r\n\r\nThey stay.",
            "orbit": {"id": 8, "name": "Low Earth Orbit", "abbrev": "LEO"},
            "agencies": [{"id": 44, "name": "NASA"}],
        },
        "pad": {
            "id": 87,
            "name": "Launch Complex 39A",
            "latitude": 28.60822681,
            "longitude": -80.60428186,
            "location": {"id": 27, "name": "Kennedy Space Center, FL, USA"},
        },
        "webcast_live": False,
        "program": [{"id": 17, "name": "International Space Station"}],
        "updates": NOTES,
        "info_urls": [INFO_PAGE],
        "vid_urls": [FAN, OFFICIAL],
        "pad_turnaround": "P21DT48M",
        "mission_patches": [PATCH],
    } | changed


def in_normal_mode(launch: dict[str, Any]) -> dict[str, Any]:
    """The same launch as mode normal has it: without stages, links, updates and patches."""
    gone = ("updates", "info_urls", "vid_urls", "pad_turnaround", "mission_patches")
    kept = {name: value for name, value in launch.items() if name not in gone}
    rocket = {name: launch["rocket"][name] for name in ("id", "configuration")}
    return kept | {"response_mode": "normal", "rocket": rocket}


def in_2_2(launch: dict[str, Any]) -> dict[str, Any]:
    """The same launch as 2.2.0 has it: links and landing places have other names, and texts are where objects are."""
    renamed = {"vid_urls": "vidURLs", "info_urls": "infoURLs"}
    found = {renamed.get(name, name): value for name, value in launch.items() if name != "response_mode"}
    landing: dict[str, Any] = dict(LANDING)
    landing["location"] = landing.pop("landing_location")
    stage = BOOSTER | {"turn_around_time_days": 122, "launcher": {"serial_number": "B1085"}, "landing": landing}
    del stage["turn_around_time"]
    rocket = launch["rocket"] | {
        "launcher_stage": [stage],
        "spacecraft_stage": launch["rocket"]["spacecraft_stage"][0],
    }
    del rocket["payloads"]
    return found | {"rocket": rocket, "image": PICTURE["image_url"], "holdreason": "", "webcast_live": False}
