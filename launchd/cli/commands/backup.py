"""Commands of backups: `backup` and `restore`."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
import msgspec

from launchd.admin.client import LONG_SECONDS
from launchd.cli.context import CommandContext, at, common
from launchd.cli.output import print_json, size
from launchd.errors import InvalidError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--offline", is_flag=True, help="Back up a stopped daemon: read its state directory.")
@common
@click.pass_obj
def backup(context: CommandContext, /, file: Path, offline: bool) -> None:
    """Back up all data into one file, while the daemon runs.

    FILE is a tar.gz of both databases, verified. An older FILE is replaced once the new one is complete. The daemon
    sends the data, so FILE belongs to you and only you can read it. Only an admin (root, the daemon's own user) may do
    this.
    """
    from launchd.backup.archive import verify  # noqa: PLC0415 - tar, zlib and SQLite: only these two commands need them

    if not file.parent.is_dir():
        raise InvalidError(f"{file.parent} is not a directory: create it first")
    with _replacing(file) as archive:
        if offline:
            _back_up_offline(context.state_directory(), archive)
        else:
            with _progress("backup") as on_progress:
                context.client(LONG_SECONDS).save("POST", at("backup"), archive, on_progress)
        manifest = verify(archive)
        length = archive.seek(0, os.SEEK_END)
    if context.json:
        print_json({"file": str(file.absolute()), "size_bytes": length, "manifest": msgspec.to_builtins(manifest)})
    else:
        click.echo(f"{file}: {size(length)}, as of {manifest.created_at}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@common
@click.pass_obj
def restore(context: CommandContext, file: Path) -> None:
    """Restore a backup over the data of a stopped daemon.

    The backup is verified first; the old files are kept in a directory beside the new ones.
    """
    from launchd.backup.restore import restore as put_back  # noqa: PLC0415
    from launchd.clock import SystemClock  # noqa: PLC0415 - see backup

    with _progress("restore"):
        done = asyncio.run(put_back(file, context.state_directory(), SystemClock().now()))
    kept = None if done.kept is None else str(done.kept)
    if context.json:
        view = {"directory": str(done.directory), "kept": kept, "unfinished_jobs": done.unfinished_jobs}
        print_json(view | {"manifest": msgspec.to_builtins(done.manifest)})
        return
    click.echo(f"{done.directory}: restored as of {done.manifest.created_at}")
    click.echo(f"unfinished jobs, which will run again: {done.unfinished_jobs}")
    click.echo(f"the old files: {kept or 'there were none'}")


@contextmanager
def _replacing(file: Path) -> Iterator[IO[bytes]]:
    """A private file that takes the name of `file` once it is written and on disk."""
    from launchd.system.ownership import replacing  # noqa: PLC0415 - see backup

    try:
        with replacing(file) as archive:
            yield archive
    except OSError as error:
        raise InvalidError(f"{file} cannot be written: {error.strerror or error}") from error


def _back_up_offline(directory: Path, archive: IO[bytes]) -> None:
    from launchd import __version__  # noqa: PLC0415 - see backup
    from launchd.backup.offline import back_up_offline  # noqa: PLC0415
    from launchd.clock import SystemClock, format_instant  # noqa: PLC0415

    if not (directory / "jobs.db").exists():
        raise InvalidError(
            f"{directory} holds no data of launchd: name the configuration with --config, or set $STATE_DIRECTORY"
        )
    back_up_offline(directory, archive, version=__version__, created_at=format_instant(SystemClock().now()))


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - needed at a terminal only
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    shows = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*shows, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(line, completed=done, total=total)


COMMANDS = (backup, restore)
