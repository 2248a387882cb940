"""Measures the details of recorded launches of Launch Library: how often each field was sent, and how often kept.

The payloads are counted here by plain rules of their own, never by the product's parser. "Unknown", "N/A" and
placeholders are not there.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from launchd.launches.details import Details
from launchd.launches.sources import launch_library

# The least share of each field that is kept.
WANTED = 0.99
_FOLDERS = (
    "2026/ll2_2.3.0_detailed_excerpt",
    "2026/ll2_2.3.0_normal",
    "2026/ll2_2.2.0_detailed",
    "2026/ll2_2.2.0_normal",
    "ll2/2.2.0_upcoming_detailed_limit100_zenith",
)
_WRAPPERS = ("results", "launches")
# What every launch has and the excerpt of one launch has not.
_COMMON: dict[str, Any] = {
    "id": "excerpt",
    "name": "Falcon Heavy | Excerpt",
    "net": "2026-09-28T00:00:00Z",
    "status": {"id": 1, "name": "Go"},
    "window_start": None,
    "window_end": None,
    "launch_service_provider": None,
    "pad": None,
    "launch_designator": None,
}
_UNKNOWN = re.compile(r"unknown.*|n/a|none|", re.IGNORECASE | re.DOTALL)


def launches(path: Path) -> list[dict[str, Any]]:
    """The launches of a file; an excerpt is completed."""
    document = json.loads(path.read_bytes())
    found = document if isinstance(document, list) else None
    found = found or next((document[one] for one in _WRAPPERS if one in document), [document])
    for one in found:
        if "_excerpt" in one:
            one["rocket"].setdefault("configuration", None)
    return [_COMMON | one if "_excerpt" in one else one for one in found]


def sent(one: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The fields that a launch of the payload has, each with the number of its values."""
    mission, rocket = one.get("mission") or {}, one.get("rocket") or {}
    videos = one.get("vid_urls", one.get("vidURLs")) or []
    crafts = rocket.get("spacecraft_stage") or []
    crafts = [crafts] if isinstance(crafts, dict) else crafts
    stages = rocket.get("launcher_stage") or []
    landings = [stage["landing"] for stage in stages if stage.get("landing")]
    places = [(each.get("landing_location") or each.get("location") or {}).get("name") for each in landings]
    yield "mission_type", _there(mission.get("type"))
    yield "mission_description", int(bool((mission.get("description") or "").strip()))
    yield "customers", len({each["name"] for each in mission.get("agencies") or []})
    yield "payloads", len(crafts) + len(rocket.get("payloads") or [])
    yield "crew", sum(len(each.get("launch_crew") or []) for each in crafts)
    yield "crewed", int("launcher_stage" in rocket)
    yield "boosters", len(stages)
    yield "booster.serial", sum(map(_there, (_serial(each["launcher"]) for each in stages)))
    yield "booster.flight", sum(each.get("launcher_flight_number") is not None for each in stages)
    yield "booster.reused", sum(each.get("reused") is not None for each in stages)
    keys = ("turn_around_time", "turn_around_time_days")
    yield "booster.turnaround", sum(any(each.get(name) is not None for name in keys) for each in stages)
    yield "landing", len(landings)
    yield "landing.attempt", sum(each.get("attempt") is not None for each in landings)
    yield "landing.success", sum(each.get("success") is not None for each in landings)
    yield "landing.place", sum(map(_there, places))
    yield "landing.type", sum(_there((each.get("type") or {}).get("abbrev")) for each in landings)
    yield "webcasts", len({each["url"] for each in videos})
    yield "webcast.start", sum(bool(each.get("start_time")) for each in videos)
    yield "webcast.kind", sum(each.get("type") is not None for each in videos)
    yield "webcast.live", sum(each.get("live") is not None for each in videos)
    yield "webcast_live", int(one.get("webcast_live") is not None)
    yield "probability", int((one.get("probability") or 0) >= 0 and one.get("probability") is not None)
    for name, key in (("weather_concerns",) * 2, ("hold_reason", "holdreason"), ("fail_reason", "failreason")):
        yield name, int(bool((one.get(key) or "").strip()))
    yield "updates", len(one.get("updates") or [])
    yield "update.at", sum(bool(each.get("created_on")) for each in one.get("updates") or [])
    yield "programmes", len({each["name"] for each in one.get("program") or []})
    yield "pictures", sum(bool(one.get(name)) for name in ("image", "infographic"))
    yield "picture.credit", int(isinstance(one.get("image"), dict) and bool(one["image"].get("credit")))
    yield "patches", len(one.get("mission_patches") or [])
    yield "pad_turnaround", int(bool(one.get("pad_turnaround")))


def kept(found: Details) -> Iterator[tuple[str, int]]:
    """The same fields of the parsed details."""
    for name in ("mission_type", "mission_description", "crewed", "webcast_live", "probability", "weather_concerns"):
        yield name, int(getattr(found, name) is not None)
    for name in ("hold_reason", "fail_reason", "pad_turnaround"):
        yield name, int(getattr(found, name) is not None)
    for name in (
        "customers",
        "payloads",
        "crew",
        "boosters",
        "webcasts",
        "updates",
        "programmes",
        "pictures",
        "patches",
    ):
        yield name, len(getattr(found, name))
    for name in ("serial", "flight", "reused", "turnaround"):
        yield f"booster.{name}", _count(found.boosters, name)
    landings = [one.landing for one in found.boosters if one.landing is not None]
    yield "landing", len(landings)
    for name in ("attempt", "success", "place", "type"):
        yield f"landing.{name}", _count(landings, name)
    for name in ("start", "kind", "live"):
        yield f"webcast.{name}", _count(found.webcasts, name)
    yield "update.at", _count(found.updates, "at")
    yield "picture.credit", _count(found.pictures, "credit")


def table(root: Path) -> tuple[Counter[str], Counter[str]]:
    """The counts of all recorded launches: what was sent, and what was kept of it."""
    there: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for path in sorted(path for folder in _FOLDERS for path in (root / folder).glob("*.json")):
        for one in launches(path):
            there.update(dict(sent(one)))
            for sighting in launch_library.parse([json.dumps(one).encode()]).sightings:
                ours.update(dict(kept(sighting.details or Details())))
    return there, ours


def report(root: Path) -> bool:
    """Print the table; False if too little of a field is kept, or more than was sent."""
    there, ours = table(root)
    _say(f"{'detail':22} {'sent':>7} {'kept':>7} {'share':>8}")
    for name in there:
        share = f"{ours[name] / there[name]:8.2%}" if there[name] else "        "
        _say(f"{name:22} {there[name]:7} {ours[name]:7} {share}")
    _say("")
    return all(WANTED * count <= ours[name] <= count for name, count in there.items())


def _serial(launcher: Mapping[str, Any]) -> str | None:
    return None if launcher.get("is_placeholder") else launcher["serial_number"]


def _there(value: object) -> int:
    text = value.get("name") if isinstance(value, dict) else value
    return int(isinstance(text, str) and not _UNKNOWN.fullmatch(text.strip()))


def _count(nouns: Iterable[object], name: str) -> int:
    return sum(getattr(one, name) is not None for one in nouns)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
