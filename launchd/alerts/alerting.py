"""Alerting: collects events and troubles, stores the alerts that `rules` makes of them, and creates jobs to send them.

A trigger in the database notes each job that fails or is quarantined, in the transaction that ends it. So no failure is
missed, not even one that a crash of the daemon caused. Events of launches come from the bus; health, queues and sources
are checked every half minute. Owned by the control loop; `send_alert` runs on the task loop.

Delivery is at least once: if a service accepted an alert and its response, or our record of it, was lost, the alert is
sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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
# How often health, queues and sources are checked, and the least time between two writes.
LOOK_SECONDS, PAUSE_SECONDS = 30.0, 1.0
# 1, 2, 4 ... 60 minutes: about three hours in all
_MAX_RETRIES = 8
_BAD_ENDS = frozenset({JobState.FAILED.value, JobState.QUARANTINED.value})
# The most events that wait for the store; further ones are dropped, since a failing store is reported by health.
_MOST_HEARD = 1000
ALL_PROVIDERS = "*"


class Facts(NamedTuple):
    """The parts to check.

    `sources` returns the last success of each enabled source, `providers` all names of the provider of a launch.
    """

    health: Health
    jobs: JobStore
    sources: Callable[[], Awaitable[Mapping[str, Instant | None]]]
    providers: Callable[[str], Awaitable[Collection[str]]]


class AlertPage(NamedTuple):
    """Alerts, newest first, and where the next page begins."""

    items: tuple[AlertRow, ...]
    next: int | None


class Alerting:
    """Makes alerts. While there is no target, it does nothing and costs nothing.

    `config` returns the configuration in force.
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
        """True if there is a target."""
        return bool(self._targets.all)

    async def switch(self, targets: Sequence[Target]) -> None:
        """Send to these targets from now on; without targets alerts are off. Raises StoreError."""
        await self._store.switch(on=bool(targets))
        self._targets.all = tuple(targets)
        for stop in self._stop_hearing:
            stop()
        self._stop_hearing = []
        if self.on:
            self._stop_hearing = [self._bus.subscribe_ends(self.ended), self._bus.listen(LAUNCH_EVENTS, self.heard)]
            self._wake.set()  # a dead instance may have left alerts

    async def run(self) -> None:
        """Store alerts as they come, and check for troubles every half minute."""
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
        """Keep an event of a launch; called by the bus."""
        if event.type in LAUNCH_EVENTS and len(self._heard) < _MOST_HEARD:
            self._heard.append(event)
            self._wake.set()

    def ended(self, ends: Sequence[JobEnd]) -> None:
        """Wake up if jobs have failed; called by the bus. The failed jobs are in the inbox already."""
        if any(end.state in _BAD_ENDS for end in ends):
            self._wake.set()

    async def run_once(self, *, look: bool) -> None:
        """Store the alerts that are due, once; raises StoreError, and then keeps the events for the next time."""
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
        """Make a test alert; returns the id of the job that sends it, in one attempt.

        It counts towards the hourly limit but is not held back by it. Raises ConflictError if alerts are off, and
        IdempotencyError.
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
        """A page of alerts, newest first; `before` is the `next` of the previous page."""
        rows = await self._store.page(limit + 1, before)
        items = tuple(rows[:limit])
        return AlertPage(items, items[-1].seq if len(rows) > limit else None)

    # --- internal ---

    async def _of_event(self, event: Event) -> Alert | None:
        if event.type == "launch.approaching" and not await self._is_chosen(str(event.data.get("id"))):
            return None
        return launch_alert(event.type, event.data, self._config().slip_hours)

    async def _is_chosen(self, launch_id: str) -> bool:
        chosen = {name.casefold() for name in self._config().approaching_providers}
        if not chosen or ALL_PROVIDERS in chosen:
            return bool(chosen)
        try:
            names = await self._facts.providers(launch_id)
        except NotFoundError:  # it was merged into another launch meanwhile
            return False
        return not chosen.isdisjoint(name.casefold() for name in names)

    async def _look(self) -> list[Trouble]:
        """The present troubles, by the rules that are switched on."""
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
    """A health check: the last alert was delivered to all targets."""

    async def check() -> Finding:
        if not alerting.on:
            return Finding(Level.HEALTHY, "off: [alerts] urls is empty")
        error = await store.last_error()
        if error is not None:
            return Finding(Level.DEGRADED, f"the last alert was not delivered: {error}")
        return Finding(Level.HEALTHY, "the last alert was delivered")

    return check


def send_task(store: AlertStore, targets: CurrentTargets, clock: Clock) -> Task:
    """The task that sends one alert to every target that has not received it yet."""

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
            raise Cancel(f"alert {alert_id} no longer exists")
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
