"""How often the schedules read each source: a source that was not read for much longer was away. Pure."""

from collections.abc import Iterable, Mapping
from itertools import islice, pairwise

from launchd.clock import Instant
from launchd.config import ScheduleConfig
from launchd.errors import InvalidError
from launchd.launches.sources import SOURCES
from launchd.schedules.recurrence import occurrences

# The longest gap between so many fires is the period: a schedule may fire on working days only.
_FIRES = 16
_TASK = "scrape_launch_data"


def periods(schedules: Iterable[ScheduleConfig], now: Instant) -> dict[str, Instant]:
    """The period in which each source is read, by the densest of its schedules; without one, it has none."""
    found: dict[str, Instant] = {}
    for one in schedules:
        period = _period(one, now) if one.enabled and one.task == _TASK else None
        if period is not None:
            for name in _sources(one.args):
                found[name] = min(period, found.get(name, period))
    return found


def _period(schedule: ScheduleConfig, now: Instant) -> Instant | None:
    try:
        fires = list(islice(occurrences(schedule.recurrence(), now), _FIRES))
    except InvalidError:  # a configuration with it is refused; this function reads none of it
        return None
    return max((second - first for first, second in pairwise(fires)), default=None)


def _sources(args: Mapping[str, object]) -> Iterable[str]:
    named = args.get("sources")
    return [str(name) for name in named] if isinstance(named, list) else SOURCES
