"""Fetching payloads politely: conditional requests, a rate per source, limits on size and time while streaming.

The only place of launch data that speaks HTTP.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp
from yarl import URL

import launchd
from launchd.clock import Clock
from launchd.config import secret_path
from launchd.errors import ConfigError, SourceError
from launchd.launches.sources.source import Payload, Source
from launchd.launches.store import Page

# The largest payload kept, after decompression: GCAT's launch.tsv is about 20 MB.
MAX_BYTES = 100 * 1024 * 1024
MAX_REDIRECTS = 5
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class RateLimitedError(SourceError):
    """A source allows no more requests at the moment."""

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class RateLimiter:
    """At most `count` requests in any period ("15/h"); all of them at once are allowed."""

    def __init__(self, rate: str, clock: Clock) -> None:
        count, _, unit = rate.partition("/")
        self.rate = rate
        self._count = int(count)
        self._period = _UNITS[unit]
        self._clock = clock
        self._sent: list[float] = []

    def take(self) -> float:
        """Take a request if one is free: 0, else the seconds until one is."""
        now = self._clock.monotonic()
        self._sent = [at for at in self._sent if at > now - self._period]
        if len(self._sent) >= self._count:
            return self._sent[0] + self._period - now
        self._sent.append(now)
        return 0.0


class FetchOptions(NamedTuple):
    """How a source is asked: where, how long, and with which secret (in the source's token header)."""

    base_url: str
    timeout_seconds: float
    token: str | None = None


class HttpClient:
    """Reads one source once; `pages` says what was answered, `conditional` whether to ask only for what changed."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        source: Source,
        options: FetchOptions,
        limiter: RateLimiter,
        known: Mapping[str, Page],
    ) -> None:
        self.pages: list[Page] = []
        self.requests = 0
        self.bytes = 0
        self._session = session
        self._source = source
        self._options = options
        self._limiter = limiter
        self._known = known

    def unchanged(self) -> bool:
        """Whether every page is what it was last time, and none is missing."""
        return bool(self.pages) and {page.url: page.sha256 for page in self.pages} == {
            url: page.sha256 for url, page in self._known.items()
        }

    def known(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        """Whether this address was part of the last successful pull."""
        return self._url(path, params) in self._known

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, optional: bool = False
    ) -> Payload | None:
        """The payload at `path` under the base URL; see `sources.source.Client`."""
        url = self._url(path, params)
        wait = self._limiter.take()
        if wait > 0:
            detail = f"{self._source.name}: its rate of {self._limiter.rate} is used up; free again in {wait:.0f} s"
            raise RateLimitedError(detail, wait)
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                return await self._get(url, optional=optional)
        except TimeoutError:
            raise SourceError(f"{url}: no complete answer in {self._options.timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SourceError(f"{url}: {str(error) or type(error).__name__}") from error

    def _url(self, path: str, params: Mapping[str, str] | None) -> str:
        return str(URL(self._options.base_url.rstrip("/") + "/").join(URL(path)).with_query(params))

    def _headers(self, url: str) -> dict[str, str]:
        headers = {}
        if self._options.token is not None and self._source.token_header is not None:
            headers[self._source.token_header] = f"Token {self._options.token}"
        known = self._known.get(url)
        if known is not None and known.etag is not None:
            headers["If-None-Match"] = known.etag
        if known is not None and known.last_modified is not None:
            headers["If-Modified-Since"] = known.last_modified
        return headers

    async def _get(self, url: str, *, optional: bool) -> Payload | None:
        target, host = URL(url), URL(self._options.base_url).host
        headers = self._headers(url)
        for _ in range(MAX_REDIRECTS):
            self.requests += 1
            async with self._session.get(target, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._answer(url, response, optional=optional)
                target = target.join(URL(response.headers.get("Location", "")))
            if target.host != host or target.scheme not in {"http", "https"}:
                raise SourceError(f"{url} redirects to another host ({target.host}): set base_url if that is meant")
        raise SourceError(f"{url}: more than {MAX_REDIRECTS} redirects")

    async def _answer(self, url: str, response: aiohttp.ClientResponse, *, optional: bool) -> Payload | None:
        known = self._known.get(url)
        if response.status == 304 and known is not None:  # noqa: PLR2004 - Not Modified
            self.pages.append(known)
            return Payload(url, None)
        if response.status in {429, 503}:
            seconds = _retry_after(response.headers.get("Retry-After"))
            raise RateLimitedError(f"{url}: HTTP {response.status}; asked to wait {seconds:.0f} s", seconds)
        if response.status == 404 and optional:  # noqa: PLR2004 - Not Found
            return None
        if response.status != 200:  # noqa: PLR2004 - OK
            raise SourceError(f"{url}: HTTP {response.status} {response.reason}")
        body = bytearray()
        async for chunk in response.content.iter_chunked(256 * 1024):
            body += chunk
            if len(body) > MAX_BYTES:
                raise SourceError(f"{url}: larger than {MAX_BYTES} bytes")
        self.bytes += len(body)
        digest = hashlib.sha256(body).hexdigest()
        headers = response.headers
        self.pages.append(Page(url, headers.get("ETag"), headers.get("Last-Modified"), digest))
        return Payload(url, bytes(body))


def _retry_after(value: str | None) -> float:
    """Seconds of a Retry-After header; a minute when it is missing or a date."""
    return float(value) if value and re.fullmatch(r"\d{1,6}", value) else 60.0


def read_token(path: str | None) -> str | None:
    """The secret in a file or a systemd credential, None without one; raises SourceError."""
    if path is None:
        return None
    try:
        return secret_path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise SourceError(f"token_file {path} cannot be read: {error}") from error


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that says who asks, and takes nothing from the environment."""
    agent = f"launchd/{launchd.__version__} (launch tracker; one request at a time)"
    async with aiohttp.ClientSession(headers={"User-Agent": agent}, trust_env=False) as session:
        yield session
