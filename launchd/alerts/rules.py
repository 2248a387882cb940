"""The rules of alerts: which facts make an alert, which are repeats, and how many alerts are sent in an hour. Pure.

Two kinds of facts make alerts. An *occurrence* (a job failed, a launch slipped) is reported when it happens; repeats of
the same `key` within `REPEAT_SECONDS` of its rule only raise the count of the first alert. A *trouble* (a failing
check, a queue whose jobs wait, a stale source) lasts: it is reported when it starts, when it worsens, and when it has
been over for `CLEAR_SECONDS`. So a trouble that comes and goes is reported once.

Nothing here reads a clock or a store. Instants are microseconds since the Unix epoch, UTC.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from launchd.clock import DAY, HOUR, SECOND, Instant, format_instant

# The task that sends alerts; its own failures are never alerts.
SEND_TASK = "send_alert"
# How long a trouble must be over before its end is reported.
CLEAR_SECONDS = 300
# The window of the limit on sent alerts.
LIMIT_WINDOW = HOUR
_SHOWN_TITLES = 10
_MAX_TITLE, _MAX_BODY = 200, 4000


class Rule(StrEnum):
    """The reason of an alert. All but the last two can be switched off in `[alerts.rules]`."""

    JOB_FAILED = "job_failed"
    JOB_QUARANTINED = "job_quarantined"
    HEALTH = "health"
    QUEUE_WAIT = "queue_wait"
    SOURCE_STALE = "source_stale"
    LAUNCH_NEW = "launch_new"
    LAUNCH_SLIPPED = "launch_slipped"
    LAUNCH_STATUS = "launch_status"
    LAUNCH_APPROACHING = "launch_approaching"
    SUMMARY = "summary"
    TEST = "test"


# The events that lead to alerts.
LAUNCH_EVENTS = {
    "launch.made": Rule.LAUNCH_NEW,
    "launch.slipped": Rule.LAUNCH_SLIPPED,
    "launch.status_changed": Rule.LAUNCH_STATUS,
    "launch.approaching": Rule.LAUNCH_APPROACHING,
}

# How long repeats of a key are only counted. An alert of a rule that is not named here is never a repeat.
REPEAT_SECONDS = {
    Rule.JOB_FAILED: 3600,
    Rule.JOB_QUARANTINED: 3600,
    Rule.LAUNCH_NEW: 86_400,
    Rule.LAUNCH_SLIPPED: 3600,
    Rule.LAUNCH_STATUS: 3600,
    Rule.LAUNCH_APPROACHING: 86_400,
}
LONGEST_REPEAT = DAY


class Severity(StrEnum):
    """The severity, least first; the words are those of apprise."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


_GRAVITY = list(Severity)


class Alert(msgspec.Struct, frozen=True):
    """An alert. Alerts of one `key` are repeats; `count` is the number of occurrences that this one stands for."""

    rule: Rule
    key: str
    severity: Severity
    title: str
    body: str
    count: int = 1


class Trouble(NamedTuple):
    """A present problem, by `key`."""

    key: str
    rule: Rule
    severity: Severity
    title: str
    body: str


class OpenTrouble(NamedTuple):
    """A trouble that was reported. `severity` is its worst so far; `clear_since` is when it was first seen over."""

    key: str
    rule: Rule
    severity: Severity
    title: str
    since: Instant
    clear_since: Instant | None = None


class LastAlert(NamedTuple):
    """The newest alert of a key: when it was made, and how many repeats were counted since."""

    at: Instant
    repeats: int


class Admission(NamedTuple):
    """The alerts to send now: a summary of the held ones, and the first `send` new ones. The others are held."""

    sum_up: bool
    send: int


def update_troubles(
    known: Sequence[OpenTrouble], troubles: Sequence[Trouble], now: Instant
) -> tuple[list[Alert], list[OpenTrouble]]:
    """The alerts for the present troubles, and the troubles that are open from now on."""
    present = {trouble.key: trouble for trouble in troubles}
    alerts, still = [], []
    for one in known:
        trouble = present.pop(one.key, None)
        if trouble is not None and _gravity(trouble.severity) > _gravity(one.severity):
            alerts.append(Alert(one.rule, one.key, trouble.severity, trouble.title, trouble.body))
            still.append(one._replace(severity=trouble.severity, title=trouble.title, clear_since=None))
        elif trouble is not None:
            still.append(one._replace(clear_since=None))
        elif one.clear_since is None:
            still.append(one._replace(clear_since=now))
        elif now - one.clear_since < CLEAR_SECONDS * SECOND:
            still.append(one)
        else:
            alerts.append(_over(one))
    for trouble in present.values():
        alerts.append(Alert(trouble.rule, trouble.key, trouble.severity, trouble.title, trouble.body))
        still.append(OpenTrouble(trouble.key, trouble.rule, trouble.severity, trouble.title, now))
    return alerts, still


def group_repeats(
    alerts: Sequence[Alert], last: Mapping[str, LastAlert], now: Instant
) -> tuple[list[Alert], dict[str, int]]:
    """The new alerts, and by key the number of repeats of an alert that was sent before.

    Alerts of one key become one. A new alert says how many repeats of its key were counted since the last one.
    """
    new: dict[str, Alert] = {}
    single: list[Alert] = []
    more: dict[str, int] = {}
    for alert in alerts:
        seconds = REPEAT_SECONDS.get(alert.rule)
        before = last.get(alert.key)
        if seconds is None:
            single.append(alert)
        elif before is not None and before.at <= now < before.at + seconds * SECOND:
            more[alert.key] = more.get(alert.key, 0) + alert.count
        elif alert.key in new:
            new[alert.key] = msgspec.structs.replace(alert, count=new[alert.key].count + alert.count)
        else:
            new[alert.key] = alert
    return [_with_counts(alert, last.get(alert.key)) for alert in new.values()] + single, more


def admit(new: int, held: int, sent: int, limit: int) -> Admission:
    """How many of `new` alerts may be sent if `sent` were sent in the last hour, of at most `limit`.

    The held alerts come first, as one summary, which counts as one.
    """
    room = max(limit - sent, 0)
    if held and not room:
        return Admission(sum_up=False, send=0)
    return Admission(sum_up=held > 0, send=min(new, room - (1 if held else 0)))


def summary(titles: Sequence[str], since: Instant, limit: int) -> Alert:
    """The summary of the held alerts (their titles, oldest first)."""
    lines = [f"- {title}" for title in titles[:_SHOWN_TITLES]]
    if len(titles) > _SHOWN_TITLES:
        lines.append(f"- and {len(titles) - _SHOWN_TITLES} more: launchd alerts")
    lines.append(f"Held since {format_instant(since)}: at most {limit} alerts are sent in an hour.")
    title = f"{len(titles)} more alert{'s' if len(titles) > 1 else ''}"
    return Alert(Rule.SUMMARY, "summary", Severity.WARNING, title, "\n".join(lines), len(titles))


def job_alert(task: str, state: str, count: int, job_id: str, reason: str | None) -> Alert:
    """The alert for jobs of a task that failed or were quarantined; `job_id` is the last of them."""
    quarantined = state == "quarantined"
    rule = Rule.JOB_QUARANTINED if quarantined else Rule.JOB_FAILED
    verb = "quarantined" if quarantined else "failed"
    hint = f"Details: launchd job {job_id}\nRetry: launchd retry {job_id}"
    body = f"{reason or 'no reason is known'}\n{hint}"
    return _alert(rule, f"{rule}:{task}", Severity.FAILURE, f"{task} {verb}", body, count=count)


def launch_alert(kind: str, data: Mapping[str, Any], slip_hours: float) -> Alert | None:
    """The alert for one of `LAUNCH_EVENTS` with its data (launchd/launches/news.py); None for a small slip."""
    rule, name, net, status = LAUNCH_EVENTS[kind], data["name"], data.get("net"), data.get("status")
    if rule is Rule.LAUNCH_SLIPPED and data["seconds"] <= slip_hours * HOUR / SECOND:
        return None
    title, key = {
        Rule.LAUNCH_NEW: (f"New launch: {name}", None),
        Rule.LAUNCH_SLIPPED: (f"{name} slipped to {net}", net),
        Rule.LAUNCH_STATUS: (f"{name} is now {status}", status),
        Rule.LAUNCH_APPROACHING: (f"{name} is due within {data.get('hours')} h", data.get("hours")),
    }[rule]
    words = [
        f"NET {net}, to the {data.get('net_precision')}" if net else "no date",
        f"before: {data['before']}" if data.get("before") else None,
        f"according to {data['source']}" if data.get("source") else None,
        f"Details: launchd launch {data['id']}",
    ]
    severity = Severity.WARNING if rule is Rule.LAUNCH_SLIPPED else Severity.INFO
    return _alert(rule, f"{rule}:{data['id']}:{key}", severity, title, "\n".join(word for word in words if word))


def check_trouble(name: str, *, unhealthy: bool, detail: str) -> Trouble:
    """The trouble of a health check that is degraded or unhealthy."""
    severity, word = (Severity.FAILURE, "unhealthy") if unhealthy else (Severity.WARNING, "degraded")
    return Trouble(f"health:{name}", Rule.HEALTH, severity, f"{name} is {word}", f"{detail}\nDetails: launchd health")


def queue_troubles(waiting: Mapping[str, tuple[int, Instant]], seconds: float, now: Instant) -> list[Trouble]:
    """The queues whose oldest due job has waited too long; `waiting` maps each to the number of jobs and the oldest."""
    return [
        Trouble(
            f"queue:{queue}",
            Rule.QUEUE_WAIT,
            Severity.WARNING,
            f"Jobs wait long in queue {queue}",
            f"{count} wait, the oldest since {format_instant(since)}\nDetails: launchd queues",
        )
        for queue, (count, since) in waiting.items()
        if now - since > seconds * SECOND
    ]


def source_troubles(
    last_success: Mapping[str, Instant | None], hours: float, started_at: Instant, now: Instant
) -> list[Trouble]:
    """The sources without a success for so many hours; without any success, counted from the start of the daemon."""
    troubles = []
    for source, success in last_success.items():
        if now - (started_at if success is None else success) <= hours * HOUR:
            continue
        last = "it has never succeeded" if success is None else f"its last success was {format_instant(success)}"
        title, body = f"Source {source} is stale", f"{last}\nDetails: launchd sources"
        troubles.append(Trouble(f"source:{source}", Rule.SOURCE_STALE, Severity.WARNING, title, body))
    return troubles


def _over(one: OpenTrouble) -> Alert:
    body = f"It lasted from {format_instant(one.since)} to {format_instant(one.clear_since or 0)}."
    return _alert(one.rule, one.key, Severity.SUCCESS, f"Resolved: {one.title}", body)


def _with_counts(alert: Alert, before: LastAlert | None) -> Alert:
    words = [f"{alert.count} times."] if alert.count > 1 else []
    if before is not None and before.repeats:
        words.append(f"{before.repeats} more since {format_instant(before.at)} were not reported one by one.")
    return msgspec.structs.replace(alert, body="\n".join([alert.body, *words]))


def _alert(rule: Rule, key: str, severity: Severity, title: str, body: str, *, count: int = 1) -> Alert:
    return Alert(rule, key, severity, title[:_MAX_TITLE], body[:_MAX_BODY], count)


def _gravity(severity: Severity) -> int:
    return _GRAVITY.index(severity)
