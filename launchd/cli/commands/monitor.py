"""`launchd monitor`: the daemon on one screen, seen anew each second, through restarts of the daemon.

`observe` asks, `screen` (cli/screen.py) draws, `_live` does both until a key is pressed. Where there is no terminal it
prints the screen once; for programs, a snapshot a line.
"""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from launchd.admin.client import AdminClient
from launchd.cli.context import CommandContext, at, common
from launchd.errors import UnreachableError

Snapshot = dict[str, Any]
# A daemon that has not answered for so long, in seconds, is shown as one that does not answer.
_ANSWER_SECONDS = 5.0
_SHOWN_JOBS, _SHOWN_FAILURES = 50, 10
_UNWELL = ("failed", "quarantined")


@click.command()
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds.")
@click.option("--count", type=click.IntRange(1), help="End after so many looks.")
@common
@click.pass_obj
def monitor(context: CommandContext, /, interval: float, count: int | None) -> None:
    """Watch the daemon live; q ends. With --json a snapshot a line, without a terminal one look."""
    client = context.client(timeout=_ANSWER_SECONDS)
    with suppress(KeyboardInterrupt):  # Ctrl-C is how one leaves
        if context.json:
            _stream(client, interval, count)
        elif sys.stdout.isatty():
            _live(client, interval, count)
        else:
            _print_once(client)


def observe(client: AdminClient) -> Snapshot:
    """All that the screen shows, as JSON: each part as its endpoint answers it. Raises UnreachableError."""
    unwell = [one for state in _UNWELL for one in _items(client, "jobs", state=state, limit=_SHOWN_FAILURES)]
    return {
        "at": _now(),
        "reachable": True,
        "detail": None,
        "status": client.request("GET", at("status")),
        "health": client.request("GET", at("health"), accept=(503,)),
        "running": _items(client, "jobs", state="running", limit=_SHOWN_JOBS),
        "failures": sorted(unwell, key=lambda one: one["finished_at"] or "", reverse=True)[:_SHOWN_FAILURES],
        "locks": _items(client, "locks"),
        "sources": _items(client, "sources"),
    }


def away(before: Snapshot, detail: str) -> Snapshot:
    """What is left to show while the daemon does not answer: the last that was seen of it, and why."""
    return before | {"at": _now(), "reachable": False, "detail": detail}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _items(client: AdminClient, kind: str, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - what the query takes
    found: list[dict[str, Any]] = client.request("GET", at(kind), **query)["items"]
    return found


def _snapshots(client: AdminClient, count: int | None) -> Iterator[Snapshot]:
    """A snapshot each time one is asked for; the first raises UnreachableError, later ones tell of it."""
    seen = observe(client)
    yield seen
    made = 1
    while made != count:
        try:
            seen = observe(client)
        except UnreachableError as error:
            seen = away(seen, error.detail)
        yield seen
        made += 1


def _stream(client: AdminClient, interval: float, count: int | None) -> None:
    for number, seen in enumerate(_snapshots(client, count), start=1):
        click.echo(msgspec.json.encode(seen))
        if number != count:
            time.sleep(interval)


def _print_once(client: AdminClient) -> None:
    from launchd.cli.screen import plain  # noqa: PLC0415 - draws: rich

    click.echo(plain(observe(client)))


def _live(client: AdminClient, interval: float, count: int | None) -> None:
    from rich.live import Live  # noqa: PLC0415 - only a terminal needs it

    from launchd.cli.screen import DaemonWatch, screen  # noqa: PLC0415 - draws: rich

    watch = DaemonWatch()
    looks = _snapshots(client, count)
    first = next(looks)  # before the screen is taken: an error is told in the ordinary way
    with _keys() as quits, Live(screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        seen: Snapshot | None = first
        while seen is not None:
            watch.update(seen)
            live.update(screen(seen, watch.notice, live.console.size), refresh=True)
            if quits(interval):
                return
            seen = next(looks, None)


@contextmanager
def _keys() -> Iterator[Any]:
    """What waits so many seconds for a key and says whether it ends the monitor (q, Ctrl-D; Ctrl-C as well)."""
    if not sys.stdin.isatty():
        yield time.sleep
        return
    import termios  # noqa: PLC0415 - only a terminal needs it
    import tty  # noqa: PLC0415

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def quits(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([descriptor], [], [], left)[0]:
                pressed = os.read(descriptor, 64)
                if not pressed or set(pressed.lower()) & set(b"q\x04"):
                    return True
        return False

    tty.setcbreak(descriptor)
    try:
        yield quits
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
