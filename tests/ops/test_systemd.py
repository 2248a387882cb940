"""The protocol with systemd, over real sockets."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from launchd import config
from launchd.clock import SystemClock
from launchd.errors import ConfigError
from launchd.ops import systemd


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that receives the messages to systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def test_states_of_one_message_arrive_together_one_a_line(manager: socket.socket) -> None:
    assert systemd.notify("READY=1", systemd.status("all\nis   well"))
    assert manager.recv(4096) == b"READY=1\nSTATUS=all is well"


def test_a_long_status_is_cut_to_one_bounded_line() -> None:
    line = systemd.status("x" * 5000)
    assert len(line) == len("STATUS=") + systemd.MAX_STATUS
    assert line.endswith("...")


def test_a_manager_that_reads_nothing_does_not_block_the_daemon(manager: socket.socket) -> None:
    while systemd.notify("WATCHDOG=1"):  # until its queue is full
        pass
    assert not systemd.notify("WATCHDOG=1")
    manager.recv(4096)
    assert systemd.notify("WATCHDOG=1")


def test_nothing_is_sent_if_nobody_listens(tmp_path: Path) -> None:
    assert not systemd.notify("READY=1", environ={})
    assert not systemd.notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_a_reload_carries_its_monotonic_time() -> None:
    first, second = systemd.reloading(), systemd.reloading()
    assert first[0] == "RELOADING=1"
    assert 0 < int(first[1].removeprefix("MONOTONIC_USEC=")) <= int(second[1].removeprefix("MONOTONIC_USEC="))


def test_the_watchdog_period_is_taken_only_by_the_process_that_is_meant() -> None:
    assert systemd.watchdog_seconds({"WATCHDOG_USEC": "3000000"}) == 3.0
    assert systemd.watchdog_seconds({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, pid=7) == 3.0
    assert systemd.watchdog_seconds({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, pid=8) is None
    assert systemd.watchdog_seconds({}) is None
    assert systemd.watchdog_seconds({"WATCHDOG_USEC": "0"}) is None


def given(count: int, path: Path) -> int:
    """Listening sockets on consecutive descriptors; returns the number of the first."""
    first = 900
    for index in range(count):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path / f"{index}.sock"))
            listener.listen()
            os.dup2(listener.fileno(), first + index, inheritable=True)
    return first


def test_sockets_are_taken_by_name_and_their_variables_are_gone_for_children(tmp_path: Path) -> None:
    first = given(3, tmp_path)
    environ = {"LISTEN_FDS": "3", "LISTEN_PID": "42", "LISTEN_FDNAMES": "admin:tcp:admin", "PATH": "/bin"}
    taken = systemd.take_listeners(environ, pid=42, first=first)
    assert {name: Path(one.getsockname()).name for name, one in taken.items()} == {"admin": "0.sock", "tcp": "1.sock"}
    assert environ == {"PATH": "/bin"}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(first + 2)
    for listener in taken.values():
        assert not os.get_inheritable(listener.fileno())
        assert not listener.getblocking()
        listener.close()


def test_sockets_of_another_process_are_left_alone(tmp_path: Path) -> None:
    first = given(1, tmp_path)
    assert systemd.take_listeners({"LISTEN_FDS": "1", "LISTEN_PID": "42"}, pid=43, first=first) == {}
    os.close(first)


async def test_while_the_body_runs_more_time_is_requested_with_a_status(manager: socket.socket) -> None:
    async with systemd.extending(SystemClock(), lambda: "draining: 2 running"):
        assert await _received(manager) == b"EXTEND_TIMEOUT_USEC=15000000\nSTATUS=draining: 2 running"


async def _received(manager: socket.socket) -> bytes:
    return await asyncio.to_thread(manager.recv, 4096)


def test_a_secret_is_a_path_or_a_credential_that_systemd_handed_over(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "launch_library").touch()
    assert config.secret_path("credential:launch_library", environ) == tmp_path / "launch_library"
    assert config.secret_path("/etc/token", environ) == Path("/etc/token")
    for named, handed_over in (("launch_library", {}), ("redis", environ)):
        with pytest.raises(ConfigError, match=f"the unit has LoadCredential={named}, and restart"):
            config.secret_path(f"credential:{named}", handed_over)


def test_the_log_masks_every_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("one-secret\nanother-secret\n")
    (tmp_path / "b").write_bytes(b"\xff\x00")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert config.secrets(config.Config()) == ["one-secret", "another-secret"]


def test_a_credential_cannot_leave_its_directory() -> None:
    with pytest.raises(ConfigError, match="token_file"):
        config.parse('[sources.launch_library]\ntoken_file = "credential:../shadow"')
