"""Doubts about the answer of a source: it does not confirm what the source gave before. Pure.

Such an answer is used for what can be read in it, no known value is lost to it, and the source counts as degraded until
an answer gives no doubt. Records that were never readable are no doubt: they are counted as rejected.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from launchd.clock import Instant
from launchd.launches.launch import FLOWN, Parsed, Rejection, Sighting
from launchd.launches.matching.evidence import Key
from launchd.launches.reconcile import StoredSighting
from launchd.launches.sources.records import SHAPE

# The names under which parsers reject a page, a file, a table or a row whose own name cannot be read.
WHOLE = frozenset({"page", "feed", "file", "table", "row"})


def unreadable(known: Mapping[Key, StoredSighting], sent: Collection[Key], rejections: Iterable[Rejection]) -> set[Key]:
    """The known records that were sent, but rejected as a whole: by their key, their name or their mission."""
    words = {(one.source, one.record) for one in rejections if one.field is None}
    if not words:
        return set()
    return {
        one
        for one, seen in known.items()
        if one not in sent
        and any((one[0], text) in words for text in (one[1], seen.sighting.name, seen.sighting.mission))
    }


def doubted(
    sent: Iterable[Sighting],
    unread: Iterable[Key],
    rejections: Iterable[Rejection],
    short: Mapping[str, tuple[int, int]],
) -> dict[str, str]:
    """A sentence for each source whose answer is in doubt."""
    found: dict[str, list[str]] = defaultdict(list)
    for source, (missing, known) in sorted(short.items()):
        found[source].append(f"its list lacks {missing} of {known} known records, so none of them was retired")
    for one in rejections:
        changed = one.record in WHOLE or one.reason.startswith(SHAPE)
        if one.field is None and changed and not found[one.source]:
            found[one.source].append(f"a part of its answer cannot be read: {one.reason}")
    _count(found, unread, "known records could not be read again, such as")
    kept = [(one.source, f"{', '.join(one.kept)} of {one.source_id}") for one in sent if one.kept]
    _count(found, kept, "records have fields that could not be read again; their known values are kept, such as")
    return {source: "; ".join(lines) for source, lines in found.items() if lines}


def _count(found: dict[str, list[str]], listed: Iterable[tuple[str, str]], words: str) -> None:
    """Add a line for each source with the number of its items and the first of them."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, text in listed:
        by_source[source].append(text)
    for source, texts in by_source.items():
        found[source].append(f"{len(texts)} {words} {min(texts)}")


def emptied(source: str, parsed: Parsed, seen: Mapping[Key, StoredSighting]) -> str | None:
    """Why an answer without any launch is an error: the source has given launches before; None if it has not."""
    known = sum(one[0] == source and each.retired_at is None for one, each in seen.items())
    if parsed.sightings or not known:
        return None
    return f"{source}: its answer holds no launches, though {known} of its records are known"


def vanished(source: str, parsed: Parsed, seen: Mapping[Key, StoredSighting], now: Instant) -> str | None:
    """The doubt about an answer with a blank page and without any of the launches to come that the source gave."""
    if not parsed.blank:
        return None
    sent = {one.source_id for one in parsed.sightings}
    coming = [one[1] for one, each in seen.items() if one[0] == source and _to_come(each, now)]
    if not coming or not sent.isdisjoint(coming):
        return None
    return f"a page of its answer holds no launches, and it has none of the {len(coming)} launches to come that it gave"


def _to_come(one: StoredSighting, now: Instant) -> bool:
    sighting = one.sighting
    flown = sighting.status in FLOWN or one.retired_at is not None
    return not flown and sighting.net is not None and sighting.net.latest >= now


def joined(*doubts: str | None) -> str | None:
    """Several doubts as one sentence; None if there are none."""
    found: Sequence[str] = [one for one in doubts if one]
    return "; ".join(found) or None
