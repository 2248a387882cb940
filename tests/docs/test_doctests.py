"""The examples in the docstrings of the public API run and print what they show."""

import subprocess
import sys

import pytest

import launchd
import launchd.testing
from tests.support.paths import ROOT

# In a process of its own, whose log is quiet: a daemon's lines would be taken for the output of the example.
_RUN = """
import doctest, importlib, sys
from launchd.logs import setup
setup.configure("error", "json")
found = doctest.testmod(importlib.import_module(sys.argv[1]))
sys.exit(found.failed or found.attempted < 4)
"""


@pytest.mark.parametrize("module", ["launchd.task", "launchd.testing"])
def test_the_examples_of_a_public_module_run(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, module], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_name_that_task_code_imports_has_an_example() -> None:
    names = [name for name in launchd.__all__ if name not in {"__version__", "task"}]
    assert [name for name in names if ">>>" not in (getattr(launchd, name).__doc__ or "")] == []
    assert ">>>" in (launchd.task.__doc__ or "")
    assert ">>>" in (launchd.testing.__doc__ or "")
