"""A daemon in poor surroundings: signals that come early or are ignored, a lost socket, process 1, few threads."""

import asyncio
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from launchd.admin.http import listen, presence
from launchd.admin.http.listen import listen_unix
from launchd.errors import AlreadyRunningError
from tests.support.daemon_process import Installation, command
from tests.support.hosted_daemon import PATIENCE_SECONDS, hosted, quiet_config
from tests.support.paths import ROOT
from tests.support.unruly_daemon import alive, answers, lines, place, run, until, word

__all__ = ["place"]
EXEC = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def daemon_of(place: Installation, words: list[str], ready: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that is started by these words, once it answers; ended at the end."""
    with (place.directory / "daemon.log").open("ab") as log:
        process = subprocess.Popen(words, env=place.environ, cwd=ROOT, stdout=log, stderr=log)
    try:
        if ready:
            until(lambda: answers(place) or process.poll() is not None)
            assert process.poll() is None, (place.directory / "daemon.log").read_text("utf-8")
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def test_a_reload_that_is_asked_for_while_the_daemon_starts_does_not_end_it(place: Installation) -> None:
    # the first thing that Python does for us is to import the package: from its first lines on nothing ends it
    words = [sys.executable, "-X", "importtime", *command("run")[1:]]
    environ = place.environ
    with subprocess.Popen(words, env=environ, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            read = b""
            while b"launchd.system.startup" not in read:  # imported, and called in the next line
                data = os.read(process.stderr.fileno(), 65_536)
                assert data, read
                read += data
            poll = select.poll()
            poll.register(process.stderr, select.POLLIN)
            hangups = 0
            while not answers(place):
                if hangups or b"msgspec" in read:
                    process.send_signal(signal.SIGHUP)
                    hangups += 1
                while poll.poll(0):
                    read += os.read(process.stderr.fileno(), 65_536)
                assert process.poll() is None
            assert hangups
            process.send_signal(signal.SIGTERM)
            while data := os.read(process.stderr.fileno(), 65_536):
                read += data
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()


def test_exit_codes_of_processes_are_read_though_the_parent_ignored_its_children(place: Installation) -> None:
    ignoring = f"import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); {EXEC}"
    with daemon_of(place, [sys.executable, "-c", ignoring, *command("run")]):
        job = run(place, "breed_and_return", folder=str(place.directory))
        assert job["state"] == "succeeded", job
        assert run(place, "terminate_a_fork")["result"] == -signal.SIGTERM


def test_signals_that_the_parent_had_blocked_are_heard(place: Installation) -> None:
    blocking = f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {{15, 2, 1}}); {EXEC}"
    with daemon_of(place, [sys.executable, "-c", blocking, *command("run")]):
        assert answers(place)


# --- the socket ---


async def test_a_socket_whose_file_was_removed_is_bound_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "LOOK_SECONDS", 0.05)
    async with hosted(quiet_config(tmp_path)) as daemon:
        daemon.socket.unlink()
        await reached(daemon.socket)
        assert (await daemon.control.health()).checks["admin_socket"].level == "healthy"
        daemon.socket.rename(tmp_path / "elsewhere")
        await reached(daemon.socket)
    assert not daemon.socket.exists()


async def test_a_socket_in_whose_place_another_program_listens_is_left_alone_and_health_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "LOOK_SECONDS", 0.05)
    async with hosted(quiet_config(tmp_path)) as daemon:
        daemon.socket.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(daemon.socket))
            other.listen()
            while (found := (await daemon.control.health()).checks["admin_socket"]).level == "healthy":  # noqa: ASYNC110 - health tells only who asks
                await asyncio.sleep(0.05)
            assert "another program listens" in found.detail
        await reached(daemon.socket)  # the other has left its file behind


async def reached(path: Path) -> None:
    """Wait until somebody accepts connections."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_unix_connection(str(path))
                writer.close()
                return
            await asyncio.sleep(0.05)


def test_a_program_on_the_path_that_never_answers_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "PROBE_SECONDS", 0.1)
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as first:
        other.bind(str(path))
        other.listen(0)
        first.connect(str(path))  # fills the backlog
        with pytest.raises(AlreadyRunningError, match="does not answer: end it"):
            listen_unix(path, 0o660)


# --- process 1 ---

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def can(words: list[str]) -> bool:
    return shutil.which(words[0]) is not None and not subprocess.call([*words, "true"], stderr=subprocess.DEVNULL)


@pytest.mark.skipif(not can(UNSHARE), reason="needs a PID namespace")
def test_as_process_1_it_reaps_orphans_and_hears_signals(place: Installation) -> None:
    words = ["sh", "-c", 'echo $$ > "$0"; exec "$@"', str(place.directory / "pid"), *UNSHARE, *command("run")]
    with daemon_of(place, words) as outer:
        (init,) = (Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text()).split()
        (inner,) = (Path(f"/proc/{init}/task/{init}/children").read_text()).split()
        job = run(place, "orphan", folder=str(place.directory))
        assert job["result"] == 3  # the exit code of its own child
        word(place.directory / "orphan")
        until(lambda: Path(f"/proc/{init}/task/{init}/children").read_text().split() == [inner])
        os.kill(int(init), signal.SIGHUP)
        until(lambda: lines(place, "reloaded"))
        os.kill(int(init), signal.SIGTERM)
        assert outer.wait(PATIENCE_SECONDS) == 0
    assert not alive(int(inner))


@pytest.mark.skipif(not can(UNSHARE), reason="needs a PID namespace")
def test_as_process_1_it_ends_as_the_daemon_ends(place: Installation) -> None:
    place.config.write_text("nonsense", "utf-8")
    with daemon_of(place, [*UNSHARE, *command("run")], ready=False) as outer:
        assert outer.wait(PATIENCE_SECONDS) == 1


# --- few threads ---

PIDS = Path("/sys/fs/cgroup/pids")


@pytest.fixture
def few() -> Iterator[Path]:
    """A cgroup that limits processes and threads."""
    group = PIDS / f"launchd-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "pids.max").write_text("8")
    except OSError:
        pytest.skip("needs the pids controller of cgroups")
    yield group
    until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def in_group(group: Path, words: list[str]) -> list[str]:
    return ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh", *words]


@pytest.mark.parametrize("limit", [2, 4, 8, 10, 12])
def test_a_start_without_enough_threads_says_so_and_ends(place: Installation, few: Path, limit: int) -> None:
    (few / "pids.max").write_text(str(limit))
    with daemon_of(place, in_group(few, command("run")), ready=False) as daemon:
        assert daemon.wait(PATIENCE_SECONDS) == 1
    log = (place.directory / "daemon.log").read_text("utf-8")
    assert "raise TasksMax=" in log
    assert "Traceback" not in log


def test_a_job_for_which_there_is_no_thread_fails_with_the_reason_and_the_daemon_lives(
    place: Installation, few: Path
) -> None:
    (few / "pids.max").write_text("100")
    with daemon_of(place, in_group(few, command("run"))):
        now = int((few / "pids.current").read_text())
        (few / "pids.max").write_text(str(now))
        for name in ("return_at_once", "breed_and_return"):
            job = run(place, name, **({"folder": "/tmp"} if name == "breed_and_return" else {}))
            assert (job["state"], "new thread" in job["error"]["message"]) == ("failed", True)
        (few / "pids.max").write_text("100")
        assert run(place, "return_at_once")["state"] == "succeeded"
