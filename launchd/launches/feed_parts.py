"""The parts that all files of launches share: attributions, links, and the launches that cannot be written."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import ParamSpec, TypeVar

from launchd.launches.launch import Launch
from launchd.launches.store import Record
from launchd.values.rows import log_unreadable

T = TypeVar("T")
P = ParamSpec("P")
# A source's line of attribution, by the source's name.
Attributions = Mapping[str, str]
_LINK = re.compile(r"https?://[!-~]{1,2000}", re.IGNORECASE)


def try_record(record: Record, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The part of one launch; None if it cannot be written, so that the others still are."""
    try:
        return make(*args, **kwargs)
    except Exception:  # noqa: BLE001 - a row may hold anything, and the libraries raise anything for it
        log_unreadable("launches", record.launch.id, (make.__name__.strip("_"),))
        return None


def attribution(launches: Iterable[Launch], attributions: Attributions) -> tuple[str, ...]:
    """The attributions of the sources of these launches, each once; a source without one gives its name."""
    return tuple(dict.fromkeys(attributions.get(source, source) for one in launches for source in one.sources))


def links(launch: Launch) -> tuple[str, ...]:
    """The links of a launch that are addresses of pages: http or https, without blanks and control characters."""
    return tuple(url for url in launch.urls if _LINK.fullmatch(url))
