"""Figures of this machine: `make bench`. Comparisons are measured in one run and printed as ratios.

`ARGS="drain latency"` runs only these parts; `LOG=launchlog.tsv` scrapes a recorded launch log, `SOURCES=`
is the folder of recorded payloads that `coldload` reads (also `make coldload`, which fails where a figure is missed).
"""

import os
import sys

from tests.bench import coldload, dashboard, engine, peers, scrape, serve

PARTS = (
    "drain",
    "latency",
    "blocked",
    "kill",
    "fires",
    "backlogs",
    "idle",
    "serve",
    "scrape",
    "dashboard",
    "coldload",
    "peers",
)


def main(wanted: list[str]) -> None:
    """Run the parts in order."""
    rate = milliseconds = 0.0
    for part in PARTS:
        if wanted and part not in wanted:
            continue
        if part == "serve":
            serve.run()
        elif part == "scrape":
            scrape.run(os.environ.get("LOG"))
        elif part == "dashboard":
            dashboard.run()
        elif part == "coldload":
            coldload.run(os.environ.get("SOURCES"))
        elif part == "peers":
            peers.compare(rate or engine.drain(), milliseconds or engine.latency())
        elif part == "drain":
            rate = engine.drain()
        elif part == "latency":
            milliseconds = engine.latency()
        else:
            getattr(engine, part)()


if __name__ == "__main__":
    main(sys.argv[1:])
