"""A disk that fills up under the database (root: it mounts a small tmpfs)."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.errors import DiskFullError

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


async def test_a_full_disk_is_a_clear_error_and_work_goes_on_once_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    async with open_database(small_disk / "jobs.db", "jobs", SystemClock()) as db:
        await db.write(lambda connection: connection.execute("CREATE TABLE kept (n INTEGER, filling BLOB)"))
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):  # noqa: PT012 - until it does
            while True:
                file.write(bytes(65536))
        acknowledged = 0
        with pytest.raises(DiskFullError, match="disk is full"):  # noqa: PT012 - until it does
            while True:
                number = acknowledged
                await db.write(lambda c, n=number: c.execute("INSERT INTO kept VALUES (?, zeroblob(4000))", (n,)))  # type: ignore[misc]
                acknowledged += 1
        assert isinstance(db.last_error, DiskFullError)
        ballast.unlink()
        await db.write(lambda c: c.execute("INSERT INTO kept VALUES (?, NULL)", (acknowledged,)))
        rows = await db.read("SELECT n FROM kept ORDER BY n")
        assert [row["n"] for row in rows] == list(range(acknowledged + 1))
        assert db.last_error is None
