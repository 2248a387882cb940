"""Blocks of the pages run: Python is imported and its tests pass, bash reads shell, a real daemon answers curl."""

import ast
import contextlib
import importlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import DOCS, README, Fence, every_page, fences, shell_lines
from tests.support.daemon_process import Installation
from tests.support.paths import ROOT

_JOB = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")
Load = Callable[[Path], list[ModuleType]]


@every_page
def test_every_python_block_names_its_file_and_is_python(page: Path) -> None:
    for fence in fences(page, "python"):
        assert fence.file, f"{page.name}: a Python block does not begin with the name of its file"
        assert is_python(textwrap.dedent(fence.text.partition("\n")[2])), f"{page.name}: {fence.text}"


def is_python(text: str) -> bool:
    """True if the text is Python: a file, or an excerpt such as some entries of a dict or some arguments of a call."""
    for form in ("{}", "{{\n{}\n}}", "f(\n{}\n)"):
        with contextlib.suppress(SyntaxError):
            ast.parse(form.format(text))
            return True
    return False


@every_page
def test_bash_can_read_every_shell_block(page: Path) -> None:
    for line in [fence.text for fence in fences(page, "sh")] + list(shell_lines(page)):
        done = subprocess.run(["bash", "-n"], input=line, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{page.name}: {line}: {done.stderr}"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports the Python files that a page has its reader make, each under its name; excerpts of files are left out."""

    def modules(page: Path) -> list[ModuleType]:
        made = [one for one in fences(page, "python") if one.file and not (ROOT / one.file).exists()]
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        return [module(fence) for fence in made]

    def module(fence: Fence) -> ModuleType:
        path = tmp_path / (fence.file or "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fence.text, "utf-8")
        name = ".".join((fence.file or "").removesuffix(".py").split("/"))
        spec = spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        found = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, found)
        package, _, last = name.rpartition(".")
        if package:
            monkeypatch.setattr(importlib.import_module(package), last, found, raising=False)
        spec.loader.exec_module(found)
        return found

    return modules


@pytest.mark.parametrize("name", ["README.md", "first-task.md", "contributing.md"])
async def test_the_files_of_a_page_can_be_imported_and_their_tests_pass(
    name: str, load: Load, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = README if name == README.name else DOCS / name
    tests = [one for module in load(page) for name, one in vars(module).items() if name.startswith("test_")]
    followed = all((ROOT / one.file).exists() for one in fences(page, "python") if one.file)
    assert tests or followed  # who has followed a page has its files
    for test in tests:
        given = (
            {"tmp_path": tmp_path_factory.mktemp("page")} if "tmp_path" in inspect.signature(test).parameters else {}
        )
        answer = test(**given)
        if inspect.isawaitable(answer):
            await answer


# --- shell ---


class Reader:
    """Somebody who copies a page's shell blocks into a terminal beside a running daemon."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.job = ""
        tools = Path(sys.executable).parent
        socket = {"LAUNCHD_SOCKET": str(place.socket), "PATH": f"{tools}:{os.environ['PATH']}"}
        self._environ = place.environ | socket

    def run(self, line: str) -> str:
        """The output of a line, which must succeed. `ID` is the last job that was triggered."""
        words = re.sub(r"\bID\b", self.job, line.partition(" #")[0])
        words = words.replace("/run/launchd/admin.sock", str(self.place.socket))
        words = words.replace(".state/launchd.toml", str(self.place.config)).replace("curl ", "curl --fail-with-body ")
        done = subprocess.run(
            ["bash", "-c", words],
            env=self._environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        if " trigger " in words:
            self.job = _JOB.findall(done.stdout + done.stderr)[0]
        return done.stdout


def is_for_here(line: str) -> bool:
    """False for what needs root or another machine, and for what only sets up the terminal."""
    return not line.startswith(("sudo ", "export ", "make ", "git ", "journalctl ", "ssh ")) and line.strip() != ""


def test_every_curl_of_a_shell_block_is_answered(tmp_path: Path) -> None:
    place = Installation(tmp_path, "")
    pages = [README, *sorted(DOCS.glob("*.md"))]
    lines = {line for page in pages for line in shell_lines(page) if line.startswith("curl ")}
    assert lines
    with place.running():
        reader = Reader(place)
        for line in lines:
            assert reader.run(re.sub(r" > \S+", "", line))


def test_the_commands_of_the_readme_work_beside_a_running_daemon(tmp_path: Path) -> None:
    """No source answers here, so a refresh cannot succeed; all else must."""
    place = Installation(tmp_path, "", admin='tcp = "127.0.0.1:0"')
    (block,) = (one.text for one in fences(README, "sh") if "LAUNCHD_SOCKET" in one.text)
    with place.running():
        reader = Reader(place)
        said = {line: reader.run(line) for line in block.splitlines() if is_for_here(line) and "refresh" not in line}
    assert any("/sign-in" in text for text in said.values())


def test_the_steps_of_the_first_task_lead_where_the_page_says(tmp_path: Path) -> None:
    page = DOCS / "first-task.md"
    place = Installation(tmp_path, "")
    tables = "\n".join(one.text for one in fences(page, "toml")).replace("[tasks]\n", "")
    text = place.config.read_text("utf-8")
    place.config.write_text(re.sub(r"\[tasks\]\nmodules = .*", f"[tasks]\n{tables}", text), "utf-8")
    (task,) = (one.text for one in fences(page, "python") if one.file == "my_tasks.py")
    (tmp_path / "my_tasks.py").write_text(task, "utf-8")
    with place.running():
        reader = Reader(place)
        said = {line: reader.run(line) for line in shell_lines(page) if is_for_here(line)}
    (triggered,) = (text for line, text in said.items() if " trigger " in line)
    assert "succeeded" in triggered
    assert any("count_nightly" in text for text in said.values())


def test_the_reader_of_these_tests_fails_where_a_command_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit 3"):
        Reader(Installation(tmp_path, "")).run("launchd status")
