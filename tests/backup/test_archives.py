"""Archives from elsewhere: whatever is in one, it is read within bounds, refused in words, and changes nothing."""

import gzip
import hashlib
import io
import json
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd import sql
from launchd.backup.archive import MAX_HEADERS, unpack, verify
from launchd.backup.restore import restore
from launchd.backup.shape import foreign_schema
from launchd.clock import parse_instant
from launchd.db.database import connect, migrate
from launchd.errors import InvalidError, LaunchdError, StoreError

AT = "2026-01-01T00:00:00Z"
# Reads an archive with little memory; what it says is what a user would read.
READ = """
import resource, sys
from pathlib import Path
from launchd.errors import LaunchdError
from launchd.backup.archive import verify
base = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (base + 64 * 1024 * 1024,) * 2)
try:
    verify(Path(sys.argv[1]))
except LaunchdError as error:
    print(error.detail)
"""


def database(kind: str, *changes: str) -> bytes:
    """A database as launchd makes it, changed."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrate(made, sql.migrations(kind))
        for change in changes:
            made.execute(change)
        return made.serialize()


PLAIN = {"launches": database("launches"), "jobs": database("jobs")}


def manifest(parts: dict[str, bytes]) -> bytes:
    told = [
        {"kind": kind, "schema": 1, "size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for kind, body in parts.items()
    ]
    return json.dumps({"format": 1, "version": "1", "created_at": AT, "parts": told}).encode()


def member(name: str, body: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    """A member as it lies in a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(body)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT) + body + b"\0" * (-len(body) % 512)


def parts(bodies: dict[str, bytes] | None = None) -> list[bytes]:
    bodies = bodies or PLAIN
    return [member("manifest.json", manifest(bodies)), *(member(f"{kind}.db", body) for kind, body in bodies.items())]


def archive(path: Path, *members: bytes) -> Path:
    path.write_bytes(gzip.compress(b"".join(members) + b"\0" * 1024, 1))
    return path


def bomb(size: int, header: Callable[[int], bytes]) -> bytes:
    """A gzip stream whose tar begins with a header that announces `size` bytes, all there: a megabyte for each GiB."""
    packer, out = io.BytesIO(), b"x" * 1024 * 1024
    with gzip.GzipFile(fileobj=packer, mode="wb", compresslevel=1) as file:
        file.write(header(size))
        for _ in range(size // len(out)):
            file.write(out)
    return packer.getvalue()


def raw_header(kind: bytes, size: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "kind",
    [b"x", b"g", b"L", b"K", b"X", tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.GNUTYPE_SPARSE, b"Z"],
)
def test_no_header_makes_the_reader_large(tmp_path: Path, kind: bytes) -> None:
    """Each of these unpacks to half a GiB; the reader may use 64 MiB."""
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(bomb(512 * 1024 * 1024, lambda size: raw_header(kind, size)))
    assert path.stat().st_size < 8 * 1024 * 1024
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "backup" in done.stdout


def test_headers_after_the_manifest_and_after_the_last_database_are_bounded_too(tmp_path: Path) -> None:
    much = member("x", b"12 path=abc\n" * (MAX_HEADERS // 4), tarfile.XHDTYPE)
    for index in range(4):
        members = parts()
        members.insert(index, much)
        with pytest.raises(InvalidError, match="backup"):
            verify(archive(tmp_path / f"{index}.tar.gz", *members))


def test_a_manifest_that_names_more_than_fits_on_the_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    told = json.loads(manifest(PLAIN))
    told["parts"][0]["size_bytes"] = 1 << 49
    (tmp_path / "out").mkdir()
    path = archive(tmp_path / "a.tar.gz", member("manifest.json", json.dumps(told).encode()), *parts()[1:])
    with pytest.raises(LaunchdError, match="MiB are free"):
        unpack(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


ODD: dict[str, list[bytes]] = {
    "a link": [parts()[0], member("launches.db", kind=tarfile.SYMTYPE, linkname="/etc/passwd"), parts()[2]],
    "a hard link": [parts()[0], parts()[1], member("jobs.db", kind=tarfile.LNKTYPE, linkname="launches.db")],
    "a device": [parts()[0], member("launches.db", kind=tarfile.CHRTYPE, devmajor=1, devminor=5), parts()[2]],
    "a fifo": [member("manifest.json", kind=tarfile.FIFOTYPE), *parts()[1:]],
    "a directory": [parts()[0], member("launches.db", kind=tarfile.DIRTYPE), parts()[2]],
    "an absolute path": [parts()[0], member("/launches.db", PLAIN["launches"]), parts()[2]],
    "a path upwards": [parts()[0], member("../launches.db", PLAIN["launches"]), parts()[2]],
    "a duplicate": [*parts()[:2], parts()[1], parts()[2]],
    "one more": [*parts(), member("more.db", b"x")],
    "one more link": [*parts(), member("more", kind=tarfile.SYMTYPE, linkname="/etc")],
    "another order": [parts()[0], parts()[2], parts()[1]],
    "a sparse file": [
        parts()[0],
        member("launches.db", PLAIN["launches"], pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
        parts()[2],
    ],
    "a negative size": [parts()[0], member("launches.db", pax_headers={"size": "-5"}), parts()[2]],
    "two manifests": [parts()[0], *parts()],
    "a database twice in the manifest": [
        member("manifest.json", manifest(PLAIN).replace(b'"jobs"', b'"launches"')),
        *parts()[1:],
    ],
    "nothing": [],
}


@pytest.mark.parametrize("odd", ODD)
async def test_an_archive_with_anything_but_its_plain_files_in_order_is_refused(tmp_path: Path, odd: str) -> None:
    path = archive(tmp_path / "odd.tar.gz", *ODD[odd])
    with pytest.raises(InvalidError, match=r"backup|damaged|each database once"):
        await restore(path, tmp_path / "state", parse_instant(AT))
    assert [one.name for one in (tmp_path / "state").iterdir()] == ["daemon.lock"]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_an_archive_that_was_changed_anywhere_is_refused_or_the_same(data: st.DataObject) -> None:
    tar = b"".join(parts()) + b"\0" * 1024
    start = data.draw(st.sampled_from([0, len(parts()[0]), len(parts()[0]) + len(parts()[1])]))
    changed = bytearray(tar)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[start + data.draw(st.integers(0, 511))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # so that tar believes the header
        block = bytearray(changed[start : start + 512])
        block[148:156] = b" " * 8
        changed[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    file = io.BytesIO(gzip.compress(bytes(changed), 1))
    with suppress(InvalidError):
        assert {part.kind for part in verify(file).parts} == {"jobs", "launches"}


@given(st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_archive_are_refused(raw: bytes) -> None:
    for body in (raw, gzip.compress(raw)):
        with pytest.raises(InvalidError):
            verify(io.BytesIO(body))


# --- the databases in it ---

FOREIGN = [
    "CREATE TRIGGER spy AFTER INSERT ON jobs BEGIN DELETE FROM audit; END",
    "CREATE VIEW seen AS SELECT * FROM jobs",
    "CREATE TABLE more (a)",
    "CREATE INDEX more ON jobs (id)",
    "CREATE VIRTUAL TABLE words USING fts5(a)",
    "ALTER TABLE jobs ADD COLUMN more TEXT",
    "DROP TABLE audit",
    "PRAGMA user_version = -1",
    "PRAGMA user_version = 0",
]


@pytest.mark.parametrize("change", FOREIGN)
async def test_a_database_with_anything_of_its_own_is_refused(tmp_path: Path, change: str) -> None:
    bodies = PLAIN | {"jobs": database("jobs", change)}
    path = archive(tmp_path / "foreign.tar.gz", *parts(bodies))
    with pytest.raises(InvalidError, match=r"jobs\.db is damaged"):
        await restore(path, tmp_path / "state", parse_instant(AT))
    assert not (tmp_path / "state" / "jobs.db").exists()


@pytest.mark.parametrize("version", [1, 10])
async def test_a_database_of_an_unreleased_launchd_is_refused(tmp_path: Path, version: int) -> None:
    spy = "CREATE TRIGGER spy AFTER INSERT ON jobs BEGIN DELETE FROM audit; END"
    bodies = PLAIN | {"jobs": database("jobs", spy, f"PRAGMA user_version = {version}")}
    path = archive(tmp_path / "unreleased.tar.gz", *parts(bodies))
    with pytest.raises(StoreError, match=rf"jobs\.db: the database has schema {version}, written by an unreleased"):
        await restore(path, tmp_path / "state", parse_instant(AT))
    assert not (tmp_path / "state" / "jobs.db").exists()


@pytest.mark.parametrize("kind", ["jobs", "launches"])
def test_a_definition_that_was_rewritten_is_noticed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "one.db"
    made = connect(path)
    migrate(made, sql.migrations(kind))
    assert foreign_schema(made, kind) is None
    names = made.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    made.execute("PRAGMA writable_schema = ON")
    for (name,) in names:
        made.execute("SAVEPOINT one")
        made.execute("UPDATE sqlite_master SET sql = sql || ' /* ' || 1 || ' */ -- ' WHERE name = ?", (name,))
        assert foreign_schema(made, kind) is None  # a comment means nothing
        made.execute("UPDATE sqlite_master SET sql = sql || char(10) || 'more' WHERE name = ?", (name,))
        assert name in str(foreign_schema(made, kind))
        made.execute("ROLLBACK TO one")
        made.execute("RELEASE one")
    made.close()


@pytest.mark.parametrize("kind", ["jobs", "launches"])
def test_a_database_of_every_version_and_one_that_was_analysed_are_ours(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sql.migrations(kind)
    steps = [*first, sql.Migration(first[-1].version + 1, "shelves", "CREATE TABLE shelves (name TEXT) STRICT;")]
    monkeypatch.setattr(sql, "migrations", {kind: steps}.get)
    for taken in range(len(steps) + 1):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
            migrate(made, steps[:taken])
            made.execute("ANALYZE")
            assert foreign_schema(made, kind) is None
            migrate(made, steps)
            assert foreign_schema(made, kind) is None
