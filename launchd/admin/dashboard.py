"""Serves the dashboard: the files of web/, read once, hashed and compressed once, under a strict policy.

The page itself is revalidated each time. The stylesheet and the first script, which the first paint needs, are inlined,
and the policy names the hash of each: one response is enough for a first paint, and the modules are fetched after it.
They lie under `/web/<digest>/`, where the digest is that of all files together, and browsers cache them for ever: a
page never loads a script of another release. The page holds no data and no secret, so every client that can connect may
have it; its requests for data are checked by the API.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import PurePath
from typing import NamedTuple

from aiohttp import web

from launchd.admin.http.compression import takes_gzip

PAGE = "index.html"
# The paths that need no sign-in.
PATHS = ("/", "/web/{name}", "/web/{digest}/{name}")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# The references that are replaced by the content of a file, by the tag that then encloses it.
_INLAID = {
    "script": re.compile(rb'<script src="web/[^"]*?([^"/]+)"></script>'),
    "style": re.compile(rb'<link rel="stylesheet" href="web/[^"]*?([^"/]+)">'),
}
# Nothing from other origins, nothing inline without its hash, no text parsed as markup by a script (Trusted Types), no
# frames.
_DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'{script}",
    "style-src": "'self'{style}",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
_GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_FOR_EVER = "public, max-age=31536000, immutable"
# A compressed file must be smaller than this part of the original.
_WORTH = 0.9


class Asset(NamedTuple):
    """A file as it is sent. `compressed` is its gzip form if that is smaller; `etag` is the hash of its content."""

    body: bytes
    compressed: bytes | None
    content_type: str
    etag: str


class Dashboard:
    """The files of the dashboard; `digest` names this set of files, `guards` are the security headers of each."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        together = hashlib.sha256()
        for name in sorted(files):
            together.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
        self.digest = together.hexdigest()[:16]
        page, hashes = _inlaid(files[PAGE].replace(b'="web/', f'="web/{self.digest}/'.encode()), files)
        self.guards = _GUARDS | {"Content-Security-Policy": _policy(hashes)}
        self.assets = {name: _asset(name, body) for name, body in {**files, PAGE: page}.items()}

    async def page(self, request: web.Request) -> web.Response:
        """`GET /`."""
        return self._answer(request, self.assets[PAGE], "no-cache")

    async def file(self, request: web.Request) -> web.Response:
        """`GET /web/{name}`, and `GET /web/{digest}/{name}`, which is cached for ever; 404 for another digest."""
        digest, asset = request.match_info.get("digest"), self.assets.get(request.match_info["name"])
        if asset is None or digest not in {None, self.digest}:
            raise web.HTTPNotFound
        return self._answer(request, asset, "no-cache" if digest is None else _FOR_EVER)

    def _answer(self, request: web.Request, asset: Asset, caching: str) -> web.Response:
        """The asset, compressed if the client accepts that, or 304 if the client has it (RFC 9110 §13.1.2)."""
        compressed = asset.compressed if takes_gzip(request.headers) else None
        # a strong validator belongs to one representation (RFC 9110 §8.8.3.3)
        etag = asset.etag if compressed is None else f"{asset.etag}-gzip"
        headers = self.guards | {"ETag": f'"{etag}"', "Cache-Control": caching, "Vary": "Accept-Encoding"}
        known = {asset.etag, f"{asset.etag}-gzip", "*"}
        if any(one.value in known for one in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if compressed is not None:
            headers["Content-Encoding"] = "gzip"
        return web.Response(
            body=asset.body if compressed is None else compressed,
            content_type=asset.content_type,
            charset="utf-8",
            headers=headers,
        )


def load() -> Dashboard:
    """The dashboard of this release."""
    folder = resources.files(__package__).joinpath("web")
    return Dashboard({one.name: one.read_bytes() for one in folder.iterdir() if PurePath(one.name).suffix in _TYPES})


def add_routes(app: web.Application, dashboard: Dashboard) -> None:
    """Serve the dashboard at `/` and `/web/`."""
    for path, handler in zip(PATHS, (dashboard.page, dashboard.file, dashboard.file), strict=True):
        app.router.add_get(path, handler)


def _inlaid(page: bytes, files: Mapping[str, bytes]) -> tuple[bytes, dict[str, list[str]]]:
    """The page with its stylesheets and first scripts inlined, and the hash of each by its tag (CSP3 §2.3.1)."""
    hashes: dict[str, list[str]] = {}
    for tag, reference in _INLAID.items():
        hashes[tag] = []
        while found := reference.search(page):
            body = files[found[1].decode()]
            hashes[tag].append(base64.b64encode(hashlib.sha256(body).digest()).decode())
            page = page[: found.start()] + f"<{tag}>".encode() + body + f"</{tag}>".encode() + page[found.end() :]
    return page, hashes


def _policy(hashes: Mapping[str, list[str]]) -> str:
    allowed = {tag: "".join(f" 'sha256-{one}'" for one in found) for tag, found in hashes.items()}
    return "; ".join(f"{name} {value}".format(**allowed) for name, value in _DIRECTIVES.items())


def _asset(name: str, body: bytes) -> Asset:
    compressed = gzip.compress(body, 9, mtime=0)
    kept = compressed if len(compressed) < len(body) * _WORTH else None
    return Asset(body, kept, _TYPES[PurePath(name).suffix], hashlib.sha256(body).hexdigest()[:32])
