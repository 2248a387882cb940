"""Fetching payloads politely: conditional requests, a rate per source, limits on size and time while streaming.

Only this module of launch data speaks HTTP. A redirect may stay on the source's own site or go to a host that the
source lists, never from https to http. An address that is not public is refused after its name was resolved and before
the connection, so that a second answer of the name server cannot replace it. The host of a `base_url` that an operator
has set may have any address, and with `allow_private` so may all hosts.
"""

import asyncio
import errno
import hashlib
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

import launchd
from launchd.clock import Clock, Instant
from launchd.config import read_secret
from launchd.errors import ConfigError, SourceError
from launchd.launches.fetch import hosts
from launchd.launches.fetch.body import BoundedBody
from launchd.launches.fetch.politeness import RequestLimiter, retry_after
from launchd.launches.source_store import FetchedPage, Traffic
from launchd.launches.sources.source import Payload, RateLimitedError, Source

# The largest payload after decompression; GCAT's launch.tsv has about 20 MB.
MAX_BYTES = 100 * 1024 * 1024
MAX_REDIRECTS = 5
_CHUNK = 256 * 1024
_LONGEST_VALIDATOR = 1000
_ESCAPED = re.compile(r"[\udc80-\udcff]")
_VALIDATOR = re.compile(r"[\x20-\x7e]+")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchOptions(NamedTuple):
    """The options of a pull: address, time limit, and the secret that goes into the source's token header.

    `trusted_host` may have any address, other hosts only public ones unless `allow_private`.
    """

    base_url: str
    timeout_seconds: float
    token: str | None = None
    trusted_host: str | None = None
    allow_private: bool = False
    max_bytes: int = MAX_BYTES

    def may_reach(self, host: str, address: str) -> bool:
        """True if a connection to this address of a host is allowed."""
        if self.allow_private or (self.trusted_host is not None and host.lower() == self.trusted_host.lower()):
            return True
        found = hosts.literal(address)
        return found is not None and hosts.is_public(found)


class Identity(NamedTuple):
    """The operator of this daemon, for those of the sources: `contact` (a URL or an address), `from_email` (From)."""

    contact: str | None = None
    from_email: str | None = None

    def headers(self) -> dict[str, str]:
        """User-Agent (RFC 9110 §10.1.5) with the contact in its comment, and From (§10.1.2) where it is set."""
        contact = self.contact or self.from_email
        comment = "launch tracker; one request at a time" + (f"; +{contact}" if contact else "")
        headers = {"User-Agent": f"launchd/{launchd.__version__} ({comment})", "Accept-Encoding": "gzip"}
        return headers | ({"From": self.from_email} if self.from_email else {})


class GuardedResolver(AbstractResolver):
    """Resolves names to allowed addresses; aiohttp connects to these and to no others."""

    def __init__(self, options: FetchOptions, inner: AbstractResolver) -> None:
        self._options = options
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses; raises OSError when there is none."""
        answers = await self._inner.resolve(host, port, family)
        allowed = [one for one in answers if self._options.may_reach(host, one["host"])]
        if answers and not allowed:
            raise OSError(errno.EACCES, _private(host, answers[0]["host"]))
        return allowed

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


class HttpClient:
    """Reads one source once. `pages` collects its answers; `known` are those that make requests conditional."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        source: Source,
        options: FetchOptions,
        *,
        limiter: RequestLimiter,
        known: Mapping[str, FetchedPage],
        clock: Clock,
    ) -> None:
        self.pages: list[FetchedPage] = []
        self.traffic = Traffic()
        self._session = session
        self._source = source
        self._options = options
        self._limiter = limiter
        self._known = known
        self._clock = clock

    def unchanged(self) -> bool:
        """True if all pages are those of the last pull, and none is missing."""
        return bool(self.pages) and {page.url: page.sha256 for page in self.pages} == {
            url: page.sha256 for url, page in self._known.items()
        }

    def known(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        """True if this address was part of the last successful pull."""
        return self._url(path, params) in self._known

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, optional: bool = False
    ) -> Payload | None:
        """The payload at `path` under the base URL; see `sources.source.Client`."""
        url = self._url(path, params)
        wait = self._limiter.take()
        if wait > 0:
            detail = f"{self._source.name}: its rate of {self._limiter.rate} is used up; free again in {wait:.0f} s"
            raise RateLimitedError(detail, wait, by_source=False)
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                return await self._get(url, optional=optional)
        except TimeoutError:
            raise SourceError(f"{url}: no complete answer in {self._options.timeout_seconds:g} s") from None
        except SourceError:
            raise
        except Exception as error:
            # the library raises many types for odd answers: each means that this source could not be read
            raise SourceError(f"{url}: {head_text(str(error)) or type(error).__name__}") from error
        finally:
            self.traffic += Traffic(seconds=self._clock.monotonic() - started)

    def leave(self, path: str, params: Mapping[str, str] | None = None) -> Payload:
        """The payload of a known address as if it had not changed; see `sources.source.Client`."""
        url = self._url(path, params)
        self.pages.append(self._known[url])
        return Payload(url, None)

    async def ask(self, path: str) -> bytes | None:
        """An answer that is free of charge: it counts neither for the rate nor as a page or a request of the pull."""
        pages, requests = list(self.pages), self.traffic.requests
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                payload = await self._get(self._url(path, None), optional=True)
        except Exception:  # noqa: BLE001 - see `get`; whatever is wrong with it, there is no answer
            return None
        finally:
            self.pages, self.traffic = pages, self.traffic._replace(requests=requests)
        return None if payload is None else payload.body

    def left(self) -> int:
        """The requests that are left by the source's rate."""
        return self._limiter.left()

    def now(self) -> Instant:
        """The present."""
        return self._clock.now()

    def _url(self, path: str, params: Mapping[str, str] | None) -> str:
        return str(URL(self._options.base_url.rstrip("/") + "/").join(URL(path)).with_query(params))

    async def _get(self, url: str, *, optional: bool) -> Payload | None:
        base, target = URL(self._options.base_url), URL(url)
        for _ in range(MAX_REDIRECTS + 1):
            self._check(base, target, url)
            self.traffic += Traffic(requests=1)
            headers = self._headers(url, own=target.origin() == base.origin())
            async with self._session.get(target, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._answer(url, response, optional=optional)
                target = target.join(URL(response.headers.get("Location", "")))
        raise SourceError(f"{url}: more than {MAX_REDIRECTS} redirects")

    def _check(self, base: URL, target: URL, url: str) -> None:
        """Refuse a target on another site, on http where the base has https, or at an address that is not allowed."""
        if target.scheme not in {"http", "https"} or (base.scheme, target.scheme) == ("https", "http"):
            raise SourceError(f"{url} redirects from {base.scheme} to {target.scheme}: refused")
        host = target.host or ""
        if not hosts.may_redirect(base.host or "", host, self._source.hosts):
            raise SourceError(f"{url} redirects to another host ({host}): set base_url to allow it")
        # aiohttp resolves names only, and takes all digits ("127.1") for an address
        numeric = ":" in host or host.replace(".", "").isdigit()
        if numeric and not self._options.may_reach(host, host):
            raise SourceError(f"{url}: {_private(host, host)}")

    def _headers(self, url: str, *, own: bool) -> dict[str, str]:
        """The validators of the page, and the token, which goes to the origin of the base URL alone."""
        headers = {}
        if own and self._options.token is not None and self._source.token_header is not None:
            headers[self._source.token_header] = f"Token {self._options.token}"
        known = self._known.get(url)
        if known is not None and known.etag is not None:
            headers["If-None-Match"] = known.etag
        if known is not None and known.last_modified is not None:
            headers["If-Modified-Since"] = known.last_modified
        return headers

    async def _answer(self, url: str, response: aiohttp.ClientResponse, *, optional: bool) -> Payload | None:
        known = self._known.get(url)
        if response.status == 304 and known is not None:  # noqa: PLR2004 - Not Modified
            self.pages.append(known)
            return Payload(url, None)
        if response.status in {429, 503}:
            seconds = retry_after(response.headers.get("Retry-After"), self._clock.now())
            detail = f"{url}: HTTP {response.status}; asked to wait {seconds:.0f} s"
            raise RateLimitedError(detail, seconds, by_source=True)
        if response.status == 404 and optional:  # noqa: PLR2004 - Not Found
            return None
        if response.status != 200:  # noqa: PLR2004 - OK
            raise SourceError(f"{url}: HTTP {response.status} {head_text(response.reason or '')}")
        body = await self._body(url, response)
        headers = response.headers
        digest = hashlib.sha256(body).hexdigest()
        self.pages.append(
            FetchedPage(url, _validator(headers.get("ETag")), _validator(headers.get("Last-Modified")), digest)
        )
        return Payload(url, body)

    async def _body(self, url: str, response: aiohttp.ClientResponse) -> bytes:
        """The unpacked body; the traffic counts its bytes as they arrived."""
        try:
            body = BoundedBody(response.headers.get("Content-Encoding"), self._options.max_bytes)
            async for chunk in response.content.iter_chunked(_CHUNK):
                self.traffic += Traffic(bytes=len(chunk))
                body.add(chunk)
            return body.end()
        except SourceError as error:
            raise SourceError(f"{url}: {error.detail}") from error


def head_text(text: str) -> str:
    """Text of an answer's head: UTF-8, else Latin-1 (RFC 9110 §5.5), which decodes any byte."""
    try:  # aiohttp decodes UTF-8, and keeps each other byte as half of a surrogate pair
        data = text.encode("utf-8", "surrogateescape")
        return data.decode("latin-1" if _ESCAPED.search(text) else "utf-8")
    except UnicodeError:
        return text.encode("utf-8", "replace").decode()


def _validator(value: str | None) -> str | None:
    """A validator that can be stored and sent back unchanged; any other would never match, so it counts as none."""
    return value if value is not None and len(value) <= _LONGEST_VALIDATOR and _VALIDATOR.fullmatch(value) else None


def _private(host: str, address: str) -> str:
    where = f"{host} is {address}, which" if host != address else host
    return f"{where} is not a public address: set base_url or allow_private to allow it"


def read_token(path: str | None) -> str | None:
    """The secret in a file or a systemd credential, None without one; raises SourceError."""
    if path is None:
        return None
    try:
        return read_secret(path)
    except ConfigError as error:
        raise SourceError(f"token_file {error.detail}") from error


@asynccontextmanager
async def open_session(
    options: FetchOptions, identity: Identity, *, resolver: AbstractResolver | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for one source: it sends `identity`, ignores the environment and keeps to `options`.

    Bodies stay packed: `BoundedBody` unpacks them. `resolver` replaces the system's, behind the same guard.
    """
    guard = GuardedResolver(options, resolver or aiohttp.ThreadedResolver())
    connector = aiohttp.TCPConnector(resolver=guard, limit_per_host=1)
    timeout = aiohttp.ClientTimeout(total=None)  # each request has its own, `timeout_seconds`
    session = aiohttp.ClientSession(
        connector=connector, headers=identity.headers(), timeout=timeout, trust_env=False, auto_decompress=False
    )
    try:
        async with session:
            yield session
    finally:
        await guard.close()
