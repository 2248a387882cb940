"""Gives a test the recorded payloads, in the form that the sources' parsers get; they lie beside the project."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Recording(NamedTuple):
    """The payloads of one source at one time, under the label that the ground truth gives its records.

    `files` are their paths; the first holds the launches.
    """

    label: str
    source: str
    files: Sequence[Path]
    payloads: Sequence[bytes]


def recordings(root: Path) -> Iterator[Recording]:
    """The recordings in the folder, oldest first."""
    captures = [path for path in (root / "ll2").glob("*/*.json") if path.parent.name != "flat_all_launches"]
    # of the single records of 2021 only the launches; the others are pads, agencies and events
    captures = [path for path in captures if "colbad2" not in path.parent.name or path.name.startswith("launch_")]
    for path in sorted(captures, key=_captured):
        yield Recording("ll2", "launch_library", [path], [path.read_bytes()])
    for path in (root / "ll2" / "flat_all_launches").glob("*.json"):
        yield Recording("ll2flat", "launch_library", [path], [_unflattened(path)])
    for label, source, pattern in (
        ("gcat", "gcat", "gcat/*launchlog.tsv"),
        ("spacex_v4", "spacex_api", "spacex_api/v4/*.json"),
        ("spacex_v3", "spacex_api", "spacex_api/v3/*.json"),
        ("wikipedia_f9", "wikipedia", "wikipedia/*.html"),
        ("rocketlaunch_live", "rocketlaunch", "rocketlaunch_live/*.json"),
        ("spacex", "spacex", "spacex_content/*.json"),
    ):
        paths = sorted(root.glob(pattern))
        if paths:
            yield Recording(label, source, paths, [path.read_bytes() for path in paths])


def _captured(path: Path) -> str:
    return "2021-01" if path.name.startswith("launch_") else path.name


def _unflattened(path: Path) -> bytes:
    """Flattened records in the form of launch_library, with the id `name@net`; past launches count as flown."""
    taken = path.name[:10]
    records = [
        {
            "id": f"{one['name']}@{one['net']}",
            "name": one["name"],
            "net": one["net"],
            "window_start": None,
            "window_end": None,
            "status": {"id": 3, "name": "Success"} if one["net"] < taken else {"id": 2, "name": "TBD"},
            "launch_service_provider": {"name": one["launch_service_provider__name"]},
            "rocket": {"configuration": {"full_name": one["rocket__configuration__full_name"]}},
            "pad": None,
            "mission": None,
        }
        for one in json.loads(path.read_bytes())
    ]
    return json.dumps(records).encode()
