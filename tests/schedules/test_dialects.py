"""Schedules pasted from elsewhere: each is refused with the line to write, and that line is accepted."""

import re

import pytest

from launchd.errors import InvalidError
from launchd.schedules.cron import DayMatch
from launchd.schedules.recurrence import parse_every, parse_recurrence

# (text, the line to write in its place)
PASTED = [
    ("@reboot", "@startup"),
    ("@minutely", "* * * * *"),
    ("@noon", "0 12 * * *"),
    ("@quarterly", "0 0 1 */3 *"),
    ("daily", "@daily"),
    ("Weekly", "@weekly"),
    ("TZ=Europe/Berlin 0 3 * * *", "0 3 * * *"),
    ("CRON_TZ=UTC 0/5 3 * * *", "*/5 3 * * *"),
    ("0 3 * * * Europe/Berlin", "0 3 * * *"),
    ("0 0 0 1/1 * ? *", "0 0 0 * * ?"),
    ("0 15 10 ? * 6L 2002-2005", "0 15 10 ? * 6L"),
    ("0 18 ? * MON-FRI *", "0 18 ? * MON-FRI"),
    ("0 3 * * 1-5 2027", "0 3 * * 1-5"),
    ("cron(0 18 ? * MON-FRI *)", "0 18 * * MON-FRI"),
    ("cron(0/15 * * * ? *)", "*/15 * * * *"),
    ("cron(0 10 ? * 2-6 *)", "0 10 * * 1-5"),
    ("cron(0 9 ? * 2#1 *)", "0 9 * * 1#1"),
    ("cron(0 9 LW * ? *)", "0 9 LW * *"),
    ("crontab(minute=0, hour='*/3,8-17')", "0 */3,8-17 * * *"),
    ("crontab(hour=7, minute=30, day_of_week=1)", "30 7 * * 1"),
    ("crontab(0, 0, day_of_month='2')", "0 0 2 * *"),
    ("crontab(minute=[0, 30], day_of_week='monday')", "0,30 * * * mon"),
    ("crontab()", "* * * * *"),
    ("celery.schedules.crontab(minute='*/5')", "*/5 * * * *"),
    ("Mon..Fri *-*-* 03:00", "0 3 * * Mon-Fri"),
    ("OnCalendar=*-*-* 03:00:00", "0 3 * * *"),
    ("*:0/15", "*/15 * * * *"),
    ("03:00", "0 3 * * *"),
    ("0 3 * * * /usr/bin/backup", "0 3 * * *"),
    ("0 3 * * * root /usr/bin/backup --all", "0 3 * * *"),
    ("5 4 * * sun echo hi", "5 4 * * sun"),
    ("0 3 * * * # nightly", "0 3 * * *"),
    ('"0 3 * * *"', "0 3 * * *"),
    ("`0 3 * * *`", "0 3 * * *"),
]
INTERVALS = [
    *(("@every 5m", "5m"), ("@every 1h30m", "90m"), ("@every 90s", "90s"), ("rate(5 minutes)", "5m")),
    *(("rate(1 day)", "1d"), ("timedelta(seconds=30)", "30s"), ("every 5 minutes", "5m"), ("1h", "1h")),
    *(("datetime.timedelta(hours=1, minutes=30)", "90m"), ("schedule(60 seconds)", "1m")),
]
WORDS = [
    ("0 0 * * L", "6L for the last Saturday"),
    ("0 0 5L * *", "5L, belongs into the last field"),
    ("0 0 * * 5W", "L and W of the month belong into the field of the day"),
    ("0 L * * *", "write 23 for the last hour"),
    ("0 0 L-0 * *", "write L"),
    ("0 0 L-31 * *", "L-1 to L-30"),
    ("0 0 L-30 2 *", "no such date ever comes"),
    ("0 0 5#3 * *", "# counts weekdays"),
    ("0 0 * * 5#6", "#1 to #5"),
    ("0 0 * * sunday", "write sun"),
    ("0 0 * * sat-sun", "backwards; write sat,sun"),
    ("0 0 * * monday-friday", "write mon-fri"),
    ("0 0 * september *", "write sep"),
    ("0 0 * * lun", "one of sun, mon"),
    ("0~59 * * * *", "use jitter_seconds and write 0"),
    ("H * * * *", "use jitter_seconds and write 0"),
    ("H/15 * * * *", "use jitter_seconds and write */15"),
    ("H(0-29)/10 * * * *", "use jitter_seconds and write 0-29/10"),
    ("? 0 * * *", "write *"),
    ("*/90 * * * *", 'every = "90m"'),
    ("5, * * * *", "leave out the comma"),
    ("@every 1.5h", 'every = "5m"'),
    ("@every 0s", 'every = "5m"'),
    ("@fortnightly", "expected @startup or one of @hourly"),
    ("2027-01-01T00:00:00Z", "write five fields"),
    ("every day at 3", "write five fields"),
    ("crontab(minute=range(5))", "write five fields"),
    ("0 3 * * *" + " " * 1000, "at most 1000 characters"),
]


def refusal(text: str) -> str:
    with pytest.raises(InvalidError) as refused:
        parse_recurrence(text)
    return refused.value.detail


@pytest.mark.parametrize(("text", "instead"), PASTED)
def test_the_syntax_of_another_program_is_refused_with_a_line_that_is_accepted(text: str, instead: str) -> None:
    assert refusal(text).endswith(f"write {instead}")
    parse_recurrence(instead)


@pytest.mark.parametrize(("text", "every"), INTERVALS)
def test_an_interval_is_refused_with_the_key_that_takes_it(text: str, every: str) -> None:
    advised = re.search(r'use every = "(\w+)" in place of cron$', refusal(text))
    assert advised
    assert advised[1] == every
    parse_every(every)


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_a_refusal_names_what_to_write(text: str, words: str) -> None:
    assert words in refusal(text)


def test_a_zone_in_the_expression_is_refused_with_the_key_that_takes_it() -> None:
    for text in ("TZ=Europe/Berlin 0 3 * * *", "0 3 * * * Europe/Berlin"):
        assert 'set timezone = "Europe/Berlin" and write 0 3 * * *' in refusal(text)


def test_a_crontab_of_celery_with_both_days_is_advised_to_set_day_match() -> None:
    told = refusal("crontab(0, 0, day_of_month='13', day_of_week='fri')")
    assert 'set day_match = "and"' in told
    assert told.endswith("write 0 0 13 * fri")
    parse_recurrence("0 0 13 * fri", day_match=DayMatch.AND)


def test_weekday_numbers_beside_a_question_mark_are_warned_of() -> None:
    assert "count from 1" in parse_recurrence("0 0 ? * 2").warnings()[0]
    assert parse_recurrence("0 0 ? * mon").warnings() == []
