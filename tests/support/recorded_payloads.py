"""The recorded payloads as the sources' parsers get them; they are kept outside the project."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Recording(NamedTuple):
    """The payloads of one source at one time, under the label that the truth gives its records.

    `files` are their paths; the first file holds the launches.
    """

    label: str
    source: str
    files: Sequence[Path]
    payloads: Sequence[bytes]


def recordings(root: Path) -> Iterator[Recording]:
    """The recordings in a folder, oldest first."""
    captures = [path for path in (root / "ll2").glob("*/*.json") if path.parent.name != "flat_all_launches"]
    # of the single records of 2021 only the launches; the others are pads, agencies and events
    captures = [path for path in captures if "colbad2" not in path.parent.name or path.name.startswith("launch_")]
    for path in sorted(captures, key=_captured):
        yield from _recording("ll2", "launch_library", [path], Path.read_bytes)
    for path in (root / "ll2" / "flat_all_launches").glob("*.json"):
        yield from _recording("ll2flat", "launch_library", [path], _unflattened)
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
            yield from _recording(label, source, paths, Path.read_bytes)


def _recording(label: str, source: str, paths: Sequence[Path], read: Callable[[Path], bytes]) -> Iterator[Recording]:
    """The recording in these files; none, with a line on standard error, if one of them cannot be read."""
    try:
        payloads = [read(path) for path in paths]
    except (OSError, ValueError, LookupError, TypeError) as error:
        sys.stderr.write(f"{label}: {', '.join(map(str, paths))} cannot be read and is left out: {error!r}\n")
        return
    yield Recording(label, source, paths, payloads)


def _captured(path: Path) -> str:
    return "2021-01" if path.name.startswith("launch_") else path.name


def _unflattened(path: Path) -> bytes:
    """The list of flattened fields as launch_library sends it, `name@net` for an id; past launches have flown."""
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
