"""A server of recorded payloads as a process of its own: `python -m tests.bench.recorded FOLDER` prints its address.

All recordings of a source become one answer: the records of Launch Library 2 are spread over as many pages as a pull
reads. Answers are conditional, and compressed in advance.
"""

import asyncio
import gzip
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from launchd.launches.sources import gcat, launch_library
from tests.support.recorded_payloads import recordings

_WRAPPERS = ("results", "launches", "array")
_TABLES = {"lp": "tables/lp", "sites": "tables/sites", "orgs": "tables/orgs", "lv": "tables/lv"}
_TABLES["launchlog"] = "derived/launchlog"


def laid_out(root: Path) -> dict[str, bytes]:
    """The body of each address (path and offset) that the sources request."""
    said: dict[str, list[bytes]] = {}
    for recording in recordings(root):
        said.setdefault(recording.source, []).extend(recording.payloads)
    found = _library([one for body in said["launch_library"] for one in _records(json.loads(body))])
    found |= {f"/gcat/tsv/{_TABLES[_kind(path)]}.tsv": path.read_bytes() for path in sorted(root.glob("gcat/*.tsv"))}
    archived = {path.stem.rpartition("_")[2]: path for path in sorted(root.glob("spacex_api/v4/*.json"))}
    found |= {f"/spacex_api/v4/{name}": path.read_bytes() for name, path in archived.items()}
    old = [one for path in root.glob("spacex_api/v3/*.json") for one in json.loads(path.read_bytes())]
    launches = json.loads(archived["launches"].read_bytes())
    found["/spacex_api/v4/launches"] = json.dumps([*launches, *old]).encode()
    for source, path in (
        ("spacex", "/spacex/launches-page-tiles/upcoming"),
        ("rocketlaunch", "/rocketlaunch/json/launches/next/5"),
        ("wikipedia", "/wikipedia/api.php"),
    ):
        (found[path],) = said[source]
    return found


def _kind(path: Path) -> str:
    return path.stem.rpartition("_")[2]


def _records(document: Any) -> Iterable[Any]:  # noqa: ANN401 - JSON
    if isinstance(document, list):
        return document
    return next((document[one] for one in _WRAPPERS if one in document), [document])


def _library(records: Sequence[Any]) -> dict[str, bytes]:
    """Pages of equal length, each with a link to the next; the last one has the flown launches."""
    upcoming = launch_library.MAX_PAGES
    length = -(-len(records) // (upcoming + 1))
    pages = [records[first : first + length] for first in range(0, len(records), length)]
    found = {}
    for number, page in enumerate(pages[:upcoming]):
        offset = f"?{launch_library.PAGE * number}" if number else ""
        body = {"count": len(records), "next": "more" if number < upcoming - 1 else None, "results": page}
        found[f"/launch_library/launches/upcoming/{offset}"] = json.dumps(body).encode()
    body = {"count": len(records), "next": None, "results": pages[upcoming] if len(pages) > upcoming else []}
    return found | {"/launch_library/launches/previous/": json.dumps(body).encode()}


async def serve(root: Path) -> None:
    """Listen on loopback until this process ends."""
    answers = {
        where: (gzip.compress(body), f'"{hashlib.sha256(body).hexdigest()}"') for where, body in laid_out(root).items()
    }

    async def answer(request: web.Request) -> web.Response:
        offset = request.query.get("offset")
        body, etag = answers.get(request.path + (f"?{offset}" if offset else ""), (None, ""))
        if body is None:
            return web.Response(status=404)
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(body=body, headers={"ETag": etag, "Content-Encoding": "gzip"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


# what a source's base URL is beside the server's address
BASES = {
    "launch_library": "launch_library/",
    gcat.NAME: "gcat",
    "spacex_api": "spacex_api/",
    "spacex": "spacex/",
    "rocketlaunch": "rocketlaunch/",
    "wikipedia": "wikipedia/",
}

if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
