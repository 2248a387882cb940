"""How well sightings become launches: `make quality` measures the product on recorded payloads against ground truth.

The payloads are parsed by the product's own parsers and matched by its own rules. A pair counts as found when two
records that the truth knows are put in one launch. A found pair is wrong when the truth gives the two different keys,
or when it knows another record of that source for the launch. Ground truth is never seen by the product.

`SOURCES=` is a folder with one folder for each kind of payload, `TRUTH=` a table of `launch_key, source, source_id,
name, net_utc`.
"""

import csv
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, count
from pathlib import Path
from typing import NamedTuple

import msgspec

from launchd.clock import DAY, MINUTE, format_instant, parse_instant
from launchd.launches.ingest import Stored, plan
from launchd.launches.launch import Sighting
from launchd.launches.matching import names
from launchd.launches.matching.evidence import Key
from launchd.launches.matching.match import assign, key
from launchd.launches.sources import SOURCES
from tests.bench import coverage_of_names, details_kept, parsed_rows
from tests.support.launch_memory import remembered
from tests.support.paths import SHARED
from tests.support.recorded_payloads import recordings

# At least this precision and this recall.
TARGET = 0.995
LAUNCHES = 80_000
SHOWN = int(os.environ.get("SHOWN") or 25)


class Found(NamedTuple):
    """The result for the pairs of records of two labels.

    `wrong` has pairs of different launches that were merged, `missed` pairs of one launch that were left apart.
    """

    right: int
    wrong: list[tuple[Key, Key]]
    missed: list[tuple[Key, Key]]

    def precision(self) -> float:
        """The share of the judged merges that are right."""
        return self.right / (self.right + len(self.wrong)) if self.right + len(self.wrong) else 1.0

    def recall(self) -> float:
        """The share of the true pairs that were found."""
        return self.right / (self.right + len(self.missed)) if self.right + len(self.missed) else 1.0


# --- the records ---


def parsed(root: Path) -> dict[str, dict[str, Sighting]]:
    """The sightings by label and id, each label as a source of its own; `ll2_first_seen` is each id's first capture."""
    found: dict[str, dict[str, Sighting]] = defaultdict(dict)
    for recording in recordings(root):
        source = SOURCES.get(recording.source)
        if source is None:
            _say(f"  {recording.label}: no source {recording.source} yet")
            continue
        said = source.parse(recording.payloads)
        if not said.sightings:
            _say(f"  {recording.label}: {recording.files[0]} cannot be read and is left out: {said.rejections[:1]}")
            continue
        for sighting in said.sightings:
            found[recording.label][sighting.source_id] = _labelled(sighting, recording.label)
            if recording.label == "ll2":
                first = _labelled(sighting, "ll2_first_seen")
                found["ll2_first_seen"].setdefault(sighting.source_id, first)
    return found


# The label that stands for a source in the keys that other sources give.
_LABELS = {"launch_library": "ll2", "spacex_api": "spacex_v4"}


def _labelled(sighting: Sighting, label: str) -> Sighting:
    cross = {_LABELS.get(source, source): one for source, one in sighting.cross_ids.items()}
    return msgspec.structs.replace(sighting, source=label, cross_ids=cross)


# --- the ground truth ---


def true_launches(path: Path, found: Mapping[str, Mapping[str, Sighting]]) -> dict[Key, str]:
    """The launch of each record that the truth knows. GCAT's tags are the truth's keys, so all of its records count."""
    launches: dict[Key, str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = found.get(row["source"], {})
            one = row["source_id"] if row["source_id"] in known else _record(known, row["name"], row["net_utc"])
            if one is not None:
                launches[row["source"], one] = row["launch_key"]
    for one, sighting in found.get("gcat", {}).items():
        launches.setdefault(("gcat", one), sighting.designator or one)
    return launches


def _record(known: Mapping[str, Sighting], name: str, net: str) -> str | None:
    """The record of a source with other ids than the truth: that of the same minute, by name if there are several."""
    instant = parse_instant(net)
    near = [one for one in known.values() if one.net and abs(one.net.earliest - instant) <= 2 * MINUTE]
    named = [one for one in near if names.plain(name) in names.plain(one.name)]
    chosen = named if len(near) > 1 else near
    return chosen[0].source_id if len(chosen) == 1 else None


# --- the measure ---


def measured(groups: Iterable[Sequence[Key]], labels: tuple[str, str], launches: Mapping[Key, str]) -> Found:
    """Judge the pairs of two labels."""
    group_of = {one: number for number, members in enumerate(groups) for one in members}
    of_launch: dict[str, dict[str, list[Key]]] = defaultdict(lambda: defaultdict(list))
    in_group: dict[int, dict[str, list[Key]]] = defaultdict(lambda: defaultdict(list))
    for one, number in group_of.items():
        if one[0] in labels:
            in_group[number][one[0]].append(one)
            if one in launches:
                of_launch[launches[one]][one[0]].append(one)
    first, second = labels
    true = {(a, b) for one in of_launch.values() for a in one[first] for b in one[second]}
    made = {(a, b) for one in in_group.values() for a in one[first] for b in one[second]}
    wrong = [pair for pair in made - true if _is_wrong(*pair, launches, of_launch)]
    return Found(len(true & made), sorted(wrong), sorted(true - made))


def _is_wrong(
    a: Key, b: Key, launches: Mapping[Key, str], of_launch: Mapping[str, Mapping[str, Sequence[Key]]]
) -> bool:
    """True if a merge contradicts the truth; an unknown record is wrong only in place of a known one."""
    if a in launches and b in launches:
        return launches[a] != launches[b]
    known, other = (a, b) if a in launches else (b, a)
    return known in launches and bool(of_launch[launches[known]].get(other[0]))


def near_pairs(launches: Mapping[Key, str], found: Mapping[Key, Sighting]) -> list[tuple[Key, Key]]:
    """Records of different launches of one vehicle family less than a day apart: what must never be merged."""
    timed = sorted(
        (one.net.earliest, names.vehicle_family(one.vehicle), where)
        for where, one in found.items()
        if where in launches and one.net is not None and one.vehicle
    )
    pairs = []
    for index, (net, family, where) in enumerate(timed):
        for later, other_family, other in timed[index + 1 :]:
            if later - net >= DAY:
                break
            if family == other_family and where[0] != other[0] and launches[where] != launches[other]:
                pairs.append((where, other))
    return pairs


def agreement(pairs: Iterable[tuple[Sighting, Sighting]]) -> dict[str, tuple[int, int]]:
    """By field: how often the two records of one launch agree, and how often both have a value."""
    tests: dict[str, Callable[[Sighting], object]] = {
        "status": lambda one: one.status,
        "vehicle": lambda one: names.vehicle_family(one.vehicle) if one.vehicle else None,
        "provider": lambda one: names.provider_name(one.provider) if one.provider else None,
        "pad": lambda one: names.pad_of(one.pad, one.location.name if one.location else None),
    }
    counts: dict[str, list[int]] = {field: [0, 0] for field in ("net", *tests)}
    for a, b in pairs:
        if a.net and b.net:
            counts["net"][0] += a.net.overlaps(b.net, slack=MINUTE)
            counts["net"][1] += 1
        for field, said in tests.items():
            one, other = said(a), said(b)
            if one is not None and other is not None:
                counts[field][0] += one == other
                counts[field][1] += 1
    return {field: (agreeing, both) for field, (agreeing, both) in counts.items()}


# --- the report ---


def report(root: Path, truth: Path) -> bool:
    """Print the figures; False if a target is missed."""
    found = parsed(root)
    launches = true_launches(truth, found)
    everything = {key(one): one for known in found.values() for one in known.values()}
    for label, known in found.items():
        _say(f"  {label}: {len(known)} records, {sum(one[0] == label for one in launches)} of them known to the truth")
    together = assign(everything.values(), {}).groups
    judged = _print_pairs(found, together, launches)
    sums = {
        "all pairs": list(judged),
        "without ll2_first_seen (states of ll2's own records)": [one for one in judged if "ll2_first_seen" not in one],
        "spacex_v4 with any other": [one for one in judged if "spacex_v4" in one],
        "ll2_first_seen as a source of its own": [one for one in judged if "ll2_first_seen" in one],
    }
    _say("")
    totals = {what: _sum(judged[pair] for pair in pairs) for what, pairs in sums.items()}
    for what, total in totals.items():
        _say(f"{what:60} {_figures(total)}")
    kept, first, through = through_its_id(found, launches)
    told = f"{_figures(through)}, {kept} of {first} kept their launch"
    _say(f"{'ll2_first_seen through its id, as it is scraped':60} {told}")
    mistakes = [f"merged {_shown(everything, pair)}" for one in judged.values() for pair in one.wrong]
    mistakes += [f"apart  {_shown(everything, pair)}" for one in judged.values() for pair in one.missed]
    _list(mistakes)
    group_of = {one: number for number, members in enumerate(together) for one in members}
    negatives = near_pairs(launches, everything)
    merged = [pair for pair in negatives if group_of[pair[0]] == group_of[pair[1]]]
    _say(f"{len(negatives)} pairs of records of different launches of one vehicle within 24 h: {len(merged)} merged")
    _list([f"merged {_shown(everything, pair)}" for pair in merged])
    _print_agreement(found, launches)
    _print_scale(found)
    reached = totals["without ll2_first_seen (states of ll2's own records)"]
    return not merged and min(reached.precision(), reached.recall(), through.precision(), through.recall()) >= TARGET


def _print_pairs(
    found: Mapping[str, Mapping[str, Sighting]], together: Sequence[Sequence[Key]], launches: Mapping[Key, str]
) -> dict[tuple[str, str], Found]:
    """Print each pair of labels: matched alone, which is judged, and matched among all sources."""
    _say(f"\n  {'each pair of sources matched by itself':38} true   precision  recall  (among all)")
    judged = {}
    for labels in combinations(sorted(found), 2):
        alone = assign([one for label in labels for one in found[label].values()], {}).groups
        one, among = measured(alone, labels, launches), measured(together, labels, launches)
        true = one.right + len(one.missed)
        if true or one.wrong:
            judged[labels] = one
            _say(
                f"  {labels[0]:18} {labels[1]:18} {true:5} {one.precision():11.4f} {one.recall():7.4f}"
                f"  ({among.precision():.4f} {among.recall():.4f})"
            )
    return judged


def through_its_id(found: Mapping[str, Mapping[str, Sighting]], launches: Mapping[Key, str]) -> tuple[int, int, Found]:
    """Scrape the first capture of ll2 with all other sources, then its last capture.

    Returns (launches that kept their id, launches, the pairs of ll2's records with the others).
    """
    ids = count(1)
    others = [one for label, known in found.items() if not label.startswith("ll2") for one in known.values()]
    first = [msgspec.structs.replace(one, source="ll2") for one in found["ll2_first_seen"].values()]
    stored = Stored({}, {})
    for now, sightings in enumerate(([*first, *others], found["ll2"].values())):
        before = stored
        stored = remembered(stored, plan(stored, sightings, {}, now, lambda: f"{next(ids):08d}"))
    known = [("ll2", one) for one in found["ll2"]]
    kept = sum(before.seen[one].launch_id == stored.seen[one].launch_id for one in known)
    groups: dict[str, list[Key]] = defaultdict(list)
    for one, seen in stored.seen.items():
        groups[seen.launch_id].append(one)
    pairs = [tuple(sorted(("ll2", label))) for label in found if not label.startswith("ll2")]
    return kept, len(known), _sum(measured(groups.values(), (pair[0], pair[1]), launches) for pair in pairs)


def _sum(parts: Iterable[Found]) -> Found:
    listed = list(parts)
    wrong = [pair for one in listed for pair in one.wrong]
    return Found(sum(one.right for one in listed), wrong, [pair for one in listed for pair in one.missed])


def _figures(one: Found) -> str:
    true = one.right + len(one.missed)
    return f"precision {one.precision():.4f} recall {one.recall():.4f} of {true} pairs"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _list(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        _say(f"  {line}")
    if len(lines) > SHOWN:
        _say(f"  and {len(lines) - SHOWN} more; SHOWN= lists more of them")


def _shown(everything: Mapping[Key, Sighting], pair: tuple[Key, Key]) -> str:
    return "  |  ".join(_record_line(everything[one]) for one in pair)


def _record_line(one: Sighting) -> str:
    net = "no date" if one.net is None else f"{format_instant(one.net.earliest)} {one.net.precision}"
    return f"{one.source} {one.name!r} {net} {one.vehicle} {one.pad or ''}"


def _print_agreement(found: Mapping[str, Mapping[str, Sighting]], launches: Mapping[Key, str]) -> None:
    _say("\nwhere two sources speak of one launch, they agree on")
    by_launch: dict[str, dict[str, Sighting]] = defaultdict(dict)
    for (label, one), launch in launches.items():
        by_launch[launch][label] = found[label][one]
    for first, second in combinations(sorted(found), 2):
        pairs = [(one[first], one[second]) for one in by_launch.values() if first in one and second in one]
        if pairs:
            counts = agreement(pairs).items()
            words = ", ".join(f"{field} {same}/{both}" for field, (same, both) in counts if both)
            _say(f"  {first:18} {second:18} {words}")


def _print_scale(found: Mapping[str, Mapping[str, Sighting]]) -> None:
    """Match as many launches as a tracker may ever have: copies of the real ones with other years and names."""
    real = [*found.get("ll2flat", {}).values(), *found.get("gcat", {}).values()]
    if not real:
        return
    turns = LAUNCHES // len(found["ll2flat"])
    copies = [_moved(one, turn) for turn in range(turns) for one in real]
    started, worked = time.perf_counter(), time.process_time()
    groups = assign(copies, {}).groups
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    _say(f"\n{len(copies)} records matched into {len(groups)} launches in {seconds:.1f} s ({cpu:.1f} s of processor)")


def _moved(one: Sighting, turn: int) -> Sighting:
    shift = turn * 977 * DAY + turn * 7919 * MINUTE
    net = one.net and msgspec.structs.replace(one.net, earliest=one.net.earliest + shift, latest=one.net.latest + shift)
    return msgspec.structs.replace(
        one,
        source_id=f"{one.source_id}/{turn}",
        name=f"{one.name} {chr(97 + turn) * 4}",
        net=net,
        designator=one.designator and f"{one.designator}/{turn}",
    )


def main() -> int:
    """Return 0 if the targets are met or there is nothing to measure, 1 if one is missed."""
    root = Path(os.environ.get("SOURCES") or SHARED / "sources")
    truth = Path(os.environ.get("TRUTH") or SHARED / "matching_truth.csv")
    if not (root.is_dir() and truth.is_file()):
        _say(f"quality: skipped, there are no payloads in {root} or no truth in {truth}")
        return 0
    kept = parsed_rows.report(root)
    coverage_of_names.report(root)
    detailed = details_kept.report(root)
    return 0 if report(root, truth) and kept and detailed else 1


if __name__ == "__main__":
    sys.exit(main())
