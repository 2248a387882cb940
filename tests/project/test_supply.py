"""The package and its Makefile: each target installs only what it needs, from files named by their hash for root."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from launchd import __version__
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "build.lock": PROJECT["build-system"]["requires"],
}
ENTRY = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; [^\\\n]+?)?(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


def entries(lock: str) -> dict[str, str]:
    """The version of each package in a lock file, whose lines must all belong to entries with hashes."""
    text = (ROOT / "etc" / lock).read_text("utf-8")
    assert ENTRY.sub("", text).strip() == ""
    return {canonicalize_name(one["name"]): one["version"] for one in ENTRY.finditer(text)}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_has_all_requirements_each_file_by_its_hash(lock: str) -> None:
    found = entries(lock)
    for text in LOCKS[lock]:
        wanted = Requirement(text)
        assert Version(found[canonicalize_name(wanted.name)]) in wanted.specifier


def test_the_installed_versions_are_the_tested_ones() -> None:
    lines = (ROOT / "etc/constraints.txt").read_text("utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)
    tested = {canonicalize_name(name): version for name, version in tested.items()}
    found = entries("requirements.lock")
    assert {name: tested.get(name, version) for name, version in found.items()} == found


def test_the_installer_runs_nothing_that_has_no_hash() -> None:
    script = (ROOT / "etc/install.sh").read_text("utf-8")
    fetching = [line for line in script.splitlines() if re.search(r"-m pip (install|wheel|download)", line)]
    assert len(fetching) == 3
    assert [line for line in fetching if "--require-hashes" not in line and "--no-index" not in line] == []


def test_no_hint_installs_a_package_by_the_name_of_the_command() -> None:
    """That name belongs to another project on the package index."""
    assert PROJECT["project"]["name"] == "launchd-tracker"
    assert PROJECT["project"]["scripts"] == {"launchd": "launchd.cli:main"}
    hint = re.compile(r"pip3? (?:install|download|wheel)[^\n]*[\s'\"](?:launchd)(?![\w./-])")
    places = [*ROOT.glob("*.*"), ROOT / "Makefile", *(ROOT / "etc").rglob("*.*"), *(ROOT / "launchd").rglob("*.*")]
    texts = [one for one in [*places, *(ROOT / "tests").rglob("*.py")] if one.is_file() and one.suffix != ".pyc"]
    assert [str(one) for one in texts if hint.search(one.read_text("utf-8", "replace"))] == []


# --- the Makefile ---

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGET = re.compile(r"^([a-z]+):.*## (.+)$", re.MULTILINE)


def make(*words: str, code: int = 0) -> str:
    """The output of `make`, run with the Python of these tests on PATH and without the options of an outer `make`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environ["PATH"] = f"{Path(sys.executable).resolve().parent}:{environ['PATH']}"
    done = subprocess.run(["make", *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("words", [(), ("help",)])
def test_make_and_make_help_list_every_target_with_its_line(words: tuple[str, ...]) -> None:
    listed = dict(re.findall(r"^make (\w+) +(.+)$", make(*words), re.MULTILINE))
    assert listed == dict(TARGET.findall(MAKEFILE))
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(listed) == set(phony[1].split())


def installed_by(tmp_path: Path, target: str) -> list[str]:
    """The packages that a target would install into a new virtual environment, in order."""
    lines = make("-n", target, f"VENV={tmp_path}/venv", f"STATE={tmp_path}/state")
    return re.findall(r"-m pip install .*--editable (\S+)", lines)


def test_make_run_installs_no_extra_and_make_test_adds_the_one_for_tests(tmp_path: Path) -> None:
    assert installed_by(tmp_path, "run") == ["."]
    assert installed_by(tmp_path, "test") == [".", "'.[dev]'"]
    assert installed_by(tmp_path, "lab") == [".", "'.[dev]'", "'.[dev,lab]'"]


def test_a_target_says_in_one_line_that_it_installs_and_into_what(tmp_path: Path) -> None:
    lines = make("-n", "run", f"VENV={tmp_path}/venv", f"STATE={tmp_path}/state")
    assert re.findall(r'echo "(.+)"', lines) == [f"installing launchd into {tmp_path}/venv (about a minute, once) ..."]


def runtime_packages() -> set[str]:
    """The packages that launchd needs without an extra, and those that they need in turn."""
    found: set[str] = set()
    left = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.add(name)
            left += [Requirement(text) for text in requires(name) or []]
    return found


def test_no_package_that_running_needs_brings_a_tool_for_tests() -> None:
    tools = {canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["optional-dependencies"]["dev"]}
    assert runtime_packages() & tools == set()


def test_make_matrix_runs_the_tests_under_the_versions_that_are_found_and_names_the_others() -> None:
    this = "{}.{}".format(*sys.version_info)
    told = make("-n", "matrix", f"VERSIONS={this} 3.98")
    assert f".venv-python{this}/bin/python -m pytest" in told
    assert f"passed under: {this}; failed under: none; not on this machine: 3.98" in told


def test_make_matrix_fails_where_no_version_is_found() -> None:
    told = make("-n", "matrix", "VERSIONS=3.98 3.99", code=2)
    assert "passed under: none; failed under: none; not on this machine: 3.98 3.99" in told


@pytest.mark.lab
def test_a_new_environment_of_make_run_has_what_running_needs_and_nothing_more(tmp_path: Path) -> None:
    make(f"{tmp_path}/venv/.installed", f"VENV={tmp_path}/venv")
    python = f"{tmp_path}/venv/bin/python"
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {canonicalize_name(line.partition("==")[0]) for line in listed.stdout.splitlines()}
    assert names - {"pip", "setuptools", "launchd-tracker"} == runtime_packages()


# --- the version, and the built package ---


def test_the_command_and_the_changelog_have_the_version_of_the_package() -> None:
    done = subprocess.run([sys.executable, "-m", "launchd", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"launchd, version {__version__}\n"
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == __version__


def test_each_address_of_the_package_is_below_its_homepage() -> None:
    addresses = PROJECT["project"]["urls"]
    assert set(addresses) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert [one for one in addresses.values() if not one.startswith(addresses["Homepage"])] == []


@pytest.mark.lab
def test_the_wheel_has_every_file_of_the_package_and_none_beside_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("launchd_tracker-*.whl")
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [one for one in (ROOT / "launchd").rglob("*") if one.is_file() and "__pycache__" not in one.parts]
    assert found == {str(one.relative_to(ROOT)) for one in files}
