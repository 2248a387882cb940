"""The files of the dashboard as they are served: guarded, kept, compressed, complete."""

import base64
import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest

from launchd.admin.dashboard import Dashboard, load
from launchd.daemon import Daemon
from tests.support.browser import fetching, with_tcp
from tests.support.hosted_daemon import hosted

LONGEST_LINE = 120


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with hosted(with_tcp(tmp_path)) as running:
        yield running


async def test_the_page_is_open_guarded_and_revalidated(daemon: Daemon) -> None:
    async with fetching(daemon) as client, client.get("/") as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        assert {"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-cache"
        async with client.get("/", headers={"If-None-Match": response.headers["ETag"]}) as again:
            assert (again.status, await again.read()) == (304, b"")
        async with client.get("/v1/status") as refused:  # the page is open, what it asks for is not
            assert refused.status == 401


async def test_only_the_inlined_files_are_allowed_inline_and_only_unchanged(daemon: Daemon) -> None:
    async with fetching(daemon) as client, client.get("/", headers={"Accept-Encoding": "identity"}) as response:
        text, policy = await response.read(), response.headers["Content-Security-Policy"].split("; ")
    for tag, name in (("script", "first.js"), ("style", "style.css")):
        (inlaid,) = re.findall(rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), text, re.DOTALL)
        assert inlaid == resources.files("launchd.admin").joinpath("web", name).read_bytes()
        digest = base64.b64encode(hashlib.sha256(inlaid).digest()).decode()
        assert f"{tag}-src 'self' 'sha256-{digest}'" in policy


async def test_browsers_keep_the_files_of_the_page_for_ever_under_the_digest_of_all_files(daemon: Daemon) -> None:
    async with fetching(daemon) as client:
        async with client.get("/", headers={"Accept-Encoding": "identity"}) as response:
            text = await response.text()
        addresses = re.findall(r'(?:src|href)="(web/[^"]+)"', text)
        assert len(addresses) > 10
        for address in addresses:
            async with client.get(f"/{address}", headers={"Accept-Encoding": "identity"}) as response:
                assert response.status == 200, address
                assert "immutable" in response.headers["Cache-Control"]
            async with client.head(f"/{address}") as response:
                assert response.status == 200, address
        name = addresses[0].rpartition("/")[2]
        for path, status in ((f"/web/{name}", 200), (f"/web/{'0' * 16}/{name}", 404), ("/web/none.js", 404)):
            async with client.get(path) as response:
                assert response.status == status, path
                assert "immutable" not in response.headers.get("Cache-Control", "")


async def test_files_are_compressed_for_clients_that_accept_gzip(daemon: Daemon) -> None:
    async with fetching(daemon) as client:
        bodies = {}
        cases = {
            "gzip, br": True,
            "br;q=1, gzip;q=0.5": True,
            "identity": False,
            "gzip;q=0": False,
            "gzip; q=0.0": False,
        }
        for accepted, compressed in cases.items():
            async with client.get("/web/style.css", headers={"Accept-Encoding": accepted}) as response:
                assert (response.headers.get("Content-Encoding") == "gzip") is compressed, accepted
                assert response.headers["Vary"] == "Accept-Encoding"
                bodies[compressed] = (await response.read(), response.headers["ETag"])
        (packed, packed_tag), (plain, plain_tag) = bodies[True], bodies[False]
        assert gzip.decompress(packed) == plain
        assert packed_tag != plain_tag
        assert len(packed) < len(plain) / 2


def test_the_digest_changes_with_any_file() -> None:
    shipped = {"index.html": b'<script type="module" src="web/a.js"></script>', "a.js": b"1", "b.js": b"2"}
    first = Dashboard(shipped)
    assert Dashboard(dict(reversed(shipped.items()))).digest == first.digest
    assert f'src="web/{first.digest}/a.js"'.encode() in first.assets["index.html"].body
    others = [shipped | {"b.js": b"3"}, {"index.html": shipped["index.html"], "a.js": b"1", "c.js": b"2"}]
    assert len({first.digest, *(Dashboard(other).digest for other in others)}) == 3


def test_no_file_parses_markup_or_asks_elsewhere() -> None:
    """The policy forbids both. The page preloads every module, so that all of them load in one step."""
    files = load().assets
    page_text = files["index.html"].body.decode()
    for name, asset in files.items():
        text = asset.body.decode()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        assert not re.search(r"(src|href|from|url\()\s*=?\s*[\"']?(https?:)?//", text), name
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert re.search(rf'modulepreload" href="web/[0-9a-f]+/{re.escape(imported)}"', page_text), imported
    source = resources.files("launchd.admin").joinpath("web", "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=", source)
    assert len(files) == len(list(resources.files("launchd.admin").joinpath("web").iterdir()))


def test_no_line_of_the_dashboard_is_longer_than_120_columns() -> None:
    folders = [resources.files("launchd.admin").joinpath("web"), Path(__file__).with_name("web")]
    files = [file for folder in folders for file in folder.iterdir()]
    assert len(files) > len(load().assets)
    long = [
        f"{file.name}:{number}"
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    assert long == []
