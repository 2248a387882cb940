"""The tasks of launch data: `scrape_launch_data` on its schedule, `manual_refresh` on demand."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from launchd.clock import Clock, format_instant
from launchd.config import SourceConfig
from launchd.errors import InvalidError, SourceError
from launchd.job import IdMaker
from launchd.launches.fetch import FetchOptions, HttpClient, RateLimiter, open_session, read_token
from launchd.launches.ingest import plan
from launchd.launches.launch import Parsed
from launchd.launches.sources import SOURCES
from launchd.launches.sources.source import Source
from launchd.launches.store import LaunchStore, Page
from launchd.task import Context, Retry, Task, task

_log = structlog.get_logger("launchd.scrape")
LOCK = "scraping_task_lock"
_SHOWN_REJECTIONS = 10


class _Pulled(NamedTuple):
    """A source's answer. `parsed` is None when it has not changed."""

    source: Source
    pages: list[Page]
    parsed: Parsed | None
    statistics: dict[str, Any]


class Tracker:
    """Scrapes the configured sources into the store. Its lock is the caller's: one scrape at a time."""

    def __init__(self, store: LaunchStore, config: Mapping[str, SourceConfig], clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._config = {name: config.get(name, SourceConfig()) for name in SOURCES}
        self._limiters = {
            name: RateLimiter(self._config[name].rate or source.rate, clock) for name, source in SOURCES.items()
        }
        self._priorities: dict[str, int] = {}
        for name, source in SOURCES.items():
            own = self._config[name].priority
            self._priorities[name] = source.priority if own is None else own
        self._new_id = IdMaker()

    def enabled(self) -> list[str]:
        """The sources that are scraped when nobody names any."""
        return [name for name, one in self._config.items() if one.enabled]

    def check_sources(self, names: Sequence[str]) -> None:
        """Raises InvalidError, naming the known sources, for one that is unknown."""
        unknown = [name for name in names if name not in SOURCES]
        if unknown:
            raise InvalidError(f"sources: no such source {', '.join(unknown)}; known: {', '.join(SOURCES)}")

    async def health(self) -> tuple[bool, str]:
        """Whether every enabled source answered last time, and when each did."""
        states = await self._store.sources()
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

    async def scrape(self, ctx: Context, names: Sequence[str] | None, *, force: bool) -> dict[str, Any]:
        """Pull, parse, reconcile and store; the statistics by source. One failing source never stops another.

        Raises InvalidError for unknown sources, Retry when no source at all could be read.
        """
        self.check_sources(names or [])
        chosen = [SOURCES[name] for name in (self.enabled() if names is None else dict.fromkeys(names))]
        async with open_session() as session:
            pulls = [self._pull(session, source, force=force) for source in chosen]
            results = await asyncio.gather(*pulls)
        pulled = [one for one in results if isinstance(one, _Pulled)]
        ctx.progress(1, 2, "fetched")
        await self._ingest(ctx, pulled)
        statistics = {one.source.name: one.statistics for one in pulled}
        failures = {one.source: one for one in results if isinstance(one, _Failure)}
        statistics |= {name: {"error": one.error} for name, one in failures.items()}
        ctx.progress(2, 2, "stored")
        for name, numbers in statistics.items():
            ctx.log.info("source_done" if "error" not in numbers else "source_failed", source=name, **numbers)
        if failures and not pulled:
            waits = [one.retry_after for one in failures.values() if one.retry_after is not None]
            reason = "; ".join(one.error for one in failures.values())
            raise Retry(f"no source could be read: {reason}", after=max(waits) if waits else None)
        return {"sources": statistics}

    async def _pull(self, session: Any, source: Source, *, force: bool) -> "_Pulled | _Failure":  # noqa: ANN401 - only fetch.py knows HTTP's types
        started = self._clock.monotonic()
        config = self._config[source.name]
        try:
            options = FetchOptions(
                config.base_url or source.base_url, config.timeout_seconds, read_token(config.token_file)
            )
            known = {} if force else await self._store.pages(source.name, source.revision)
            client = HttpClient(session, source, options, self._limiters[source.name], known)
            payloads = await source.pull(client)
            bodies = [payload.body for payload in payloads]
            if not client.unchanged() and None in bodies:  # some pages changed: the others are needed as well
                client = HttpClient(session, source, options, self._limiters[source.name], {})
                bodies = [payload.body for payload in await source.pull(client)]
        except SourceError as error:
            await self._store.failed(source.name, error.detail, self._clock.now())
            return _Failure(source.name, error.detail, getattr(error, "retry_after_seconds", None))
        statistics: dict[str, Any] = {"requests": client.requests, "bytes": client.bytes}
        if client.unchanged():
            parsed = None
        else:
            parsed, trouble = await _parse(source, [body for body in bodies if body is not None])
            if trouble is not None:
                await self._store.failed(source.name, trouble, self._clock.now())
                return _Failure(source.name, trouble, None)
        statistics["seconds"] = round(self._clock.monotonic() - started, 3)
        return _Pulled(source, client.pages, parsed, statistics)

    async def _ingest(self, ctx: Context, pulled: Sequence[_Pulled]) -> None:
        """Store what changed, in one transaction; remember the pages only after it."""
        now = self._clock.now()
        fresh = [(one, one.parsed) for one in pulled if one.parsed is not None]
        if fresh:
            sightings = [sighting for _, parsed in fresh for sighting in parsed.sightings]
            stored = await self._store.stored()
            made = await asyncio.to_thread(plan, stored, sightings, self._priorities, now, lambda: self._new_id(now))
            await self._store.apply(made, ctx.fence, now)
            for one, parsed in fresh:
                name = one.source.name
                one.statistics.update(_counts(parsed))
                one.statistics.update(
                    created=made.created[name],
                    updated=made.updated[name],
                    unchanged=made.unchanged[name],
                    conflicts=sum(name in conflict.values for conflict in made.conflicts),
                )
                await self._store.succeeded(name, one.source.revision, one.pages, parsed, now)
        for one in pulled:
            if one.parsed is None:
                one.statistics.update(not_modified=True, fetched=0, parsed=0, rejected=0)
                one.statistics.update(created=0, updated=0, conflicts=0)
                await self._store.unchanged(one.source.name, now)


async def _parse(source: Source, bodies: Sequence[bytes]) -> tuple[Parsed, str | None]:
    """What the source's parser makes of the bodies, off the loop, and what is wrong when it is nothing."""
    try:
        parsed = await asyncio.to_thread(source.parse, bodies)
    except Exception as error:  # noqa: BLE001 - a broken parser is this source's trouble alone
        _log.exception("parser_failed", source=source.name)
        return Parsed(()), f"{source.name}: its parser failed: {type(error).__name__}: {error}"
    if parsed.sightings or not parsed.rejections:
        return parsed, None
    first = parsed.rejections[0]
    return parsed, f"{source.name}: nothing could be read; {first.record}: {first.reason}"


class _Failure(NamedTuple):
    """A source that could not be read, and how long it asked to be left alone."""

    source: str
    error: str
    retry_after: float | None


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
        ctx: Context, *, sources: list[str] | None = None, force: bool = False
    ) -> dict[str, Any]:
        """Scrape launch data from the sources, validate, match, reconcile and store it."""
        return await tracker.scrape(ctx, sources, force=force)

    @task(queue="scraping", lock=LOCK, max_retries=3, timeout=900)
    async def manual_refresh(ctx: Context, *, sources: list[str] | None = None, force: bool = False) -> dict[str, Any]:
        """Scrape now, whatever the schedule; `force` reads unchanged payloads again."""
        return await tracker.scrape(ctx, sources, force=force)

    return scrape_launch_data, manual_refresh
