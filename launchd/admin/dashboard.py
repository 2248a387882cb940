"""Serves the dashboard: the files of web/, read once, hashed and compressed once, under a strict policy.

The page itself is revalidated each time; all that it refers to lies under `/web/<digest>/`, where the digest is that of
all files together, and is kept by browsers for ever: no page ever meets a script of another release. The page holds
no data and no secret, so it is served to whoever can connect; what it then asks for is guarded by the API.
"""

import gzip
import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import PurePath
from typing import NamedTuple

from aiohttp import hdrs, web

PAGE = "index.html"
# What is open to whoever can connect.
PATHS = ("/", "/web/{name}", "/web/{digest}/{name}")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# Nothing from elsewhere, nothing inline, no text ever parsed as markup by a script (Trusted Types), in no frame.
_DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
POLICY = "; ".join(f"{name} {value}" for name, value in _DIRECTIVES.items())
_GUARDS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_FOR_EVER = "public, max-age=31536000, immutable"
# What compression saves must be worth a header and the client's time.
_WORTH = 0.9


class Asset(NamedTuple):
    """A file as it is sent. `compressed` is its gzip form where that pays; `etag` is the hash of its content."""

    body: bytes
    compressed: bytes | None
    content_type: str
    etag: str


class Dashboard:
    """The files of the dashboard; `digest` names this very set of them."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        together = hashlib.sha256()
        for name in sorted(files):
            together.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
        self.digest = together.hexdigest()[:16]
        self.assets = {name: _asset(name, self._addressed(name, body)) for name, body in files.items()}

    def _addressed(self, name: str, body: bytes) -> bytes:
        return body.replace(b'="web/', f'="web/{self.digest}/'.encode()) if name == PAGE else body

    async def page(self, request: web.Request) -> web.Response:
        """`GET /`."""
        return _answer(request, self.assets[PAGE], "no-cache")

    async def file(self, request: web.Request) -> web.Response:
        """`GET /web/{name}`, and `GET /web/{digest}/{name}`, which is kept for ever; 404 for any other digest."""
        digest, asset = request.match_info.get("digest"), self.assets.get(request.match_info["name"])
        if asset is None or digest not in {None, self.digest}:
            raise web.HTTPNotFound
        return _answer(request, asset, "no-cache" if digest is None else _FOR_EVER)


def load() -> Dashboard:
    """The dashboard as it was shipped."""
    folder = resources.files(__package__).joinpath("web")
    return Dashboard({one.name: one.read_bytes() for one in folder.iterdir() if PurePath(one.name).suffix in _TYPES})


def add_routes(app: web.Application, dashboard: Dashboard) -> None:
    """Serve it at `/` and `/web/`."""
    for path, handler in zip(PATHS, (dashboard.page, dashboard.file, dashboard.file), strict=True):
        app.router.add_get(path, handler)


def _asset(name: str, body: bytes) -> Asset:
    compressed = gzip.compress(body, 9, mtime=0)
    kept = compressed if len(compressed) < len(body) * _WORTH else None
    return Asset(body, kept, _TYPES[PurePath(name).suffix], hashlib.sha256(body).hexdigest()[:32])


def _answer(request: web.Request, asset: Asset, caching: str) -> web.Response:
    """The asset in the form that the client takes, or 304 to who has it (RFC 9110 §13.1.2)."""
    compressed = asset.compressed if _takes_gzip(request) else None
    # a strong validator belongs to one representation only (RFC 9110 §8.8.3.3)
    etag = asset.etag if compressed is None else f"{asset.etag}-gzip"
    headers = _GUARDS | {"ETag": f'"{etag}"', "Cache-Control": caching, "Vary": "Accept-Encoding"}
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


def _takes_gzip(request: web.Request) -> bool:
    """Whether Accept-Encoding names gzip and does not refuse it with `q=0` (RFC 9110 §12.5.3)."""
    for part in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.strip().replace(" ", "").rstrip("0").rstrip(".") not in {"q=", "q=0"}
    return False
