"""Each unusable module of `[tasks] modules` is a problem of the configuration, with the line that is its cause."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from launchd import config
from launchd.engine.firing.loading import load_tasks
from launchd.errors import ConfigError
from tests.support.daemon_process import Installation, command
from tests.support.paths import ROOT

SOURCE = "from launchd import task\n@task\ndef fine(ctx): ...\n"


BROKEN = [
    ("import sys\nsys.exit()\n", "sys.exit(None)", 2),
    ("import sys\n\nsys.exit(0)\n", "sys.exit(0)", 3),
    ("class Odd(BaseException): pass\nraise Odd('why')\n", "Odd: why", 2),
    ("raise KeyboardInterrupt\n", "KeyboardInterrupt", 1),
    ("raise GeneratorExit\n", "GeneratorExit", 1),
    ("import asyncio\nraise asyncio.CancelledError\n", "CancelledError", 2),
    ("def broken(:\n", "SyntaxError: invalid syntax", 1),
    ("\n\nimport nothing_of_this_name\n", "ModuleNotFoundError", 3),
    ("import json\njson.loads('{')\n", "JSONDecodeError", 2),
    ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd\n", "Odd", 3),
    ("1 / 0\n", "ZeroDivisionError: division by zero", 1),
]


@pytest.mark.parametrize(("text", "says", "line"), BROKEN, ids=lambda value: str(value)[:24])
def test_a_module_that_breaks_is_a_problem_with_its_line(tmp_path: Path, text: str, says: str, line: int) -> None:
    (problem,) = problems(tmp_path, f"broken_{abs(hash(text))}", text)
    assert says in problem
    assert problem.endswith(f".py:{line}") or f".py:{line} " in problem


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "has no tasks"),
        (
            "class Odd:\n    @property\n    def __class__(self): raise RuntimeError\nodd = Odd()\n" + SOURCE,
            None,
        ),
        ("print('hello')\n" + SOURCE, None),
    ],
    ids=["nothing", "an odd object", "prints"],
)
def test_a_module_without_usable_tasks_is_refused(
    tmp_path: Path, text: str, says: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    found = problems(tmp_path, f"judged_{abs(hash(text))}", text)
    assert [says in one for one in found if says] == ([] if says is None else [True])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("calendar", "calendar has no tasks: it is Python's own"),
        ("email", "email has no tasks: it is Python's own"),
        ("no_such_module", "there is no module no_such_module"),
        ("no_such.module", "there is no module no_such"),
        ("json.nothing", "there is no module json.nothing"),
    ],
)
def test_a_module_that_is_not_the_operators_is_named(tmp_path: Path, name: str, says: str) -> None:
    (problem,) = problems(tmp_path, name, None)
    assert says in problem


def problems(folder: Path, name: str, text: str | None) -> list[str]:
    """The problems of a configuration that names a module with this text."""
    if text is not None:
        (folder / f"{name}.py").write_text(text)
    path = folder / "launchd.toml"
    path.write_text(f'[tasks]\nmodules = ["{name}"]\n')
    try:
        load_tasks(config.load(path), [])
    except ConfigError as error:
        return [problem.message for problem in error.errors]
    return []


@pytest.mark.parametrize("text", ["import sys\nsys.exit(0)\n", "raise BaseException('why')\n", "x = 1\n", "input()\n"])
def test_check_and_a_reload_refuse_a_module_and_the_daemon_goes_on(tmp_path: Path, text: str) -> None:
    place = Installation(tmp_path, "")
    with place.running() as daemon:
        (tmp_path / "late_module.py").write_text(text)
        told = place.config.read_text("utf-8").replace(
            '"tests.support.file_tasks"', '"tests.support.file_tasks", "late_module"'
        )
        place.config.write_text(told, "utf-8")
        answer = place.json("check", code=1)
        assert not answer["valid"]
        (problem,) = answer["errors"]
        assert problem["path"] == "tasks.modules"
        assert "late_module" in problem["message"]
        daemon.send_signal(signal.SIGHUP)
        while "reload_refused" not in (log := (tmp_path / "daemon.log").read_text("utf-8")):
            assert daemon.poll() is None
        assert "late_module" in log
        assert place.json("trigger", "greet")["state"] in {"queued", "running", "succeeded"}
    assert daemon.returncode == 0


def test_a_check_ends_though_a_module_has_started_a_thread(tmp_path: Path) -> None:
    place = Installation(tmp_path, "")
    (tmp_path / "threaded.py").write_text(
        f"import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n{SOURCE}"
    )
    told = place.config.read_text("utf-8").replace('"tests.support.file_tasks"', '"threaded"')
    place.config.write_text(told, "utf-8")
    assert "is valid" in place.text("check")


def test_a_module_that_asks_the_terminal_gets_an_answer_at_once(tmp_path: Path) -> None:
    place = Installation(tmp_path, "")
    (tmp_path / "asking.py").write_text(f"import sys\nread = sys.stdin.read()\n{SOURCE}")
    told = place.config.read_text("utf-8").replace('"tests.support.file_tasks"', '"asking"')
    place.config.write_text(told, "utf-8")
    words = [*command("check"), "--json"]
    with subprocess.Popen(words, env=place.environ, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["valid"]  # standard input stays open


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_bytes(b"\xef\xbb\xbf[daemon]\ndrain_seconds = 7.0\n")
    assert config.load(path).daemon.drain_seconds == 7.0
