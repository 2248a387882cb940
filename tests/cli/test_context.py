"""The socket and the state directory that the command line uses if none is named."""

import os
from pathlib import Path

import pytest

from launchd import config
from launchd.cli.context import CommandContext


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our own state directory, made empty; the system's is `tmp_path/system`, its socket's `tmp_path/run`."""
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "LAUNCHD_SOCKET", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("LAUNCHD_CONFIG", str(tmp_path / "empty.toml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(config, "SYSTEM_STATE", tmp_path / "system")
    monkeypatch.setattr(config, "SYSTEM_SOCKET", tmp_path / "run" / "admin.sock")
    (tmp_path / "launchd").mkdir()
    return tmp_path / "launchd"


def hold_data(*directories: Path) -> None:
    for directory in directories:
        directory.mkdir(exist_ok=True)
        (directory / "jobs.db").touch()


def test_the_system_state_is_used_if_the_own_one_is_empty(ours: Path) -> None:
    assert CommandContext().state_directory() == ours
    hold_data(config.SYSTEM_STATE)
    assert CommandContext().state_directory() == config.SYSTEM_STATE


@pytest.mark.parametrize("is_root", [True, False])
def test_if_both_hold_data_root_uses_the_system_state_and_others_their_own(
    ours: Path, monkeypatch: pytest.MonkeyPatch, *, is_root: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if is_root else 1000)
    hold_data(ours, config.SYSTEM_STATE)
    assert CommandContext().state_directory() == (config.SYSTEM_STATE if is_root else ours)


def test_a_configured_state_directory_is_always_used(
    ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_data(ours, config.SYSTEM_STATE)
    asking = CommandContext()
    asking.config = str(tmp_path / "named.toml")
    Path(asking.config).write_text(f'[daemon]\nstate_directory = "{tmp_path}/elsewhere"\n', "utf-8")
    assert asking.state_directory() == tmp_path / "elsewhere"
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "told"))
    assert CommandContext().state_directory() == tmp_path / "told"


def test_an_unreadable_directory_counts_as_one_with_data(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(path)

    assert ours.is_dir()
    monkeypatch.setattr(Path, "exists", lambda path: path.parent == config.SYSTEM_STATE and forbidden(path))
    assert CommandContext().state_directory() == config.SYSTEM_STATE


def test_the_system_socket_is_used_if_it_is_installed_and_there_is_no_own_one(ours: Path) -> None:
    assert CommandContext().client().path == ours / "admin.sock"
    config.SYSTEM_SOCKET.parent.mkdir()
    assert CommandContext().client().path == config.SYSTEM_SOCKET
    (ours / "admin.sock").touch()
    assert CommandContext().client().path == ours / "admin.sock"


def test_a_named_socket_is_always_used(ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ours.is_dir()
    config.SYSTEM_SOCKET.parent.mkdir()
    asking = CommandContext()
    asking.config = str(tmp_path / "named.toml")
    Path(asking.config).write_text(f'[admin]\nsocket = "{tmp_path}/named.sock"\n', "utf-8")
    assert asking.client().path == tmp_path / "named.sock"
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "told"))
    assert CommandContext().client().path == tmp_path / "told" / "admin.sock"
