"""The same work done by other job systems, in the same run on the same machine, and the ratio to each.

Each runs N no-op jobs that count themselves by one INCR in a private redis-server, without fsync. launchd's first row
does the same INCR in its task; its second row leaves it out, since nothing here needs a server.
"""

import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from redis import Redis

from tests.bench.process import daemon, peer_lines, say

PEERS = Path(__file__).parents[3] / "shared" / "peers"
COUNT = int(os.environ.get("N", "5000"))
PORT = 7398


def compare(own_rate: float) -> None:
    """Run all that are set up, and launchd's row with the same INCR; print the ratios."""
    home = os.environ.get("PEERS_HOME")
    if not PEERS.is_dir() or home is None or not Path(home).is_dir():
        say("other job systems", "skipped: make them with setup.sh of the peers and set PEERS_HOME")
        return
    counted = _with_incr()
    environ = {**os.environ, "N": str(COUNT)}
    done = subprocess.run(["bash", str(PEERS / "run.sh")], env=environ, capture_output=True, text=True, check=False)
    rows = [row for row in peer_lines(done.stdout) if row.get("drain_per_s")]
    for row in sorted(rows, key=lambda one: -one["drain_per_s"]):
        rate = row["drain_per_s"]
        say(
            f"  {row['peer']}",
            f"{rate:,} jobs/s, {row['rss_mib']:.0f} MiB in {row['procs']}; "
            f"launchd {own_rate / rate:.1f}x, with the same INCR {counted / rate:.1f}x",
        )


def _with_incr() -> float:
    """Launchd's own row, counted in a server as the peers are."""
    with TemporaryDirectory() as place:
        command = ["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--dir", place]
        command += ["--save", "", "--appendonly", "no"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{PORT}/0"
        try:
            rate = _counted(Redis(port=PORT), Path(place) / "state")
        finally:
            server.terminate()
            server.wait()
    say("no-op jobs with one INCR each, fsync at every change of state", f"{rate:,.0f} jobs/s")
    return rate


def _counted(client: Redis, state: Path) -> float:
    def count() -> int:
        return int(cast("bytes | None", client.get("bench:done")) or 0)

    with daemon(state, "--scheduler-only") as process:
        process.enqueue("incr", COUNT)
    with daemon(state):
        first = None
        while (done := count()) < COUNT:
            if done and first is None:
                first = (time.perf_counter(), done)
            time.sleep(0.002)
        since, already = first or (time.perf_counter(), COUNT)
        return (COUNT - already) / max(time.perf_counter() - since, 1e-9)
