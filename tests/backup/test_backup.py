"""Backups: complete and of one moment, while the daemon writes; and restores, which lose nothing."""

import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from launchd import sql
from launchd.backup.archive import unpack, verify
from launchd.backup.backup import BackupRules, Backups, write
from launchd.backup.restore import restore
from launchd.clock import DAY, SystemClock, parse_instant
from launchd.db.connection import migrate
from launchd.errors import ConflictError, DiskFullError, InvalidError, StoreError
from launchd.testing import VirtualClock
from tests.support.daemon_process import Installation

AT = "2026-01-01T00:00:00Z"
NOW = parse_instant(AT)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, "")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with both databases, a lock in one of them."""
    directory = tmp_path / "state"
    directory.mkdir()
    for kind in ("jobs", "launches"):
        with opened(directory / f"{kind}.db") as database:
            database.execute("PRAGMA journal_mode = WAL")
            migrate(database, sql.migrations(kind))
    remember(directory, "first")
    return directory


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def remember(directory: Path, name: str) -> None:
    with opened(directory / "jobs.db") as database:
        database.execute("INSERT INTO counters (name, value) VALUES (?, 1)", (name,))


def remembered(path: Path) -> list[str]:
    with opened(path) as database:
        return [row[0] for row in database.execute("SELECT name FROM counters ORDER BY name")]


def packed(state: Path, name: str = "one.tar.gz") -> Path:
    archive = state.parent / name
    write(state, archive, version="1", created_at=AT)
    return archive


def repacked(archive: Path, **changed: bytes | None) -> Path:
    """The archive with members replaced, such as `jobs_db=b"..."`; None leaves one out."""
    target = archive.with_name("changed.tar.gz")
    with tarfile.open(archive) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            body = changed.get(member.name.replace(".", "_"), file.read())
            if body is not None:
                member.size = len(body)
                new.addfile(member, io.BytesIO(body))
    return target


# --- with a daemon ---


def test_a_running_daemon_is_backed_up_stopped_and_restored(installation: Installation, tmp_path: Path) -> None:
    archive = tmp_path / "all.tar.gz"
    with installation.running():
        kept = installation.json("trigger", "greet", "name=Ada")["id"]
        installation.json("job", kept, "--wait")
        told = installation.json("backup", str(archive))
        assert told["file"] == str(archive)
        assert told["size_bytes"] == archive.stat().st_size
        assert {part["kind"] for part in told["manifest"]["parts"]} == {"jobs", "launches"}
        assert archive.stat().st_mode & 0o777 == 0o600
        later = installation.json("trigger", "greet", "name=Bob")["id"]
        refused = installation.launchd("restore", str(archive), code=1)
        assert "is in use by launchd with pid" in refused.stderr
        audit = sqlite_rows(installation.state, "SELECT action FROM audit WHERE action = 'backup'")
        assert audit == [("backup",)]
    done = installation.json("restore", str(archive))
    assert done["directory"] == str(installation.state)
    assert Path(done["kept"], "jobs.db").exists()
    with installation.running():
        assert installation.json("job", kept)["result"] == "hello Ada"
        assert "launchd: " in installation.launchd("job", later, code=1).stderr
        assert installation.json("health")["checks"]["database"]["status"] == "healthy"


def test_jobs_that_had_not_ended_in_the_backup_run_again_after_a_restore(
    installation: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "all.tar.gz"
    with installation.running():
        job_id = installation.json("trigger", "linger", f"until={tmp_path}/go")["id"]
        while installation.client.request("GET", f"/v1/jobs/{job_id}")["progress"] is None:
            pass
        installation.launchd("backup", str(archive))
        (tmp_path / "go").touch()
        installation.json("job", job_id, "--wait")
    assert "run again: 1" in installation.text("restore", str(archive))
    with installation.running():
        assert installation.json("job", job_id, "--wait")["result"] == "waited"


def test_a_backup_taken_while_jobs_run_is_whole_and_of_one_moment(installation: Installation, tmp_path: Path) -> None:
    with installation.running():
        load = [{"task": "greet"}] * 200
        for number in range(6):
            installation.client.request("POST", "/v1/jobs", body={"jobs": load})
            archive = tmp_path / f"{number}.tar.gz"
            installation.launchd("backup", str(archive))
            (tmp_path / str(number)).mkdir()
            unpack(archive, tmp_path / str(number))
            with opened(tmp_path / str(number) / "jobs.db") as copy:
                count = copy.execute("SELECT count(*) FROM jobs").fetchone()[0]
            assert count == 200 * (number + 1)  # a batch is one transaction: all of it or nothing


def test_an_older_file_stays_until_the_new_one_is_whole(installation: Installation, tmp_path: Path) -> None:
    archive = tmp_path / "all.tar.gz"
    archive.write_bytes(b"the older one")
    installation.launchd("backup", str(archive), code=3)
    assert archive.read_bytes() == b"the older one"
    with installation.running():
        with opened(installation.state / "launches.db") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        overwrite(installation.state / "launches.db")
        told = installation.launchd("backup", str(archive), code=1).stderr
    assert "launches.db" in told
    assert archive.read_bytes() == b"the older one"
    assert [one.name for one in tmp_path.iterdir() if "all.tar.gz" in one.name] == ["all.tar.gz"]


def test_the_scheduled_task_keeps_the_last_few(tmp_path: Path) -> None:
    installation = Installation(tmp_path, "")
    text = installation.config.read_text("utf-8")
    installation.config.write_text(text.replace("[daemon]", "[daemon]\nkeep_backup_files = 2"), "utf-8")
    folder = installation.state / "backups"
    folder.mkdir(parents=True)
    (folder / "launchd-20250101T000000Z.tar.gz").touch()
    (folder / "launchd-20250102T000000Z.tar.gz").touch()
    (folder / "mine.tar.gz").touch()
    with installation.running():
        result = json.loads(installation.text("trigger", "backup", "--wait", "--json"))["result"]
    assert names(folder) == {"mine.tar.gz", "launchd-20250102T000000Z.tar.gz", Path(result["file"]).name}
    assert (result["removed"], result["size_bytes"]) == (1, Path(result["file"]).stat().st_size)
    verify(Path(result["file"]))


def test_a_stopped_daemon_is_backed_up_from_its_directory(installation: Installation, tmp_path: Path) -> None:
    archive = tmp_path / "all.tar.gz"
    assert "holds no data" in installation.launchd("backup", "--offline", str(archive), code=1).stderr
    with installation.running():
        refused = installation.launchd("backup", "--offline", str(archive), code=1)
        assert "is in use" in refused.stderr
    assert installation.json("backup", "--offline", str(archive))["file"] == str(archive)
    verify(archive)


def test_it_is_one_backup_at_a_time(state: Path) -> None:
    backups = Backups(state, lambda: BackupRules(state / "backups", 1, 0), version="1", clock=SystemClock())
    with backups._one_at_a_time, pytest.raises(ConflictError, match="ask again"):
        backups.open()
    with backups.open() as file:
        assert gzip.decompress(file.read())[:13] == b"manifest.json"
    assert sorted(one.name for one in state.iterdir() if "backup" in one.name) == []


def test_a_full_disk_is_reported_before_anything_is_written(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(state)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(DiskFullError, match="free some space"):
        packed(state)
    assert list(state.parent.glob("one*")) == []


def test_days_of_backups_leave_no_more_than_are_kept(state: Path) -> None:
    clock = VirtualClock(NOW)
    backups = Backups(state, lambda: BackupRules(state / "backups", 3, 0), version="1", clock=clock)
    taken = []
    for _ in range(5):
        taken.append(backups.take().path)
        clock.jump(DAY / 1_000_000)
    assert sorted((state / "backups").iterdir()) == taken[-3:]


# --- archives ---


def test_an_archive_holds_the_databases_and_tar_and_sqlite_can_read_it(state: Path) -> None:
    archive = packed(state)
    assert remembered(state / "jobs.db") == ["first"]
    folder = state.parent / "out"
    folder.mkdir()
    subprocess.run(["tar", "xf", str(archive), "-C", str(folder)], check=True)
    assert remembered(folder / "jobs.db") == ["first"]
    assert json.loads((folder / "manifest.json").read_text())["created_at"] == AT
    assert sorted(one.name for one in folder.iterdir()) == ["jobs.db", "launches.db", "manifest.json"]


def test_the_scratch_files_of_a_killed_backup_are_deleted(state: Path) -> None:
    leftover = state.parent / "one.tar.gz.partial"
    leftover.mkdir()
    (leftover / "jobs.db").write_bytes(b"half")
    verify(packed(state))
    assert not leftover.exists()


def test_a_damaged_database_is_never_taken_for_a_backup(state: Path) -> None:
    spoil(state / "jobs.db")
    with pytest.raises(StoreError, match=r"jobs\.db"):
        packed(state)
    assert list(state.parent.glob("one*")) == []


def spoil(path: Path) -> None:
    """Overwrite all pages but the first."""
    with opened(path) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    overwrite(path)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def names(directory: Path) -> set[str]:
    return {one.name for one in directory.iterdir()}


def owners(directory: Path) -> set[int]:
    return {one.stat().st_uid for one in (directory, *directory.iterdir())}


async def refused(archive: Path, state: Path, told: str, error: type[Exception] = InvalidError) -> None:
    """Expect that a restore is refused with this text and changes nothing."""
    before = remembered(state / "jobs.db")
    with pytest.raises(error, match=told):
        await restore(archive, state, NOW)
    assert remembered(state / "jobs.db") == before
    assert names(state) - {"launches.db-wal", "launches.db-shm"} == {"daemon.lock", "jobs.db", "launches.db"}


async def test_an_archive_that_differs_from_its_manifest_is_refused(state: Path) -> None:
    archive = packed(state)
    body = archive.read_bytes()
    cut = archive.with_name("cut.tar.gz")
    cut.write_bytes(body[: len(body) // 2])
    await refused(cut, state, "not a complete backup")
    archive.with_name("text").write_text("hello")
    await refused(archive.with_name("text"), state, "not a complete backup")
    await refused(repacked(archive, manifest_json=None), state, "no manifest")
    await refused(repacked(archive, manifest_json=b"{}"), state, "this launchd cannot read")
    await refused(repacked(archive, jobs_db=None), state, "differs from its manifest")
    await refused(repacked(archive, jobs_db=b"x"), state, "differs from its manifest")
    await refused(archive.with_name("absent"), state, "cannot be read")


async def test_a_changed_byte_is_noticed(state: Path) -> None:
    archive = packed(state)
    with tarfile.open(archive) as tar:
        file = tar.extractfile("jobs.db")
        assert file is not None
        body = bytearray(file.read())
    body[-1] ^= 1
    await refused(repacked(archive, jobs_db=bytes(body)), state, "SHA-256")


async def test_a_database_of_a_newer_launchd_is_refused(state: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(state, newer)
    with opened(newer / "jobs.db") as database:
        database.execute("PRAGMA user_version = 9999")
    await refused(packed(newer, "newer.tar.gz"), state, "install the newer launchd that wrote it", StoreError)


async def test_a_database_that_lacks_a_table_is_refused(state: Path, tmp_path: Path) -> None:
    lacking = tmp_path / "lacking"
    shutil.copytree(state, lacking)
    with opened(lacking / "jobs.db") as database:
        database.execute("DROP TABLE audit")
    await refused(packed(lacking, "lacking.tar.gz"), state, "no table audit")


async def test_a_backup_of_an_older_schema_is_brought_to_the_current_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(state)
    steps = {kind: sql.migrations(kind) for kind in ("jobs", "launches")}
    shelves = sql.Migration(steps["jobs"][-1].version + 1, "shelves", "CREATE TABLE shelves (name TEXT) STRICT;")
    steps["jobs"].append(shelves)
    monkeypatch.setattr(sql, "migrations", steps.get)
    await restore(archive, state, NOW)
    assert remembered(state / "jobs.db") == ["first"]
    with opened(state / "jobs.db") as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] == shelves.version
        assert database.execute("SELECT count(*) FROM shelves").fetchone()[0] == 0


# --- restoring ---


async def test_the_old_files_are_kept_with_their_journals(state: Path) -> None:
    archive = packed(state)
    with opened(state / "jobs.db") as database:
        database.execute("INSERT INTO counters (name, value) VALUES ('second', 1)")
        assert (state / "jobs.db-wal").stat().st_size > 0
        done = await restore(archive, state, NOW)  # as after a crash: the journal was never folded in
    assert remembered(state / "jobs.db") == ["first"]
    assert done.kept is not None
    assert remembered(done.kept / "jobs.db") == ["first", "second"]


async def test_a_damaged_directory_is_healed_and_an_absent_one_made(state: Path, tmp_path: Path) -> None:
    archive = packed(state)
    spoil(state / "jobs.db")
    done = await restore(archive, state, NOW)
    assert remembered(state / "jobs.db") == ["first"]
    assert done.kept is not None
    fresh = tmp_path / "fresh" / "state"
    assert (await restore(archive, fresh, NOW)).kept is None
    assert remembered(fresh / "jobs.db") == ["first"]


async def test_at_every_moment_there_is_a_whole_database_under_each_name(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(state)
    remember(state, "second")
    real, seen = os.replace, []

    def replace(source: str, target: str, **handles: int) -> None:
        seen.append((remembered(state / "jobs.db"), (state / "launches.db").exists()))
        if target == "jobs.db":
            raise OSError("killed here")
        real(source, target, **handles)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StoreError, match="killed here"):
        await restore(archive, state, NOW)
    assert seen == [(["first", "second"], True)] * 2
    monkeypatch.undo()
    await restore(archive, state, NOW + 1)
    assert remembered(state / "jobs.db") == ["first"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_what_root_restores_belongs_to_the_owner_of_the_directory(state: Path) -> None:
    archive = packed(state)
    os.chown(state, 65534, 65534)
    done = await restore(archive, state, NOW)
    assert done.kept is not None
    assert owners(state) == {65534}


def test_a_terminal_is_not_needed_and_a_name_that_is_a_directory_is_usage(installation: Installation) -> None:
    installation.launchd("backup", str(installation.directory), code=2)
    nowhere = installation.launchd("backup", "/nowhere/all.tar.gz", code=1)
    assert "create it first" in nowhere.stderr


def sqlite_rows(state: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{state}/jobs.db?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()
