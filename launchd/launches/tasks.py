"""The tasks of launch data: `scrape_launch_data` on its schedule, `manual_refresh` and `replay_source` on demand."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from launchd.clock import Clock, Instant, format_instant
from launchd.config import ScheduleConfig, SourceConfig
from launchd.errors import InvalidError, NotFoundError
from launchd.event import Event
from launchd.job import IdMaker
from launchd.launches.doubts import emptied, joined, vanished
from launchd.launches.fetch.client import Identity
from launchd.launches.ingest import IngestPlan, Stored, plan
from launchd.launches.launch import Parsed
from launchd.launches.looks import periods
from launchd.launches.news import launch_events, source_event
from launchd.launches.offload import offload
from launchd.launches.scrape import NotPulled, Pulled, PullOutcome, Scrape, counts, records, replayed
from launchd.launches.settings import SourceSettings, source_settings
from launchd.launches.source_store import SourceState, SourceStore
from launchd.launches.sources import SOURCES
from launchd.launches.store import LaunchStore
from launchd.task import Context, Retry, Task, task

LOCK = "scraping_task_lock"


class Tracker:
    """Scrapes the configured sources into the store: it gathers the pulls, ingests their sightings and reports.

    The caller holds the lock, so there is one scrape at a time. `publish` gets the events, on the task loop.
    """

    def __init__(
        self,
        store: LaunchStore,
        sources: SourceStore,
        config: Mapping[str, SourceConfig],
        clock: Clock,
        identity: Identity,
        *,
        publish: Callable[[Sequence[Event]], None] = lambda _events: None,
        schedules: Iterable[ScheduleConfig] = (),
    ) -> None:
        self._store = store
        self._publish = publish
        # called once launches have changed on disk; set before the first scrape
        self.on_change: Callable[[], None] = lambda: None
        self.sources = sources
        self._clock = clock
        self._settings: dict[str, SourceSettings] = {}  # replaced as a whole by `configure`
        self._schedules: tuple[ScheduleConfig, ...] = ()
        self.configure(config, identity, schedules)
        self._new_id = IdMaker()
        # by (source, outcome): pulls since the start; written on the task loop, read by metrics
        self.fetches: Counter[tuple[str, ...]] = Counter()

    def configure(
        self, config: Mapping[str, SourceConfig], identity: Identity, schedules: Iterable[ScheduleConfig] = ()
    ) -> None:
        """Use these settings for the next pulls; a pull that is running ends with its own. Thread-safe.

        The schedules say how often each source is read: a change after a much longer time was found late.
        """
        self._schedules = tuple(schedules)
        self._settings = source_settings(config, identity, self._clock, self._settings)

    def enabled(self) -> list[str]:
        """The sources that are scraped when a request names none."""
        return [name for name, one in self._settings.items() if one.enabled]

    def check_sources(self, names: Sequence[str]) -> None:
        """Raises InvalidError, naming the known sources, for one that is unknown."""
        unknown = [name for name in names if name not in SOURCES]
        if unknown:
            raise InvalidError.at("sources", f"no such source {', '.join(unknown)}; known: {', '.join(SOURCES)}")

    async def health(self) -> tuple[bool, str]:
        """True if the last pull of no enabled source failed; and the last success of each, in words."""
        states = await self.sources.states()
        found = {name: states.get(name) for name in self.enabled()}
        well = all(state is None or state.last_error is None for state in found.values())
        return well, "; ".join(f"{name}: {_in_words(state)}" for name, state in found.items())

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
        """Pull, parse, reconcile and store; returns the statistics by source. A failing source stops no other.

        A scrape that runs `every_seconds` leaves out the sources whose rates do not allow that.
        Raises InvalidError for unknown sources, and Retry when no source at all could be read.
        """
        if names is not None and not names:
            raise InvalidError.at("sources", "expected one source or more; leave it out for all that are enabled")
        self.check_sources(names or [])
        wanted = self.enabled() if names is None else list(dict.fromkeys(names))
        left_out = {} if every_seconds is None else await self._left_out(wanted, every_seconds)
        chosen = [name for name in wanted if name not in left_out]
        progress = _Progress(ctx, len(chosen))
        results = await asyncio.gather(*(self._pull(name, progress, force=force) for name in chosen))
        pulled = [one for one in results if isinstance(one, Pulled)]
        failed = [one for one in results if isinstance(one, NotPulled)]
        statistics = await self._ingest(ctx, pulled)
        statistics |= {one.source: {"error": one.error} for one in failed}
        progress.stored()
        self._report(ctx, statistics, left_out)
        if failed and not pulled:
            raise _no_source_read(failed)
        return {"sources": statistics | left_out}

    async def replay(self, ctx: Context, name: str) -> dict[str, Any]:
        """Ingest the stored payloads of a source as if they had just been fetched; returns the statistics.

        Raises InvalidError for an unknown source, NotFoundError when no payloads are stored, SourceError when they
        cannot be parsed.
        """
        self.check_sources([name])
        stored = await self.sources.payloads(name)
        if not stored:
            raise NotFoundError(f"no payloads of {name} are stored: refresh it first")
        parsed = await replayed(SOURCES[name], stored)
        ingested = await self._apply(ctx, {name: parsed})
        statistics = {"replayed": True} | counts(parsed) | ingested[name]
        await self.sources.replayed(name, records(parsed))
        ctx.log.info("source_replayed", source=name, **statistics)
        return {"sources": {name: statistics}}

    async def _left_out(self, names: Sequence[str], every_seconds: float) -> dict[str, dict[str, Any]]:
        """The sources that their rates leave out, by the number of requests of their last pulls; with the reason."""
        last, found = await self.sources.last_requests(), {}
        for name in names:
            reason = self._settings[name].too_often(max(last.get(name, 1), 1), every_seconds)
            if reason is not None:
                self.fetches[name, PullOutcome.LEFT_OUT] += 1
                found[name] = {"left_out": reason}
        return found

    async def _pull(self, name: str, progress: "_Progress", *, force: bool) -> Pulled | NotPulled:
        result = await Scrape(SOURCES[name], self._settings[name], self.sources, self._clock).run(force=force)
        self.fetches[name, result.outcome] += 1
        progress.pulled(result)
        return result

    async def _ingest(self, ctx: Context, pulled: Sequence[Pulled]) -> dict[str, dict[str, Any]]:
        """Store what changed in one transaction and record the pulls after it; returns the statistics by source."""
        fresh = {one.source.name: one.parsed for one in pulled if one.parsed is not None}
        ingested = await self._apply(ctx, fresh) if fresh else {}
        for one in pulled:
            found = ingested.get(one.source.name, {})
            if one.parsed is None:
                await self.sources.unchanged(one.attempt)
            elif "error" in found:
                circuit, _ = await self.sources.circuit(one.source.name)
                await self.sources.failed(one.attempt, found["error"], circuit.failed(one.attempt.at))
            else:
                counted = records(one.parsed)
                await self.sources.succeeded(one.attempt, one.source.revision, one.pages, counted, found.get("doubt"))
        return {one.source.name: one.statistics() | ingested.get(one.source.name, {}) for one in pulled}

    async def _apply(self, ctx: Context, parsed: Mapping[str, Parsed]) -> dict[str, dict[str, Any]]:
        """Match, reconcile and store the sightings of sources; returns the counts of changes by source.

        An answer without launches of a source that has given some is an "error"; other doubts are in "doubt".
        """
        now = self._clock.now()
        sightings = [sighting for one in parsed.values() for sighting in one.sightings]
        complete = {name for name, one in parsed.items() if one.complete}
        priorities = {name: one.priority for name, one in self._settings.items()}
        stored = await self._store.stored(ctx.fence)
        made = await offload(
            plan,
            stored,
            sightings,
            priorities,
            now,
            lambda: self._new_id(now),
            complete=complete,
            rejections=[each for one in parsed.values() for each in one.rejections],
        )
        await self._store.apply(made, ctx.fence, now, periods(self._schedules, now))
        self.on_change()
        self._publish(launch_events(stored.launches, made, now))
        return {name: made.counts(name) | _doubts(name, one, stored, made, now) for name, one in parsed.items()}

    def _report(
        self, ctx: Context, statistics: Mapping[str, dict[str, Any]], left_out: Mapping[str, dict[str, Any]]
    ) -> None:
        """Log how each source ended, and publish an event for each that was asked."""
        for name, numbers in {**statistics, **left_out}.items():
            event = "source_failed" if "error" in numbers else "source_done"
            say = ctx.log.warning if "error" in numbers or "doubt" in numbers else ctx.log.info
            say(event, source=name, **numbers)
        self._publish([source_event(name, numbers, self._clock.now()) for name, numbers in statistics.items()])


class _Progress:
    """Reports a scrape as the job's progress: a step for each source, with a line, and one for the ingest."""

    def __init__(self, ctx: Context, sources: int) -> None:
        self._ctx = ctx
        self._steps = sources + 1
        self._lines: list[str] = []

    def pulled(self, result: Pulled | NotPulled) -> None:
        self._lines.append(result.line())
        self._ctx.progress(len(self._lines), self._steps, "\n".join(self._lines))

    def stored(self) -> None:
        self._ctx.progress(self._steps, self._steps, "\n".join(self._lines))


def _doubts(name: str, parsed: Parsed, stored: Stored, made: IngestPlan, now: Instant) -> dict[str, str]:
    """The error of an answer without launches, or the doubts about an answer; empty if there are none."""
    error = emptied(name, parsed, stored.seen)
    if error is not None:
        return {"error": error}
    doubt = joined(vanished(name, parsed, stored.seen, now), made.doubts.get(name))
    return {} if doubt is None else {"doubt": doubt}


def _no_source_read(failed: Sequence[NotPulled]) -> Retry:
    """The retry of a scrape without any answer: as soon as the first source may be asked again, if that is known."""
    waits = [one.retry_after for one in failed if one.retry_after is not None]
    reason = "; ".join(one.error for one in failed)
    return Retry(f"no source could be read: {reason}", after=min(waits) if waits else None)


def _in_words(state: SourceState | None) -> str:
    """The result of the last pull of a source, in words."""
    if state is None:
        return "not tried yet"
    if state.last_error is None:
        return f"last success {format_instant(state.last_success or 0)}"
    since = f"last success {format_instant(state.last_success)}" if state.last_success else "never reached"
    return f"{since}; {state.last_error}"


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
        """Scrape now, apart from the schedule; `force` reads unchanged payloads again."""
        return await tracker.scrape(ctx, sources, force=force)

    @task(queue="scraping", lock=LOCK, max_retries=0, timeout=900)
    async def replay_source(ctx: Context, *, source: str) -> dict[str, Any]:
        """Parse the stored payloads of a source again without a request to it, as after a fix of its parser."""
        return await tracker.replay(ctx, source)

    return scrape_launch_data, manual_refresh, replay_source
