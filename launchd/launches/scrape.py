"""One pull of one source: circuit, fetch, keep, parse. The answer is a value, `Pulled` or `NotPulled`.

Pure functions decide: `left_alone` by the circuit, `trouble_of` by an error of the fetch, `reading_of` by the parser's
result. `Scrape.run` acts on them in order. It records a failed pull at once; the tracker records a successful one after
its sightings are stored, because from then on requests are conditional on it.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from launchd.clock import SECOND, Clock, Instant, format_instant
from launchd.errors import SourceError
from launchd.launches.circuit import Circuit, CircuitState
from launchd.launches.fetch.client import HttpClient, open_session
from launchd.launches.launch import Parsed
from launchd.launches.offload import offload
from launchd.launches.settings import SourceSettings
from launchd.launches.source_store import FetchAttempt, FetchedPage, SourceStore, StoredPayload, Traffic
from launchd.launches.sources.source import Payload, RateLimitedError, Source
from launchd.logger import get_logger

_log = get_logger("launchd.scrape")
_SHOWN_REJECTIONS = 10


class PullOutcome(StrEnum):
    """The outcome of a pull, as the metric of fetches counts it."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    RATE_LIMITED = "rate_limited"  # by our own limiter
    LEFT_ALONE = "left_alone"  # the circuit is open
    LEFT_OUT = "left_out"  # the schedule is too dense for the source's rate


class Pulled(NamedTuple):
    """A source that answered. `parsed` is None if nothing has changed since the last pull that was stored."""

    source: Source
    attempt: FetchAttempt
    pages: tuple[FetchedPage, ...]
    parsed: Parsed | None

    @property
    def outcome(self) -> PullOutcome:
        """Changed or unchanged."""
        return PullOutcome.UNCHANGED if self.parsed is None else PullOutcome.CHANGED

    def statistics(self) -> dict[str, Any]:
        """The part of the job's result that the pull itself accounts for."""
        requests, size, seconds = self.attempt.traffic
        found: dict[str, Any] = {"requests": requests, "bytes": size, "seconds": round(seconds, 3)}
        if self.parsed is not None:
            return found | counts(self.parsed)
        found |= {"not_modified": True, "fetched": 0, "parsed": 0, "rejected": 0}
        return found | {"created": 0, "updated": 0, "conflicts": 0}

    def line(self) -> str:
        """One line of the job's progress."""
        took = f"({self.attempt.traffic.seconds:.1f} s)"
        if self.parsed is None:
            return f"{self.source.name}: not modified {took}"
        read, rejected = records(self.parsed)
        return f"{self.source.name}: {read} records{f', {rejected} rejected' if rejected else ''} {took}"


class NotPulled(NamedTuple):
    """A source that was not read, and the seconds until it may be asked again, where they are known."""

    source: str
    outcome: PullOutcome
    error: str
    retry_after: float | None = None

    def line(self) -> str:
        """One line of the job's progress."""
        return self.error if self.error.startswith(self.source) else f"{self.source}: {self.error}"


class PullTrouble(NamedTuple):
    """Why a pull failed. Only a fault of the source (`by_source`) counts on its circuit."""

    detail: str
    outcome: PullOutcome = PullOutcome.FAILED
    retry_after: float | None = None
    by_source: bool = True


def left_alone(source: str, circuit: Circuit, error: str | None, now: Instant) -> NotPulled | None:
    """The answer for a source whose circuit is open; None if it may be asked. `error` is that of its last pull."""
    if circuit.retry_at is None or circuit.state(now) is not CircuitState.OPEN:
        return None
    until = format_instant(circuit.retry_at)
    detail = f"{source}: left alone until {until} after {circuit.failures} failures in a row: {error}"
    return NotPulled(source, PullOutcome.LEFT_ALONE, detail, (circuit.retry_at - now) / SECOND)


def trouble_of(error: SourceError) -> PullTrouble:
    """The trouble that an error of the fetch is; our own rate limit is no fault of the source."""
    if not isinstance(error, RateLimitedError):
        return PullTrouble(error.detail)
    outcome = PullOutcome.FAILED if error.by_source else PullOutcome.RATE_LIMITED
    return PullTrouble(error.detail, outcome, error.retry_after_seconds, error.by_source)


def reading_of(source: str, parsed: Parsed) -> Parsed | PullTrouble:
    """A parser's result; payloads with a fault, or with rejections alone, are a failure of the source."""
    if parsed.sightings and parsed.fault is not None:
        return PullTrouble(f"{source}: nothing of it is believed: {parsed.fault}")
    if parsed.sightings or not parsed.rejections:
        return parsed
    first = parsed.rejections[0]
    return PullTrouble(f"{source}: nothing could be read; {first.record}: {first.reason}")


def worth_keeping(reading: Parsed | PullTrouble | None) -> bool:
    """True for payloads with records, and for payloads that only a fault of our parser left unread."""
    return isinstance(reading, Parsed) or (isinstance(reading, PullTrouble) and not reading.by_source)


def filled(
    payloads: Sequence[Payload], stored: Mapping[str, bytes], digests: Mapping[str, str]
) -> list[Payload] | None:
    """The payloads with the stored bodies (compressed) of those without one; None if a body is missing or another."""
    found = []
    for one in payloads:
        body = one.body
        if body is None:
            try:
                body = zlib.decompress(stored[one.url])
            except (KeyError, zlib.error):
                return None
            if hashlib.sha256(body).hexdigest() != digests.get(one.url):
                return None
        found.append(Payload(one.url, body))
    return found


async def read(source: Source, payloads: Sequence[Payload]) -> Parsed | PullTrouble:
    """Run the source's parser in a thread; an exception in it is a fault of ours and stops no other source."""
    bodies = [payload.body for payload in payloads if payload.body is not None]
    try:
        parsed = await offload(source.parse, bodies)
    except Exception as error:  # noqa: BLE001 - a parser may fail in any way
        _log.exception("parser_failed", source=source.name)
        detail = f"{source.name}: its parser failed: {type(error).__name__}: {error}"
        return PullTrouble(detail, by_source=False)
    return reading_of(source.name, parsed)


class Scrape:
    """One pull of one source. An instance is used once."""

    def __init__(self, source: Source, settings: SourceSettings, store: SourceStore, clock: Clock) -> None:
        self._source = source
        self._settings = settings
        self._store = store
        self._clock = clock
        # one for each round of requests: `_fetch` adds them, the traffic is the sum of all, the pages are the last's
        self._clients: list[HttpClient] = []

    async def run(self, *, force: bool) -> Pulled | NotPulled:
        """Pull the source. `force` asks it though its circuit is open, and reads payloads that have not changed."""
        circuit, last_error = await self._store.circuit(self._source.name)
        alone = None if force else left_alone(self._source.name, circuit, last_error, self._clock.now())
        if alone is not None:
            return alone
        try:
            payloads = await self._fetch(force=force)
        except SourceError as error:
            return await self._failed(trouble_of(error), circuit)
        reading = None if self._clients[-1].unchanged() else await read(self._source, payloads)
        if worth_keeping(reading):
            await self._keep(payloads)
        if isinstance(reading, PullTrouble):
            return await self._failed(reading, circuit)
        return Pulled(self._source, self._attempt(), tuple(self._clients[-1].pages), reading)

    async def _fetch(self, *, force: bool) -> list[Payload]:
        """The payloads of the source; raises SourceError."""
        options = self._settings.fetch_options(self._source)
        known = {} if force else await self._store.pages(self._source.name, self._source.revision)
        async with open_session(options, self._settings.identity) as session:

            def client(conditions: Mapping[str, FetchedPage]) -> HttpClient:
                limiter = self._settings.limiter
                made = HttpClient(session, self._source, options, limiter=limiter, known=conditions, clock=self._clock)
                self._clients.append(made)
                return made

            payloads = await self._source.pull(client(known))
            if not self._clients[-1].unchanged() and any(one.body is None for one in payloads):
                # some pages changed: the others are needed as well
                payloads = await self._filled(payloads) or await self._source.pull(client({}))
        return payloads

    async def _filled(self, payloads: Sequence[Payload]) -> list[Payload] | None:
        """The payloads with the stored bodies of those that have not changed; None if one of these is not stored."""
        stored = dict(await self._store.payloads(self._source.name))
        digests = {page.url: page.sha256 for page in self._clients[-1].pages}
        return await offload(lambda: filled(payloads, stored, digests))

    async def _keep(self, payloads: Sequence[Payload]) -> None:
        """Store the payloads for a replay, compressed in a thread."""
        fetched = [(one.url, one.body) for one in payloads if one.body is not None]
        kept = await offload(lambda: [StoredPayload(url, len(body), zlib.compress(body)) for url, body in fetched])
        await self._store.keep(self._source.name, kept, self._clock.now())

    async def _failed(self, trouble: PullTrouble, circuit: Circuit) -> NotPulled:
        """Record a failed pull."""
        attempt = self._attempt()
        after = circuit.failed(attempt.at, trouble.retry_after) if trouble.by_source else circuit
        await self._store.failed(attempt, trouble.detail, after)
        return NotPulled(self._source.name, trouble.outcome, trouble.detail, trouble.retry_after)

    def _attempt(self) -> FetchAttempt:
        traffic = sum((client.traffic for client in self._clients), Traffic())
        return FetchAttempt(self._source.name, self._clock.now(), traffic)


async def replayed(source: Source, stored: Sequence[tuple[str, bytes]]) -> Parsed:
    """Parse the stored payloads (URL, compressed body) of a source again; raises SourceError if that fails."""
    payloads = await offload(lambda: [Payload(url, zlib.decompress(body)) for url, body in stored])
    reading = await read(source, payloads)
    if isinstance(reading, PullTrouble):
        raise SourceError(reading.detail)
    return reading


def records(parsed: Parsed) -> tuple[int, int]:
    """The number of records that were read, and of rejections."""
    return len(parsed.sightings), len(parsed.rejections)


def counts(parsed: Parsed) -> dict[str, Any]:
    """The part of the statistics that a parser accounts for."""
    read, rejected = records(parsed)
    found: dict[str, Any] = {"fetched": parsed.rows, "parsed": read, "rejected": rejected}
    if parsed.rejections:
        found["rejections"] = [
            {"record": one.record, "field": one.field, "reason": one.reason}
            for one in parsed.rejections[:_SHOWN_REJECTIONS]
        ]
    return found
