"""Alerting: hears and looks for what an operator should be told, writes it down, and lets jobs send it.

Jobs that end badly note themselves in the store (a trigger, in the transaction that ends them), so none is missed, not
even one that the daemon's own death ended. Launches are heard on the bus; health, queues and sources are looked at
every half minute. `rules` decides. Owned by the control loop; `send_alert` runs on the task loop.

Sending is at least once: where a service took an alert and its answer, or our note of it, was lost, it gets it again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from launchd.alerts.rules import (
    LAUNCH_EVENTS,
    SEND_TASK,
    Alert,
    Rule,
    Severity,
    Trouble,
    check_trouble,
    launch_alert,
    queue_troubles,
    source_troubles,
)
from launchd.alerts.store import AlertRow, AlertStore
from launchd.alerts.targets import CurrentTargets, Target
from launchd.clock import Clock, Instant, until
from launchd.config import AlertsConfig
from launchd.engine.events.bus import Bus
from launchd.engine.maker import JobMaker, TriggerRequest
from launchd.errors import ConflictError, LaunchdError, NotFoundError
from launchd.event import Event, JobEnd
from launchd.job import JobState, NewJob
from launchd.logger import get_logger
from launchd.ops.health import Check, Finding, Health, Level
from launchd.store.idempotency import Idempotency
from launchd.store.jobs import JobStore
from launchd.task import Cancel, Context, Retry, Task, task

_log = get_logger("launchd.alerts")
# How often health, queues and sources are looked at, and the least time between two writes.
LOOK_SECONDS, PAUSE_SECONDS = 30.0, 1.0
# 1, 2, 4 ... 60 minutes: about three hours in all
_MAX_RETRIES = 8
_BAD_ENDS = frozenset({JobState.FAILED.value, JobState.QUARANTINED.value})
# Events that wait for the store at most; a store that is away for longer has worse to tell.
_MOST_HEARD = 1000
ALL_PROVIDERS = "*"


class Facts(NamedTuple):
    """Where to look. `sources` gives the last success of each enabled source, `provider` that of a launch."""

    health: Health
    jobs: JobStore
    sources: Callable[[], Awaitable[Mapping[str, Instant | None]]]
    provider: Callable[[str], Awaitable[str | None]]


class AlertPage(NamedTuple):
    """Alerts, newest first, and where the next page begins."""

    items: tuple[AlertRow, ...]
    next: int | None


class Alerting:
    """Makes alerts. It does nothing of its own accord, and costs nothing, while there is no target.

    `config` gives the configuration of the moment.
    """

    def __init__(
        self,
        clock: Clock,
        config: Callable[[], AlertsConfig],
        store: AlertStore,
        facts: Facts,
        *,
        targets: CurrentTargets,
        bus: Bus,
        maker: JobMaker,
        made: Callable[[Sequence[NewJob]], None],
    ) -> None:
        self._clock = clock
        self._config = config
        self._targets = targets
        self._bus = bus
        self._stop_hearing: list[Callable[[], None]] = []
        self._store = store
        self._facts = facts
        self._maker = maker
        self._made = made
        self._started_at = clock.now()
        self._heard: list[Event] = []
        self._wake = asyncio.Event()

    @property
    def on(self) -> bool:
        """Whether there is anywhere to send alerts to."""
        return bool(self._targets.all)

    async def switch(self, targets: Sequence[Target]) -> None:
        """Send to these from now on; none of them means that there are no alerts. Raises StoreError."""
        await self._store.switch(on=bool(targets))
        self._targets.all = tuple(targets)
        for stop in self._stop_hearing:
            stop()
        self._stop_hearing = []
        if self.on:
            self._stop_hearing = [self._bus.count(self.ended), self._bus.listen(LAUNCH_EVENTS, self.heard)]
            self._wake.set()  # a dead instance may have left something

    async def run(self) -> None:
        """Write down what comes as it comes, and look around every half minute."""
        next_look = self._clock.monotonic() + LOOK_SECONDS
        while True:
            if self.on:
                await until(self._wake, self._clock.sleep(next_look - self._clock.monotonic()))
            else:
                await self._wake.wait()
            if not self.on:
                self._wake.clear()
                continue
            look = self._clock.monotonic() >= next_look
            if look:
                next_look = self._clock.monotonic() + LOOK_SECONDS
            try:
                await self.run_once(look=look)
            except LaunchdError as error:
                _log.error("alerting_failed", error=error.detail)
                self._wake.set()
            await self._clock.sleep(PAUSE_SECONDS)

    def heard(self, event: Event) -> None:
        """Something happened; called by the bus."""
        if event.type in LAUNCH_EVENTS and len(self._heard) < _MOST_HEARD:
            self._heard.append(event)
            self._wake.set()

    def ended(self, ends: Sequence[JobEnd]) -> None:
        """Attempts ended; called by the bus. Those that ended badly are in the inbox already."""
        if any(end.state in _BAD_ENDS for end in ends):
            self._wake.set()

    async def run_once(self, *, look: bool) -> None:
        """Write down what there is to tell, once; raises StoreError, and then forgets nothing."""
        self._wake.clear()
        events = self._heard[:]
        alerts = [alert for event in events if (alert := await self._of_event(event)) is not None]
        troubles = await self._look() if look else None
        if alerts or troubles or await self._store.due():
            jobs = await self._store.record(alerts, troubles, self._clock.now(), self._send_job)
            if jobs:
                _log.info("alerts_made", count=len(jobs))
                self._made(jobs)
        del self._heard[: len(events)]

    async def test(self, idempotency: Idempotency | None = None) -> str:
        """Make an alert that says it is a test; the id of the job that sends it, in one attempt.

        It counts in the hourly limit but is not bound by it. Raises ConflictError when alerts are off.
        Raises IdempotencyError.
        """
        if not self.on:
            raise ConflictError("alerts are off: set [alerts] urls and reload the configuration")
        body = "launchd can reach you here. Nothing is wrong."
        alert = Alert(Rule.TEST, "test", Severity.INFO, "Test of launchd's alerts", body)
        job = await self._store.put(alert, self._clock.now(), self._send_once, idempotency)
        if job is None:
            return idempotency.ids[0] if idempotency is not None else ""
        self._made([job])
        return job.id

    async def alerts(self, limit: int, before: int | None) -> AlertPage:
        """Alerts, newest first, those before that place."""
        rows = await self._store.page(limit + 1, before)
        items = tuple(rows[:limit])
        return AlertPage(items, items[-1].seq if len(rows) > limit else None)

    # --- within ---

    async def _of_event(self, event: Event) -> Alert | None:
        if event.type == "launch.approaching" and not await self._is_chosen(str(event.data.get("id"))):
            return None
        return launch_alert(event.type, event.data, self._config().slip_hours)

    async def _is_chosen(self, launch_id: str) -> bool:
        chosen = {name.casefold() for name in self._config().approaching_providers}
        if not chosen or ALL_PROVIDERS in chosen:
            return bool(chosen)
        try:
            provider = await self._facts.provider(launch_id)
        except NotFoundError:  # merged into another one meanwhile
            return False
        return provider is not None and provider.casefold() in chosen

    async def _look(self) -> list[Trouble]:
        """What is not well now, by the rules that are switched on."""
        config, now, troubles = self._config(), self._clock.now(), []
        rules = config.rules
        if rules.health:
            report = await self._facts.health.report()
            troubles += [
                check_trouble(name, unhealthy=check.level is Level.UNHEALTHY, detail=check.detail)
                for name, check in report.checks.items()
                if check.level is not Level.HEALTHY
            ]
        if rules.queue_wait:
            troubles += queue_troubles(await self._facts.jobs.waiting(), config.queue_wait_seconds, now)
        if rules.source_stale:
            hours = config.stale_source_hours
            troubles += source_troubles(await self._facts.sources(), hours, self._started_at, now)
        return troubles

    def _send_job(self, alert_id: str, now: Instant) -> NewJob:
        return self._maker.requested(TriggerRequest(SEND_TASK, {"alert_id": alert_id}), now)

    def _send_once(self, alert_id: str, now: Instant) -> NewJob:
        return self._maker.requested(TriggerRequest(SEND_TASK, {"alert_id": alert_id}, max_retries=0), now)


def alerts_check(alerting: Alerting, store: AlertStore) -> Check:
    """The last alert that was tried has arrived everywhere."""

    async def check() -> Finding:
        if not alerting.on:
            return Finding(Level.HEALTHY, "off: [alerts] urls is empty")
        error = await store.last_error()
        if error is not None:
            return Finding(Level.DEGRADED, f"the last alert has not arrived: {error}")
        return Finding(Level.HEALTHY, "the last alert has arrived")

    return check


def send_task(store: AlertStore, targets: CurrentTargets, clock: Clock) -> Task:
    """The task that sends one alert to every target that has not had it yet."""

    async def deliver(alert_id: str, alert: Alert, target: Target) -> bool:
        if not await asyncio.to_thread(target.send, alert):
            return False
        await store.delivered(alert_id, target.name, clock.now())
        return True

    @task(name=SEND_TASK, queue="monitoring", max_retries=_MAX_RETRIES, timeout=120)
    async def send_alert(ctx: Context, *, alert_id: str) -> dict[str, Any]:
        """Send an alert to the services of [alerts] urls."""
        present = targets.all
        if not present:
            raise Cancel("alerts are off: [alerts] urls is empty")
        found = await store.delivery(alert_id)
        if found is None:
            raise Cancel(f"there is no alert {alert_id} any more")
        left = [target for target in present if target.name not in found.delivered and not found.sent]
        arrived = await asyncio.gather(*(deliver(alert_id, found.alert, target) for target in left))
        missed = [target.name for target, well in zip(left, arrived, strict=True) if not well]
        if missed:
            reason = f"not delivered to {', '.join(missed)}; the log has the reason"
            await store.not_sent(alert_id, reason)
            raise Retry(reason)
        await store.sent(alert_id, clock.now())
        ctx.log.info("alert_sent", alert_id=alert_id, title=found.alert.title, targets=len(left))
        return {"title": found.alert.title, "delivered": [target.name for target in left]}

    return send_alert
