"""The screen of the monitor: a snapshot as tables. Pure functions of the snapshot, except `DaemonWatch`."""

import io
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from launchd.cli.output import age, format_value, size
from launchd.values.text import one_line

Snapshot = dict[str, Any]
Row = dict[str, Any]
_COLOURS = {"healthy": "green", "degraded": "yellow", "unhealthy": "red", "open": "red", "half_open": "yellow"}
# On a narrower screen all tables stand one below the other.
_WIDE = 110
_PIPE_WIDTH = 160
# Columns of free text: they get the room that is left, and are cut, never wrapped.
_TEXTS = frozenset({"", "error", "progress", "why"})
# The least number of running jobs, however small the screen is.
_LEAST_JOBS = 3
_FIRES_SHOWN, _FAILURES_SHOWN = 5, 5


class DaemonWatch:
    """Notices restarts of the daemon and times without a response; `notice` is a sentence on that, or None."""

    def __init__(self) -> None:
        self.notice: str | None = None
        self._instance: str | None = None
        self._away_since: str | None = None

    def update(self, seen: Snapshot) -> None:
        """Compare a snapshot with the previous ones."""
        if not seen["reachable"]:
            self._away_since = self._away_since or _clock(seen["at"])
            self.notice = f"no response since {self._away_since} (UTC), this is the last snapshot: {seen['detail']}"
            return
        instance = seen["status"]["instance"]
        if self._instance not in {None, instance}:
            self.notice = f"the daemon was restarted at {_clock(seen['status']['started_at'])} (UTC)"
        elif self._away_since is not None:
            self.notice = f"the daemon responds again; it did not since {self._away_since} (UTC)"
        self._instance, self._away_since = instance, None


def screen(seen: Snapshot, notice: str | None, room: ConsoleDimensions) -> RenderableType:
    """The whole screen, the most important tables first; it is cut off at the bottom."""
    head: list[RenderableType] = [_header(seen).append("  q quits", style="not bold dim")]
    if notice is not None:
        head.append(Text(one_line(notice), style="yellow" if seen["reachable"] else "reverse red"))
    head.append(_unwell(seen))
    console = Console(width=room.width, height=room.height, file=io.StringIO())
    others = Group(*head, *_sections(seen, room.width, 0))
    left = room.height - len(console.render_lines(others, pad=False))
    return Group(*head, *_sections(seen, room.width, max(left, _LEAST_JOBS)))


def plain(seen: Snapshot) -> str:
    """The whole snapshot as plain text, for output that is not a terminal."""
    console = Console(width=_PIPE_WIDTH, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(_header(seen), _unwell(seen), *_sections(seen, _PIPE_WIDTH, len(seen["running"])), sep="\n")
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _sections(seen: Snapshot, width: int, most: int) -> list[RenderableType]:
    """The tables from top to bottom, with at most `most` running jobs; on a wide screen some stand side by side."""
    status = seen["status"]
    count = len(seen["running"])
    title = f"Running ({count})" if count <= most else f"Running ({most} of {count})"
    queues = _table("Queues", _QUEUES, status["queues"], seen)
    fires = _table("Next fires", _FIRES, status["next_fires"][:_FIRES_SHOWN], seen)
    running = _table(title, _RUNNING, seen["running"][:most], seen)
    failures = _table("Recent failures", _FAILURES, seen["failures"][:_FAILURES_SHOWN], seen)
    locks = _table("Locks", _LOCKS, seen["locks"], seen)
    sources = _table("Sources", _SOURCES, seen["sources"], seen)
    if width < _WIDE:
        return [queues, running, failures, fires, locks, sources]
    return [_beside(queues, fires), running, failures, _beside(locks, sources)]


def _beside(left: RenderableType, right: RenderableType) -> RenderableType:
    grid = Table.grid(padding=(0, 4))
    grid.add_row(left, right)
    return grid


def _header(seen: Snapshot) -> Text:
    status, verdict = seen["status"], seen["health"]["status"]
    running = sum(queue["running"] for queue in status["queues"])
    waiting = sum(queue["waiting"] for queue in status["queues"])
    text = Text(f"launchd {status['version']}  ", style="bold")
    text.append(verdict, style=f"bold {_COLOURS[verdict]}")
    memory = size(status["memory_bytes"])
    words = f"pid {status['pid']}  up {age(status['uptime'])}  {memory}  {running} running  {waiting} waiting"
    text.append(f"  {words}  {_clock(seen['at'])} UTC", style="not bold")
    return text


def _unwell(seen: Snapshot) -> Text:
    """A line for each check that is not healthy."""
    checks = seen["health"]["checks"].items()
    lines = [
        Text(f"{name}: {one_line(check['detail'])} (since {check['since']})", style=_COLOURS[check["status"]])
        for name, check in checks
        if check["status"] != "healthy"
    ]
    return Text("\n").join([*lines, Text("")])


Cell = Callable[[Row, Snapshot], object]


def _field(name: str) -> Cell:
    return lambda row, _seen: row.get(name)


def _slots(row: Row, _seen: Snapshot) -> str:
    return f"{row['running']}/{row['slots']}"


def _state(row: Row, _seen: Snapshot) -> str:
    return f"paused{': ' + row['note'] if row['note'] else ''}" if row["paused"] else ""


def _since(name: str) -> Cell:
    return lambda row, seen: age(_seconds(row[name], seen["at"])) if row[name] else ""


def _until(name: str) -> Cell:
    return lambda row, seen: f"in {age(_seconds(seen['at'], row[name]))}" if row[name] else ""


def _oldest(row: Row, _seen: Snapshot) -> str:
    return age(row["oldest_wait"]) if row["waiting"] else ""


def _progress(row: Row, _seen: Snapshot) -> str:
    said = row["progress"]
    if said is None:
        return "cancel requested" if row["cancel_requested"] else ""
    total = f"/{said['total']:g}" if said["total"] else ""
    note = (said["note"] or "").splitlines()[-1:]
    return " ".join([f"{said['done']:g}{total}", *note])


def _fresh(row: Row, _seen: Snapshot) -> str:
    return "" if row["freshness"] is None else age(row["freshness"])


def _why(row: Row, _seen: Snapshot) -> str:
    text = (row["error"] or {}).get("message") or row["reason"] or ""
    return str(text).split("\n", 1)[0]


_QUEUES = {"queue": _field("name"), "slots": _slots, "waiting": _field("waiting"), "oldest": _oldest, "": _state}
_LOCKS = {"lock": _field("name"), "held": _since("since"), "by job": _field("job_id"), "waiters": _field("waiters")}
_FIRES = {"schedule": _field("schedule"), "next": _until("at"), "at": _field("at")}
_SOURCES = {
    "source": _field("name"),
    "age": _fresh,
    "records": _field("records"),
    "circuit": lambda row, _seen: row["circuit"]["state"],
    "error": _field("error"),
}
_RUNNING = {
    "job": _field("id"),
    "task": _field("task"),
    "queue": _field("queue"),
    "attempt": _field("attempt"),
    "age": _since("started_at"),
    "progress": _progress,
}
_FAILURES = {
    "job": _field("id"),
    "task": _field("task"),
    "state": _field("state"),
    "ago": _since("finished_at"),
    "why": _why,
}


def _table(title: str, shows: dict[str, Cell], rows: Iterable[Row], seen: Snapshot) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    for name in shows:
        # a column that may wrap shrinks first; its cells are cut
        table.add_column(name, no_wrap=name not in _TEXTS, overflow="ellipsis")
    for row in rows:
        words = [format_value(cell(row, seen)).replace("\n", " ") for cell in shows.values()]
        table.add_row(*(Text(word, _COLOURS.get(word, ""), no_wrap=True, overflow="ellipsis") for word in words))
    heading = Text(title, style="bold")
    return Group(heading, table if table.row_count else Text("(none)", style="dim"), Text(""))


def _seconds(earlier: str, later: str) -> float:
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):  # one of them reads "unreadable", or a row lacks it
        return 0.0


def _clock(at: str) -> str:
    return at[11:19] or at
