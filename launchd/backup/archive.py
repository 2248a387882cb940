"""Reading a backup archive from any maker: every length is bounded before the bytes are read.

An archive is a gzipped tar of manifest.json and the databases that it names, each once, in this order, as plain files;
anything else is refused. Members are read in pieces, and the headers of tar (names, pax headers) have a budget of their
own, so that a small archive cannot make this process use much memory.
"""

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Literal, NamedTuple, Protocol, cast

import msgspec

from launchd.errors import DiskFullError, InvalidError, LaunchdError
from launchd.system.ownership import open_regular

Kind = Literal["launches", "jobs"]
KINDS: tuple[Kind, ...] = ("launches", "jobs")
MANIFEST = "manifest.json"
MAX_MANIFEST = 64 * 1024
# The most bytes of tar headers for one member, and of anything after the last member.
MAX_HEADERS = 64 * 1024
_CHUNK = 1024 * 1024
_MIB = 1024 * 1024
_SIZE = 1 << 50  # more than any database of SQLite


class Part(msgspec.Struct, frozen=True):
    """A database in an archive; `schema` is its user_version."""

    kind: Kind
    schema: int
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=_SIZE)]
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The content of an archive. `created_at` is RFC 3339; `version` is that of the launchd that made it."""

    format: Literal[1]
    version: Annotated[str, msgspec.Meta(max_length=100)]
    created_at: Annotated[str, msgspec.Meta(max_length=100)]
    parts: Annotated[tuple[Part, ...], msgspec.Meta(max_length=len(KINDS))]


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object:
        """Write these bytes."""


class _Archive(NamedTuple):
    name: str
    tar: tarfile.TarFile
    budget: "_Budget"


class _Budget:
    """Unpacks a gzip stream; `read` raises InvalidError once more bytes were read than the last `allow` permits."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="rb")
        self._name = name
        self._left = 0

    def allow(self, size: int) -> None:
        """Permit `size` more bytes, and one record that tar reads ahead."""
        self._left = size + tarfile.RECORDSIZE

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; raises InvalidError beyond the budget."""
        if self._left <= 0:
            raise InvalidError(f"{self._name} is not a backup of launchd: it holds more than its manifest says")
        data = self._file.read(min(size, self._left, _CHUNK))
        self._left -= len(data)
        return data


def verify(archive: Path | IO[bytes]) -> Manifest:
    """Read a whole archive and compare it with its manifest; raises InvalidError if it is damaged or not a backup."""
    with _reading(archive) as found:
        manifest = _manifest(found)
        for part, packed in _parts(found, manifest):
            _check(part, packed, None)
    return manifest


def unpack(archive: Path | IO[bytes], into: Path) -> Manifest:
    """The same, and write the databases to the directory `into`; raises DiskFullError first if they do not fit."""
    with _reading(archive) as found:
        manifest = _manifest(found)
        needed, free = sum(part.size_bytes for part in manifest.parts), shutil.disk_usage(into).free
        if needed > free:
            raise DiskFullError(
                f"{into}: {found.name} needs {needed // _MIB + 1} MiB, {free // _MIB} MiB are free: free some space"
            )
        for part, packed in _parts(found, manifest):
            with (into / f"{part.kind}.db").open("xb") as file:
                _check(part, packed, file)
                file.flush()
                os.fsync(file.fileno())
    return manifest


@contextmanager
def _reading(archive: Path | IO[bytes]) -> Iterator[_Archive]:
    """The open archive. Any error in its bytes becomes an InvalidError, since anybody may have made them."""
    name = str(archive) if isinstance(archive, Path) else "the backup"
    try:
        with open_regular(archive) if isinstance(archive, Path) else _from_start(archive) as file:
            budget = _Budget(file, name)
            budget.allow(MAX_HEADERS)
            with tarfile.open(fileobj=cast("IO[bytes]", budget), mode="r|") as tar:
                yield _Archive(name, tar, budget)
    except LaunchdError:
        raise
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidError(f"{name} is not a complete backup: {error}") from error
    except OSError as error:
        raise InvalidError(f"{name} cannot be read: {error.strerror or error}") from error
    except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:  # tarfile, for odd headers
        raise InvalidError(f"{name} is not a complete backup: {type(error).__name__}") from error


@contextmanager
def _from_start(file: IO[bytes]) -> Iterator[IO[bytes]]:
    file.seek(0)
    yield file


def _next(archive: _Archive, size: int) -> tuple[tarfile.TarInfo | None, IO[bytes] | None]:
    """The next member, and its content if it is a plain file, of which `size` bytes may then be read."""
    archive.budget.allow(MAX_HEADERS)
    member = archive.tar.next()
    plain = member is not None and member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and not member.issparse()
    file = archive.tar.extractfile(member) if member is not None and plain else None
    archive.budget.allow(size)
    return member, file


def _manifest(archive: _Archive) -> Manifest:
    first, file = _next(archive, MAX_MANIFEST)
    if first is None or file is None or first.name != MANIFEST or not 0 <= first.size <= MAX_MANIFEST:
        raise InvalidError(f"{archive.name} is not a backup of launchd: it has no {MANIFEST}")
    try:
        manifest = msgspec.json.decode(file.read(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidError(
            f"{archive.name} has a manifest that this launchd cannot read; use the launchd that made it: {error}"
        ) from error
    if sorted(part.kind for part in manifest.parts) != sorted(KINDS):
        raise InvalidError(f"{archive.name} is not a backup of launchd: it must hold each database once")
    return manifest


def _parts(archive: _Archive, manifest: Manifest) -> Iterator[tuple[Part, IO[bytes]]]:
    for part in manifest.parts:
        member, file = _next(archive, part.size_bytes)
        if member is None or file is None or (member.name, member.size) != (f"{part.kind}.db", part.size_bytes):
            raise InvalidError(
                f"{archive.name} is damaged: {part.kind}.db differs from its manifest: use another backup"
            )
        yield part, file
    if _next(archive, 0)[0] is not None:
        raise InvalidError(f"{archive.name} is not a backup of launchd: it holds more than its manifest says")


def _check(part: Part, packed: IO[bytes], to: _Sink | None) -> None:
    digest, size = hashlib.sha256(), 0
    while chunk := packed.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if to is not None:
            to.write(chunk)
    if (size, digest.hexdigest()) != (part.size_bytes, part.sha256):
        raise InvalidError(
            f"the backup is damaged: {part.kind}.db has another SHA-256 than its manifest: use another one"
        )
