"""The pure modules of the dashboard, tested by Node's own runner: each file of tests/admin/web/ is one case here."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).with_name("web").glob("*.test.mjs"))
# The first version with module.register(), which tests/admin/web/modules.mjs uses.
OLDEST = (18, 19)
PATIENCE_SECONDS = 120


@cache
def missing() -> str | None:
    """The reason why Node cannot run the tests; None if it can."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed"
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        return f"node is older than {OLDEST[0]}.{OLDEST[1]}: {answer.strip()}"
    return None


def test_there_are_tests_of_scripts() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_pure_module_passes_its_tests(file: Path) -> None:
    if (why := missing()) is not None:
        pytest.skip(why)
    command = ["node", "--test", "--test-reporter=spec", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    passed = re.search(r"pass (\d+)", ended.stdout)
    assert passed is not None, ended.stdout
    assert int(passed[1]) > 0, ended.stdout
