"""A real daemon on a disk that fails or is full (root: it mounts a small tmpfs; fiu-utils makes system calls fail)."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.killable_daemon import mortal
from tests.support.paths import ROOT

pytestmark = pytest.mark.lab
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
needs_fiu = pytest.mark.skipif(shutil.which("fiu-run") is None, reason="needs fiu-utils")

# A write whose commit cannot be synced, and a crash before the next.
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.errors import CommitUnknownError, StoreError

async def main():
    async with open_database(Path(sys.argv[1]), "jobs", SystemClock()) as db:
        await db.write(lambda c: c.execute("CREATE TABLE t (a TEXT)"))
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            await db.write(lambda c: c.execute("INSERT INTO t VALUES ('refused')"))
        except CommitUnknownError as error:
            print("unknown", error.sqlite, flush=True)
        except StoreError as error:
            print("undone", error.sqlite, flush=True)
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""
SYNC = "enable name=posix/io/sync/fdatasync,failinfo=5"


@needs_fiu
@pytest.mark.parametrize(("fault", "word"), [(f"{SYNC},onetime", "undone"), (SYNC, "unknown")])
def test_a_commit_that_cannot_be_synced_stays_undone_after_a_crash_or_is_said_to_be_unknown(
    tmp_path: Path, fault: str, word: str
) -> None:
    pipe = str(tmp_path / "fiu")
    command = ["fiu-run", "-x", "-f", pipe, sys.executable, "-c", PROGRAM, str(tmp_path / "jobs.db")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        subprocess.run(["fiu-ctrl", "-f", pipe, "-c", fault, str(child.pid)], check=True)
        said, _ = child.communicate("go\n")
    assert said.split() == [word, "SQLITE_IOERR_FSYNC"]
    if word == "undone":
        with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def remove(path: Path) -> None:
    path.unlink()


@needs_root
async def test_a_stop_on_a_full_disk_loses_no_job_and_the_next_start_counts_no_crash(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    async with mortal(small_disk) as daemon:
        job = await daemon.trigger("waiting", args={"name": "never"})
        await daemon.until(job, "running")
        fill(ballast)
        await daemon.end(signal.SIGTERM)
        remove(ballast)
        await daemon.start()
        found = await daemon.until(job, "running")
        assert found["attempt"] == 1
        assert "crash" not in str(found["history"])
        assert "rescued" not in {entry["event"] for entry in found["history"]}
