"""The tasks of launch data: `scrape_launch_data` on its schedule, `manual_refresh` and `replay_source` on demand."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from launchd.clock import SECOND, Clock, Instant, format_instant
from launchd.config import SourceConfig
from launchd.errors import InvalidError, NotFoundError, SourceError
from launchd.event import Event
from launchd.job import IdMaker
from launchd.launches.circuit import Circuit, CircuitState
from launchd.launches.fetch.client import (
    FetchOptions,
    HttpClient,
    Identity,
    RateLimitedError,
    open_session,
    read_token,
)
from launchd.launches.fetch.politeness import RequestLimiter, affords
from launchd.launches.ingest import plan
from launchd.launches.launch import Parsed
from launchd.launches.news import launch_events, source_event
from launchd.launches.offload import offload
from launchd.launches.source_store import FetchAttempt, FetchedPage, SourceStore, StoredPayload, Traffic
from launchd.launches.sources import SOURCES
from launchd.launches.sources.source import Payload, Source
from launchd.launches.store import LaunchStore
from launchd.logger import get_logger
from launchd.task import Context, Retry, Task, task

_log = get_logger("launchd.scrape")
LOCK = "scraping_task_lock"
_SHOWN_REJECTIONS = 10


class _Pulled(NamedTuple):
    """A source's answer. `parsed` is None when it has not changed."""

    source: Source
    attempt: FetchAttempt
    pages: list[FetchedPage]
    parsed: Parsed | None
    statistics: dict[str, Any]


class _Failure(NamedTuple):
    """A source that could not be read, and for how many seconds it is left alone."""

    source: str
    error: str
    retry_after: float | None


class Tracker:
    """Scrapes the configured sources into the store. Its lock is the caller's: one scrape at a time.

    `tell` hears of what happened, on the task loop.
    """

    def __init__(
        self,
        store: LaunchStore,
        sources: SourceStore,
        config: Mapping[str, SourceConfig],
        clock: Clock,
        identity: Identity,
        *,
        tell: Callable[[Sequence[Event]], None] = lambda _events: None,
    ) -> None:
        self._store = store
        self._tell = tell
        # called once launches have changed on disk; set before the first scrape
        self.on_change: Callable[[], None] = lambda: None
        self.sources = sources
        self._clock = clock
        self._limiters = {name: RequestLimiter(source.rate, clock) for name, source in SOURCES.items()}
        self.configure(config, identity)
        self._new_id = IdMaker()
        # by (source, outcome): pulls since the start; written on the task loop, read by metrics
        self.fetches: Counter[tuple[str, ...]] = Counter()

    def configure(self, config: Mapping[str, SourceConfig], identity: Identity) -> None:
        """Ask the sources so from now on; a pull that goes on ends as it began. May be called from any thread."""
        self._identity = identity
        self._config = {name: config.get(name, SourceConfig()) for name in SOURCES}
        rates = {name: self._config[name].rate or source.rate for name, source in SOURCES.items()}
        self._limiters = {
            name: one if one.rate == rates[name] else one.changed(rates[name]) for name, one in self._limiters.items()
        }
        priorities = {name: source.priority for name, source in SOURCES.items()}
        priorities |= {name: one.priority for name, one in self._config.items() if one.priority is not None}
        self._priorities = priorities

    def enabled(self) -> list[str]:
        """The sources that are scraped when nobody names any."""
        return [name for name, one in self._config.items() if SOURCES[name].is_enabled(one)]

    def check_sources(self, names: Sequence[str]) -> None:
        """Raises InvalidError, naming the known sources, for one that is unknown."""
        unknown = [name for name in names if name not in SOURCES]
        if unknown:
            raise InvalidError.at("sources", f"no such source {', '.join(unknown)}; known: {', '.join(SOURCES)}")

    async def health(self) -> tuple[bool, str]:
        """Whether every enabled source answered last time, and when each did."""
        states = await self.sources.states()
        well, words = True, []
        for name in self.enabled():
            state = states.get(name)
            if state is None:
                words.append(f"{name}: not tried yet")
            elif state.last_error is not None:
                well = False
                since = f"last success {format_instant(state.last_success)}" if state.last_success else "never reached"
                words.append(f"{name}: {since}; {state.last_error}")
            else:
                words.append(f"{name}: last success {format_instant(state.last_success or 0)}")
        return well, "; ".join(words)

    async def last_success(self) -> dict[str, Instant | None]:
        """When each enabled source last answered; None for one that never did."""
        states = await self.sources.states()
        return {name: states[name].last_success if name in states else None for name in self.enabled()}

    async def last_attempts(self) -> dict[str, Instant | None]:
        """When each enabled source was last asked; None for one that never was."""
        states = await self.sources.states()
        return {name: states[name].last_attempt if name in states else None for name in self.enabled()}

    async def scrape(
        self, ctx: Context, names: Sequence[str] | None, *, force: bool, every_seconds: float | None = None
    ) -> dict[str, Any]:
        """Pull, parse, reconcile and store; the statistics by source. One failing source never stops another.

        One of several scrapes `every_seconds` leaves out the sources whose rates do not allow that.
        Raises InvalidError for unknown sources, Retry when no source at all could be read.
        """
        self.check_sources(names or [])
        wanted = self.enabled() if names is None else list(dict.fromkeys(names))
        left_out = {} if every_seconds is None else await self._left_out(wanted, every_seconds)
        chosen = [SOURCES[name] for name in wanted if name not in left_out]
        done: list[str] = []

        async def pull(source: Source) -> _Pulled | _Failure:
            result = await self._pull(source, force=force)
            done.append(_in_words(result))
            ctx.progress(len(done), len(chosen) + 1, "\n".join(done))
            return result

        results = await asyncio.gather(*map(pull, chosen))
        pulled = [one for one in results if isinstance(one, _Pulled)]
        await self._ingest(ctx, pulled)
        statistics = {one.source.name: one.statistics for one in pulled}
        failures = {one.source: one for one in results if isinstance(one, _Failure)}
        statistics |= {name: {"error": one.error} for name, one in failures.items()}
        statistics |= left_out
        ctx.progress(len(chosen) + 1, len(chosen) + 1, "\n".join(done))
        for name, numbers in statistics.items():
            say, event = (ctx.log.warning, "source_failed") if "error" in numbers else (ctx.log.info, "source_done")
            say(event, source=name, **numbers)
        self._tell(
            [
                source_event(name, numbers, self._clock.now())
                for name, numbers in statistics.items()
                if name not in left_out
            ]
        )
        if failures and not pulled:
            # those that are to be left alone for longer are not asked by the retry
            waits = [one.retry_after for one in failures.values() if one.retry_after is not None]
            reason = "; ".join(one.error for one in failures.values())
            raise Retry(f"no source could be read: {reason}", after=min(waits) if waits else None)
        return {"sources": statistics}

    async def replay(self, ctx: Context, name: str) -> dict[str, Any]:
        """Read the payloads that are kept of a source again, as if they had just come; the statistics.

        Raises InvalidError for an unknown source, NotFoundError when nothing is kept, SourceError when the payloads
        cannot be parsed.
        """
        self.check_sources([name])
        source = SOURCES[name]
        kept = await self.sources.payloads(name)
        if not kept:
            raise NotFoundError(f"nothing is kept of {name}: refresh it first")
        payloads = await offload(lambda: [Payload(url, zlib.decompress(body)) for url, body in kept])
        reading = await _parse(source, payloads)
        if reading.parsed is None:
            raise SourceError(reading.trouble or "")
        statistics: dict[str, Any] = {"replayed": True}
        await self._apply(ctx, [(name, reading.parsed, statistics)])
        await self.sources.replayed(name, _records(reading.parsed))
        ctx.log.info("source_replayed", source=name, **statistics)
        return {"sources": {name: statistics}}

    async def _left_out(self, names: Sequence[str], every_seconds: float) -> dict[str, dict[str, Any]]:
        """The sources that may not be asked so often by their rate, going by the requests of their last pull."""
        last, found = await self.sources.last_requests(), {}
        for name in names:
            rate, requests = self._limiters[name].rate, max(last.get(name, 1), 1)
            if not affords(rate, requests, every_seconds):
                self.fetches[name, "left_out"] += 1
                words = f"its rate of {rate} does not allow {requests} requests every {every_seconds:g} s"
                found[name] = {"left_out": words}
        return found

    async def _pull(self, source: Source, *, force: bool) -> _Pulled | _Failure:
        """Fetch and parse one source, unless its circuit is open; what was asked of it is counted in any case."""
        circuit, error = await self.sources.circuit(source.name)
        now = self._clock.now()
        if not force and circuit.retry_at is not None and circuit.state(now) is CircuitState.OPEN:
            self.fetches[source.name, "left_alone"] += 1
            until = format_instant(circuit.retry_at)
            detail = f"{source.name}: left alone until {until} after {circuit.failures} failures in a row: {error}"
            return _Failure(source.name, detail, (circuit.retry_at - now) / SECOND)
        clients: list[HttpClient] = []
        try:
            payloads = await self._fetch(source, clients, force=force)
        except RateLimitedError as limited:
            if not limited.by_source:  # our own measure: the source is not to blame
                self.fetches[source.name, "rate_limited"] += 1
                await self.sources.failed(self._attempt(source, clients), limited.detail, circuit)
                return _Failure(source.name, limited.detail, limited.retry_after_seconds)
            return await self._failed(source, clients, circuit, limited.detail, limited.retry_after_seconds)
        except SourceError as failure:
            return await self._failed(source, clients, circuit, failure.detail)
        reading = _Reading(None) if clients[-1].unchanged() else await _parse(source, payloads)
        if reading.worth_keeping:
            await self._keep(source, payloads)
        if reading.trouble is not None:
            return await self._failed(source, clients, circuit, reading.trouble, broken=reading.worth_keeping)
        attempt = self._attempt(source, clients)
        requests, size, seconds = attempt.traffic
        self.fetches[source.name, "changed" if reading.parsed is not None else "unchanged"] += 1
        statistics = {"requests": requests, "bytes": size, "seconds": round(seconds, 3)}
        return _Pulled(source, attempt, clients[-1].pages, reading.parsed, statistics)

    async def _failed(
        self,
        source: Source,
        clients: Sequence[HttpClient],
        circuit: Circuit,
        error: str,
        asked_to_wait: float | None = None,
        *,
        broken: bool = False,
    ) -> _Failure:
        """Remember a failure; a parser of ours that is `broken` is not the source's and leaves its circuit alone."""
        attempt = self._attempt(source, clients)
        after = circuit if broken else circuit.failed(attempt.at, asked_to_wait)
        self.fetches[source.name, "failed"] += 1
        await self.sources.failed(attempt, error, after)
        return _Failure(source.name, error, asked_to_wait)

    def _attempt(self, source: Source, clients: Sequence[HttpClient]) -> FetchAttempt:
        traffic = sum((client.traffic for client in clients), Traffic())
        return FetchAttempt(source.name, self._clock.now(), traffic)

    async def _fetch(self, source: Source, clients: list[HttpClient], *, force: bool) -> list[Payload]:
        """The payloads of a source; the last of `clients` is the one that read them. Raises SourceError."""
        config = self._config[source.name]
        base_url = config.base_url or source.base_url
        options = FetchOptions(
            base_url,
            config.timeout_seconds,
            token=read_token(config.token_file),
            trusted_host=urlsplit(base_url).hostname if config.base_url else None,
            allow_private=config.allow_private,
        )
        known = {} if force else await self.sources.pages(source.name, source.revision)
        async with open_session(options, self._identity) as session:

            def client(conditions: Mapping[str, FetchedPage]) -> HttpClient:
                limiter = self._limiters[source.name]
                clients.append(
                    HttpClient(session, source, options, limiter=limiter, known=conditions, clock=self._clock)
                )
                return clients[-1]

            payloads = await source.pull(client(known))
            if not clients[-1].unchanged() and any(one.body is None for one in payloads):
                payloads = await source.pull(client({}))  # some pages changed: the others are needed as well
        return payloads

    async def _keep(self, source: Source, payloads: Sequence[Payload]) -> None:
        """Keep what was fetched for a replay, compressed off the loop."""
        read = [(one.url, one.body) for one in payloads if one.body is not None]
        kept = await offload(
            lambda: [StoredPayload(url, len(body), zlib.compress(body)) for url, body in read],
        )
        await self.sources.keep(source.name, kept, self._clock.now())

    async def _ingest(self, ctx: Context, pulled: Sequence[_Pulled]) -> None:
        """Store what changed, in one transaction; remember the pages only after it."""
        fresh = [(one, one.parsed) for one in pulled if one.parsed is not None]
        if fresh:
            await self._apply(ctx, [(one.source.name, parsed, one.statistics) for one, parsed in fresh])
        for one, parsed in fresh:
            await self.sources.succeeded(one.attempt, one.source.revision, one.pages, _records(parsed))
        for one in pulled:
            if one.parsed is None:
                one.statistics.update(not_modified=True, fetched=0, parsed=0, rejected=0)
                one.statistics.update(created=0, updated=0, conflicts=0)
                await self.sources.unchanged(one.attempt)

    async def _apply(self, ctx: Context, read: Sequence[tuple[str, Parsed, dict[str, Any]]]) -> None:
        """Store what sources say (name, content, its statistics, which are filled), in one transaction."""
        now = self._clock.now()
        sightings = [sighting for _, parsed, _ in read for sighting in parsed.sightings]
        stored = await self._store.stored(ctx.fence)
        complete = {name for name, parsed, _ in read if parsed.complete}
        made = await offload(
            plan, stored, sightings, self._priorities, now, lambda: self._new_id(now), complete=complete
        )
        await self._store.apply(made, ctx.fence, now)
        self.on_change()
        self._tell(launch_events(stored.launches, made, now))
        for name, parsed, statistics in read:
            statistics.update(_counts(parsed))
            statistics.update(
                created=made.created[name],
                updated=made.updated[name],
                unchanged=made.unchanged[name],
                retired=sum(one.retired_at is not None and one.sighting.source == name for one in made.seen),
                conflicts=sum(name in conflict.values for conflict in made.conflicts),
            )


class _Reading(NamedTuple):
    """What a parser made of payloads: None where they say nothing new, and what is wrong when they say nothing at all.

    What was read is worth keeping, and so is what only our parser's own failure left unread.
    """

    parsed: Parsed | None
    trouble: str | None = None
    worth_keeping: bool = False


async def _parse(source: Source, payloads: Sequence[Payload]) -> _Reading:
    """Run the source's parser off the loop."""
    bodies = [payload.body for payload in payloads if payload.body is not None]
    try:
        parsed = await offload(source.parse, bodies)
    except Exception as error:  # noqa: BLE001 - a broken parser is this source's trouble alone
        _log.exception("parser_failed", source=source.name)
        trouble = f"{source.name}: its parser failed: {type(error).__name__}: {error}"
        return _Reading(None, trouble, worth_keeping=True)
    if parsed.sightings or not parsed.rejections:
        return _Reading(parsed, worth_keeping=True)
    first = parsed.rejections[0]
    return _Reading(None, f"{source.name}: nothing could be read; {first.record}: {first.reason}")


def _in_words(result: _Pulled | _Failure) -> str:
    """How a source ended, as a line of the job's progress."""
    if isinstance(result, _Failure):
        return result.error if result.error.startswith(result.source) else f"{result.source}: {result.error}"
    seconds = result.statistics["seconds"]
    if result.parsed is None:
        return f"{result.source.name}: not modified ({seconds:.1f} s)"
    read, rejected = _records(result.parsed)
    return f"{result.source.name}: {read} records{f', {rejected} rejected' if rejected else ''} ({seconds:.1f} s)"


def _records(parsed: Parsed) -> tuple[int, int]:
    return len(parsed.sightings), len(parsed.rejections)


def _counts(parsed: Parsed) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "fetched": parsed.rows,
        "parsed": len(parsed.sightings),
        "rejected": len(parsed.rejections),
    }
    if parsed.rejections:
        counts["rejections"] = [
            {"record": one.record, "field": one.field, "reason": one.reason}
            for one in parsed.rejections[:_SHOWN_REJECTIONS]
        ]
    return counts


def launch_tasks(tracker: Tracker) -> tuple[Task, ...]:
    """The tasks that work for this tracker."""

    @task(queue="scraping", lock=LOCK, max_retries=3, timeout=900)
    async def scrape_launch_data(
        ctx: Context, *, sources: list[str] | None = None, force: bool = False, every_seconds: float | None = None
    ) -> dict[str, Any]:
        """Scrape launch data from the sources, validate, match, reconcile and store it."""
        return await tracker.scrape(ctx, sources, force=force, every_seconds=every_seconds)

    @task(queue="scraping", lock=LOCK, max_retries=3, timeout=900)
    async def manual_refresh(ctx: Context, *, sources: list[str] | None = None, force: bool = False) -> dict[str, Any]:
        """Scrape now, whatever the schedule; `force` reads unchanged payloads again."""
        return await tracker.scrape(ctx, sources, force=force)

    @task(queue="scraping", lock=LOCK, max_retries=0, timeout=900)
    async def replay_source(ctx: Context, *, source: str) -> dict[str, Any]:
        """Read the last payloads of a source again without asking it, as after a fix of its parser."""
        return await tracker.replay(ctx, source)

    return scrape_launch_data, manual_refresh, replay_source
