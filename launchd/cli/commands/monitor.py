"""`launchd monitor`: the daemon on one screen, refreshed each second, also across restarts of the daemon.

`observe` takes a snapshot, `screen` (cli/screen.py) draws it, `_live` does both until a key is pressed. Without a
terminal the screen is printed once; with --json each snapshot is a line.
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
# The timeout of a request: after it the daemon is shown as not responding.
_TIMEOUT_SECONDS = 5.0
_SHOWN_JOBS, _SHOWN_FAILURES = 50, 10
_UNWELL = ("failed", "quarantined")


@click.command()
@click.option(
    "--interval", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds between snapshots."
)
@click.option("--count", type=click.IntRange(1), help="End after so many snapshots.")
@common
@click.pass_obj
def monitor(context: CommandContext, /, interval: float, count: int | None) -> None:
    """Watch the daemon live; q quits. With --json each snapshot is a line; without a terminal there is one."""
    client = context.client(timeout=_TIMEOUT_SECONDS)
    with suppress(KeyboardInterrupt):  # Ctrl-C quits
        if context.json:
            _stream(client, interval, count)
        elif sys.stdout.isatty():
            _live(client, interval, count)
        else:
            _print_once(client)


def observe(client: AdminClient) -> Snapshot:
    """A snapshot: everything that the screen shows, as the endpoints return it. Raises UnreachableError."""
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
    """The last snapshot of a daemon that does not respond, with the reason."""
    return before | {"at": _now(), "reachable": False, "detail": detail}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _items(client: AdminClient, kind: str, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - query parameters
    found: list[dict[str, Any]] = client.request("GET", at(kind), **query)["items"]
    return found


def _snapshots(client: AdminClient, count: int | None) -> Iterator[Snapshot]:
    """Snapshots, each taken when it is needed; the first may raise UnreachableError, later ones report it."""
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
    from launchd.cli.screen import plain  # noqa: PLC0415 - imports rich

    click.echo(plain(observe(client)))


def _live(client: AdminClient, interval: float, count: int | None) -> None:
    from rich.live import Live  # noqa: PLC0415 - needed at a terminal only

    from launchd.cli.screen import DaemonWatch, screen  # noqa: PLC0415 - imports rich

    watch = DaemonWatch()
    looks = _snapshots(client, count)
    first = next(looks)  # before the screen is drawn, so that an error is printed as usual
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
    """A function that waits so many seconds for a key, and returns True for q and Ctrl-D, which quit."""
    if not sys.stdin.isatty():
        yield time.sleep
        return
    import termios  # noqa: PLC0415 - needed at a terminal only
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
