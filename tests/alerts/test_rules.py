"""The rules of alerts: repeats, troubles, and the hourly limit."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from launchd.alerts.rules import (
    CLEAR_SECONDS,
    REPEAT_SECONDS,
    Alert,
    LastAlert,
    OpenTrouble,
    Rule,
    Severity,
    Trouble,
    admit,
    group_repeats,
    launch_alert,
    queue_troubles,
    summary,
    update_troubles,
)
from launchd.clock import HOUR, MINUTE, SECOND

LOOK = 30 * SECOND
SEEN = st.sampled_from([None, Severity.WARNING, Severity.FAILURE])
ALERTS = st.builds(
    lambda rule, name, count: Alert(rule, f"{rule}:{name}", Severity.INFO, "t", "b", count),
    st.sampled_from([Rule.JOB_FAILED, Rule.LAUNCH_NEW, Rule.HEALTH]),
    st.sampled_from("abc"),
    st.integers(1, 5),
)


def slip(seconds: float) -> Alert | None:
    dates = {"net": "2027-04-21T10:00:00Z", "net_precision": "minute", "before": "2027-04-20T10:00:00Z"}
    data = {"id": "l1", "name": "Crew-20", "status": "go", "seconds": seconds, "source": "gcat"} | dates
    return launch_alert("launch.slipped", data, 24)


@given(st.lists(SEEN, max_size=60))
def test_a_trouble_starts_may_worsen_and_is_over_once_it_has_been_away_long_enough(
    seen: list[Severity | None],
) -> None:
    known: list[OpenTrouble] = []
    told: list[tuple[int, Severity]] = []
    for number, severity in enumerate(seen):
        troubles = [] if severity is None else [Trouble("queue:a", Rule.QUEUE_WAIT, severity, "waits", "long")]
        alerts, known = update_troubles(known, troubles, number * LOOK)
        told += [(number, alert.severity) for alert in alerts]
        assert bool(troubles) <= bool(known)
    for (_, before), (number, after) in pairwise(told):
        away = seen[number - CLEAR_SECONDS * SECOND // LOOK : number + 1]
        if after is Severity.SUCCESS:
            assert before is not Severity.SUCCESS
            assert away == [None] * (CLEAR_SECONDS * SECOND // LOOK + 1)
        else:
            assert before is Severity.SUCCESS or (before, after) == (Severity.WARNING, Severity.FAILURE)
    assert not told or told[0][1] is not Severity.SUCCESS
    assert bool(known) == bool(told and told[-1][1] is not Severity.SUCCESS)


@given(st.lists(st.tuples(st.integers(0, 2 * HOUR), st.lists(ALERTS, max_size=4)), max_size=30))
def test_no_key_is_reported_twice_within_its_time_and_no_occurrence_is_lost(
    steps: list[tuple[int, list[Alert]]],
) -> None:
    told: dict[str, LastAlert] = {}
    times: dict[str, int] = {}
    now = counted = given_ = 0
    for wait, alerts in steps:
        now += wait
        new, more = group_repeats(alerts, told, now)
        given_ += sum(alert.count for alert in alerts)
        counted += sum(alert.count for alert in new) + sum(more.values())
        for key, count in more.items():
            told[key] = LastAlert(told[key].at, told[key].repeats + count)
        for alert in new:
            if (seconds := REPEAT_SECONDS.get(alert.rule)) is not None:
                assert now - times.get(alert.key, now - seconds * SECOND) >= seconds * SECOND
                times[alert.key] = now
                told[alert.key] = LastAlert(now, 0)
    assert counted == given_


@given(st.lists(st.tuples(st.integers(0, 40 * MINUTE), st.integers(0, 9)), max_size=40), st.integers(1, 5))
def test_no_hour_has_more_than_the_limit_and_held_alerts_are_sent_once_there_is_room(
    steps: list[tuple[int, int]], limit: int
) -> None:
    sent: list[int] = []
    now = held = told = made = 0
    for wait, new in [*steps, (HOUR, 0), (HOUR, 0)]:
        now += wait
        made += new
        recent = sum(at > now - HOUR for at in sent)
        admission = admit(new, held, recent, limit)
        assert 0 <= admission.send <= new
        sent += [now] * (admission.send + admission.sum_up)
        told += admission.send + (held if admission.sum_up else 0)
        held = new - admission.send + (0 if admission.sum_up else held)
        assert sum(at > now - HOUR for at in sent) <= limit
    assert (held, told) == (0, made)


def test_no_alert_is_held_while_there_is_room() -> None:
    assert admit(3, 0, 2, 5) == (False, 3)
    assert admit(3, 0, 4, 5) == (False, 1)
    assert admit(3, 7, 4, 5) == (True, 0)
    assert admit(3, 7, 5, 5) == (False, 0)


def test_only_a_slip_beyond_the_configured_length_is_reported_with_its_source() -> None:
    assert slip(86_400) is None
    told = slip(86_401)
    assert told is not None
    assert (told.severity, told.title) == (Severity.WARNING, "Crew-20 slipped to 2027-04-21T10:00:00Z")
    assert "before: 2027-04-20T10:00:00Z\naccording to gcat\n" in told.body


def test_a_summary_says_how_many_and_names_the_first() -> None:
    assert summary(["a"], 0, 3).title == "1 more alert"
    body = summary([str(number) for number in range(12)], 0, 3).body
    assert body.startswith("- 0\n- 1\n")
    assert "- 9\n- and 2 more: launchd alerts\nHeld since 1970-01-01T00:00:00Z: at most 3" in body


def test_a_queue_is_in_trouble_only_beyond_its_limit() -> None:
    waiting = {"slow": (3, 0), "quick": (9, SECOND)}
    assert [one.key for one in queue_troubles(waiting, 60, 61 * SECOND)] == ["queue:slow"]
