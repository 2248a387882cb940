"""`launchd monitor` as a user sees it: on a real terminal (a pty), in a pipe, as a stream for programs."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, ConsoleDimensions

from launchd.cli.commands.monitor import away, observe
from launchd.cli.screen import DaemonWatch, screen
from tests.support.daemon_process import Installation, command
from tests.support.hosted_daemon import PATIENCE_SECONDS

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ALTERNATE, _BACK = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, '[schedules.nightly]\ntask = "greet"\ncron = "0 3 * * *"\n')


class Terminal:
    """A terminal of 160 x 50 in which a command runs."""

    def __init__(self, process: subprocess.Popen[bytes], screen_side: int, keyboard_modes: list[object]) -> None:
        self.process = process
        self.seen = ""
        self._side = screen_side
        self._modes = keyboard_modes

    def until(self, wanted: str) -> None:
        """Read until this is (newly) on the screen; what was read before it does not count any more."""
        self._read(lambda: wanted in _ESCAPES.sub("", self.seen), wanted)
        self.seen = ""

    def press(self, keys: bytes) -> None:
        os.write(self._side, keys)

    def rest(self) -> str:
        """All that is printed until the end, its escapes included."""
        self._read(lambda: self.process.poll() is not None, "its end")
        while self._ready(0):
            if not self._take():
                break
        return self.seen

    def modes(self) -> list[object]:
        """How the keyboard is set up."""
        return termios.tcgetattr(self._side)[3:4]

    def _read(self, done: object, wanted: str) -> None:
        assert callable(done)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"waited for {wanted!r}, saw {_ESCAPES.sub('', self.seen)[-3000:]}"
            if self._ready(0.05):
                self._take()

    def _ready(self, seconds: float) -> bool:
        return bool(select.select([self._side], [], [], seconds)[0])

    def _take(self) -> bool:
        try:
            data = os.read(self._side, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def terminal(installation: Installation, *words: str) -> Iterator[Terminal]:
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    environ = {name: value for name, value in installation.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        command(*words),
        stdin=its,
        stdout=its,
        stderr=its,
        env=environ | {"TERM": "xterm-256color"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - Ctrl-C needs a controlling terminal
    )
    try:
        yield Terminal(process, mine, termios.tcgetattr(its)[3:4])
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(mine)
        os.close(its)


def test_the_screen_shows_the_daemon_and_changes_and_q_restores_the_terminal(
    installation: Installation, tmp_path: Path
) -> None:
    with installation.running() as daemon, terminal(installation, "monitor", "--interval", "0.1") as seen:
        before = seen.modes()
        seen.until(f"pid {daemon.pid}")
        job_id = installation.json("trigger", "linger", f"until={tmp_path}/go")["id"]
        seen.until("Running (1)")
        seen.until(str(job_id))
        failed = installation.json("trigger", "stumble", "why=over a root")["id"]
        seen.until("over a root")
        seen.until(str(failed))
        (tmp_path / "go").touch()
        seen.until("Running (0)")
        seen.press(b"q")
        assert _BACK in seen.rest()
        assert seen.process.returncode == 0
        assert seen.modes() == before


def test_ctrl_c_quits_the_monitor_as_well(installation: Installation) -> None:
    with installation.running(), terminal(installation, "monitor") as seen:
        before = seen.modes()
        seen.until("Queues")
        seen.press(b"\x03")
        assert _BACK in seen.rest()
        assert seen.process.returncode == 0
        assert seen.modes() == before


def test_the_monitor_survives_a_restart_of_the_daemon_and_says_so(installation: Installation) -> None:
    with installation.running() as first:
        watching = terminal(installation, "monitor", "--interval", "0.1")
        seen = watching.__enter__()
        seen.until(f"pid {first.pid}")
    try:
        seen.until("no response since")
        with installation.running() as second:
            seen.until("the daemon was restarted at")
            seen.until(f"pid {second.pid}")
            seen.press(b"q")
            seen.rest()
            assert seen.process.returncode == 0
    finally:
        watching.__exit__(None, None, None)


def test_without_a_daemon_the_terminal_is_left_alone(installation: Installation) -> None:
    with terminal(installation, "monitor") as seen:
        printed = seen.rest()
        assert seen.process.returncode == 3
        assert _ALTERNATE not in printed
        assert "there is no socket" in printed


def test_a_pipe_gets_one_plain_snapshot(installation: Installation) -> None:
    with installation.running() as daemon:
        text = installation.text("monitor")
        assert f"pid {daemon.pid}" in text
        assert "\x1b" not in text
        assert re.search(r"^nightly +in \d+ (h|min|s) +\d{4}-\d\d-\d\dT03:00:00Z$", _right_half(text), re.MULTILINE)
        assert re.search(r"^default +0/10 ", text, re.MULTILINE)


def _right_half(text: str) -> str:
    """The lines from where the right column begins."""
    start = next(line.index("Next fires") for line in text.splitlines() if "Next fires" in line)
    return "\n".join(line[start:] for line in text.splitlines())


def test_json_output_is_a_snapshot_a_line_also_while_the_daemon_does_not_respond(installation: Installation) -> None:
    with installation.running() as daemon:
        stream = subprocess.Popen(
            command("monitor", "--json", "--interval", "0.1"),
            env=installation.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert stream.stdout is not None
        assert stream.stderr is not None
        first = json.loads(stream.stdout.readline())
        assert first["status"]["pid"] == daemon.pid
        assert first["reachable"] is True
        assert {"health", "running", "failures", "locks", "sources"} <= first.keys()
    with stream:
        while (line := json.loads(stream.stdout.readline()))["reachable"]:
            pass
        assert line["status"]["pid"] == first["status"]["pid"]
        assert str(installation.socket) in line["detail"]
        stream.send_signal(signal.SIGINT)
        assert stream.stderr.read() == ""
    assert stream.returncode == 0


def test_a_count_of_snapshots_ends_the_stream(installation: Installation) -> None:
    with installation.running():
        lines = installation.text("monitor", "--json", "--count", "2", "--interval", "0.1").splitlines()
        assert [json.loads(line)["reachable"] for line in lines] == [True, True]


def test_on_a_terminal_waiting_shows_a_progress_bar_that_is_gone_at_the_end(
    installation: Installation, tmp_path: Path
) -> None:
    with installation.running():
        job_id = installation.json("trigger", "linger", f"until={tmp_path}/go")["id"]
        with terminal(installation, "job", job_id, "--wait") as seen:
            seen.until("begun")
            seen.until("1/2")
            (tmp_path / "go").touch()
            printed = seen.rest()
        assert "ended" in printed
        end = _ESCAPES.sub("", printed.rpartition("\x1b[2K")[2])
        assert end.startswith("id ")
        assert re.search(r"^result +waited", end, re.MULTILINE)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 30), (200, 70)])
def test_however_much_runs_the_screen_keeps_to_its_width_and_shows_the_most_important_first(
    installation: Installation, width: int, height: int
) -> None:
    with installation.running():
        job = installation.json("trigger", "stumble", "--wait", code=1)
        seen = observe(installation.client)
    seen["running"] = [job] * 100
    room = ConsoleDimensions(width, height)
    console = Console(width=width, height=height, color_system=None)
    lines = ["".join(part.text for part in line) for line in console.render_lines(screen(seen, "noticed", room))]
    shown = "\n".join(lines[:height])
    assert max(map(len, lines)) <= width
    assert all(word in shown for word in ("launchd", "noticed", "Queues", "Running (", " of 100)", "Recent failures"))
    rows = sum(line.startswith(job["id"][:8]) for line in lines)
    titled = re.search(r"Running \((\d+) of", shown)
    assert titled is not None
    assert rows == int(titled[1]) + len(seen["failures"])
    assert len(lines) == height or rows == 3 + len(seen["failures"])


@pytest.mark.parametrize("width", [80, 120])
def test_long_words_are_cut_so_that_names_stay_whole(installation: Installation, width: int) -> None:
    with installation.running():
        seen = observe(installation.client)
    for source in seen["sources"]:
        source["error"] = f"https://example.org/{'x' * 300}: Cannot connect"
    room = ConsoleDimensions(width, 100)
    console = Console(width=width, height=100, color_system=None)
    lines = ["".join(part.text for part in line) for line in console.render_lines(screen(seen, None, room))]
    rows = [next(line for line in lines if f"{source['name']} " in line) for source in seen["sources"]]
    assert all("https://" in row for row in rows)
    assert all(row.rstrip().endswith("…") and len(row) <= width for row in rows)


def test_restarts_and_times_without_a_response_are_noticed() -> None:
    watched = DaemonWatch()

    def noticed(seen: dict[str, Any]) -> str | None:
        watched.update(seen)
        return watched.notice

    up = {"at": "2026-01-01T00:00:01Z", "reachable": True, "status": {"instance": "a", "started_at": "x"}}
    assert noticed(up) is None
    for second in (2, 3):
        notice = noticed(away(up, "gone") | {"at": f"2026-01-01T00:00:0{second}Z"})
        assert notice is not None
        assert "since 00:00:02" in notice
    assert noticed(up) == "the daemon responds again; it did not since 00:00:02 (UTC)"
    other = {"instance": "b", "started_at": "2026-01-01T00:00:04Z"}
    assert noticed(up | {"status": other}) == "the daemon was restarted at 00:00:04 (UTC)"
