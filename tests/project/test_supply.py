"""`make install` fetches only files that are named by their hash, and no package of another author's."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

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
