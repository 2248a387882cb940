"""A daemon that cannot start prints the reason in one line, with what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def refused(directory: Path, text: str) -> str:
    """The output of a daemon that cannot start; it must end with exit code 1 and without a traceback."""
    config = directory / "launchd.toml"
    config.write_text(text)
    command = [sys.executable, "-m", "launchd", "run", "--config", str(config)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


def state(directory: Path) -> str:
    return f'[daemon]\nstate_directory = "{directory}/state"\n[admin]\nsocket = "{directory}/admin.sock"\n'


def test_a_path_that_is_no_socket_is_named(tmp_path: Path) -> None:
    (tmp_path / "admin.sock").write_text("a file")
    assert "is not a socket" in refused(tmp_path, state(tmp_path))
    assert (tmp_path / "admin.sock").read_text() == "a file"


@pytest.mark.parametrize("directory", ["/proc/nope", "/dev/null/state"])
def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path, directory: str) -> None:
    text = f'[daemon]\nstate_directory = "{directory}"\n[admin]\nsocket = "{tmp_path}/admin.sock"\n'
    said = refused(tmp_path, text)
    assert directory in said
    assert "state_directory" in said
