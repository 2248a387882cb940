"""A long run of odd endings: `python -m tests.fuzz --count 20000 --seed 7`; exits 1 on any fault.

A batch with a fault is cut in halves until the fewest endings are left that show it.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz import batch
from tests.fuzz.batch import Ending
from tests.fuzz.daemon import RealDaemon
from tests.fuzz.draw import SPLIT, numbered
from tests.fuzz.judge import Fault

_BATCH = 200
# Jobs that a daemon keeps before the next one starts afresh: each look lists them all.
_PER_DAEMON = 800
# How long the fewest endings that show a fault are looked for, and how long one trial of that waits for its jobs.
_SHRINK_SECONDS, _AGAIN_SECONDS = 120.0, 10.0


class Run:
    """A long run: one daemon at a time, a new one after so many endings and after each fault."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lives = 0
        self._endings = 0
        self._daemon: RealDaemon | None = None
        self.faults: Counter[str] = Counter()
        self.states: Counter[str] = Counter()

    def daemon(self) -> RealDaemon:
        """The daemon that takes the next batch."""
        if self._daemon is None or not self._daemon.alive or self._endings >= _PER_DAEMON:
            self.leave()
            self._lives, self._endings = self._lives + 1, 0
            self._daemon = RealDaemon(self._directory / f"{self._lives}")
            self._daemon.start()
        return self._daemon

    def leave(self) -> list[Fault]:
        """Stop the daemon; a fault if it did not end well."""
        if self._daemon is None:
            return []
        alive, code = self._daemon.alive, self._daemon.stop()
        self._daemon = None
        return [Fault("stop", f"exit code {code} after SIGTERM")] if alive and code != 0 else []

    def batch(
        self, endings: list[Ending], *, process: bool = False, patience: float = batch.PATIENCE_SECONDS
    ) -> list[Fault]:
        """Run a batch on the present daemon, which ends after a fault."""
        self._endings += len(endings)
        tally = batch.run(self.daemon(), endings, process=process, patience=patience)
        self.states += tally.states
        faults = tally.faults
        if faults or self._endings >= _PER_DAEMON:
            faults = faults + self.leave()
        return faults

    def smallest(self, endings: list[Ending], kinds: set[str], seconds: float = _SHRINK_SECONDS) -> list[Ending]:
        """The fewest of these that show a fault of these kinds, found by halving within the given seconds."""
        until, parts = time.monotonic() + seconds, 2
        while len(endings) > 1 and time.monotonic() < until:
            size = -(-len(endings) // parts)
            cuts = [range(start, min(start + size, len(endings))) for start in range(0, len(endings), size)]
            inside = [[endings[number] for number in cut] for cut in cuts]
            outside = [[one for number, one in enumerate(endings) if number not in cut] for cut in cuts]
            smaller = next((some for some in inside + outside if self._shows(some, kinds, until)), None)
            if smaller is None and size == 1:
                break
            endings, parts = smaller or endings, min(parts * 2, len(endings)) if smaller is None else 2
        return endings

    def _shows(self, endings: list[Ending], kinds: set[str], until: float) -> bool:
        if not endings or time.monotonic() > until:
            return False
        return bool(kinds & {fault.kind for fault in self.batch(endings, patience=_AGAIN_SECONDS)})


def main() -> int:
    """Run, print a table; 1 on any fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first ending")
    parser.add_argument("--only", type=int, help="run the ending with this number alone")
    parser.add_argument("--kind", choices=list(SPLIT), help="run endings of this kind only")
    parser.add_argument("--batch", type=int, default=_BATCH)
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--stop-after", type=int, default=20, help="faulty batches after which to give up")
    given = parser.parse_args()
    numbers = [given.only] if given.only is not None else list(range(given.first, given.first + given.count))
    endings = [numbered(given.seed, number) | {"number": number} for number in numbers]
    endings = [ending for ending in endings if given.kind in {None, ending["kind"]}]
    began = time.monotonic()
    with TemporaryDirectory(prefix="launchd-odd-") as scratch:
        run = Run(Path(scratch))
        done = _all(run, endings, given)
    _table(run, endings[:done], time.monotonic() - began, given.seed)
    return 1 if run.faults else 0


def _all(run: Run, endings: list[Ending], given: argparse.Namespace) -> int:
    """Run batch after batch; returns how many endings were run."""
    faulty = done = 0
    while done < len(endings) and faulty < given.stop_after:
        some = endings[done : done + given.batch]
        done += len(some)
        faults = run.batch(some, process=(done // given.batch) % 4 == 0)
        print(f"{done} of {len(endings)}", file=sys.stderr, flush=True)  # noqa: T201 - progress
        if faults:
            faulty += 1
            _report(run, some, faults, shrink=not given.no_shrink)
    for fault in run.leave():
        run.faults[fault.kind] += 1
        print(fault)  # noqa: T201 - a report
    return done


def _report(run: Run, endings: list[Ending], faults: list[Fault], *, shrink: bool) -> None:
    for fault in faults:
        run.faults[fault.kind] += 1
        number = None if fault.number is None else endings[fault.number]["number"]
        print(f"FAULT {fault.kind} (ending {number}): {fault.detail}", flush=True)  # noqa: T201 - a report
    named = [endings[fault.number] for fault in faults if fault.number is not None][:5]
    for ending in named:
        print(json.dumps(ending), flush=True)  # noqa: T201 - a report
    if shrink and not named:
        for ending in run.smallest(endings, {fault.kind for fault in faults}):
            print("SMALLEST", json.dumps(ending), flush=True)  # noqa: T201 - a report


def _table(run: Run, endings: list[Ending], seconds: float, seed: int) -> None:
    kinds = Counter(ending["kind"] for ending in endings)
    split = ", ".join(f"{kind} {kinds[kind]}" for kind in SPLIT)
    rows = {
        f"endings (seed {seed})": f"{len(endings)}: {split}",
        "ended as": ", ".join(f"{state} {count}" for state, count in run.states.most_common()),
        "faults": sum(run.faults.values()),
        **{f"  {kind}": count for kind, count in run.faults.most_common()},
        "seconds": f"{seconds:.0f}",
    }
    for name, value in rows.items():
        print(f"{name:24} {value}")  # noqa: T201 - a report


if __name__ == "__main__":
    sys.exit(main())
