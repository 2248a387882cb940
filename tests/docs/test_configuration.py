"""Every key, name and default that a page shows is the product's."""

import inspect
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from launchd import config
from launchd.daemon import Daemon
from launchd.launches.launch import LaunchStatus, Precision
from launchd.launches.sources import SOURCES
from launchd.task import Task
from tests.docs.pages import DOCS, PAGES, codes, every_page, fences, prose, table
from tests.support.hosted_daemon import hosted, quiet_config
from tests.support.paths import ROOT

_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_SECTION = re.compile(r"^\[(\w+)(?:\.\w+)?\] (\w+)(?!.*: )")


@every_page
def test_every_configuration_that_is_shown_is_valid(page: Path) -> None:
    for fence in fences(page, "toml"):
        config.parse(fence.text, sources=SOURCES)


def tables() -> dict[str, Any]:
    """The struct of each table of the configuration, by its name."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(config.Config) if field.name != "path"}
    return {name: getattr(kind, "__args__", (kind,))[-1] for name, kind in kinds.items()}


@every_page
def test_every_key_that_is_named_with_its_table_is_in_that_table(page: Path) -> None:
    """A key that the page has its reader add is in one of its blocks."""
    added = {word for fence in fences(page) for word in _WORD.findall(fence.text)}
    for code in codes(prose(page)):
        for name, key in _SECTION.findall(code):
            known = {field.name for field in msgspec.structs.fields(tables()[name])}
            assert key in known | added, f"{page.name}: {code}"


def test_the_page_on_the_configuration_has_a_row_for_every_table() -> None:
    listed = {code for cells in table(DOCS / "configuration.md", "table") for code in codes(cells[0])}
    named = {re.sub(r"\[(queues|schedules|sources)\]", r"[\1.NAME]", f"[{name}]") for name in tables()}
    assert listed == named | {"[alerts.rules]"}


def product() -> set[str]:
    """Every name that the product's own text has: code, SQL, units, example configuration, its own test kit."""
    kept = {".py", ".sql", ".toml", ".service", ".socket", ".lua", ".js"}
    files = [ROOT / "launchd.service", *(one for one in (ROOT / "launchd").rglob("*") if one.suffix in kept)]
    files += [one for one in (ROOT / "etc").rglob("*") if one.suffix in kept]
    return {word for file in files for word in _WORD.findall(file.read_text("utf-8"))}


@every_page
def test_every_name_in_code_is_one_that_the_product_knows(page: Path) -> None:
    """Keys, options, events, states, fields: what was renamed or taken away must go from the pages too.

    Names of another system are told in italics, those of the reader's own files in fenced blocks.
    """
    text = prose(page)
    paths = re.compile(r"(?:launchd|tests|etc)/\S+")  # test_links.py knows whether these are there
    own = {word for fence in fences(page) for word in _WORD.findall(fence.text)}
    named = {word for code in codes(text) for word in _WORD.findall(paths.sub("", code))}
    assert not named - product() - own, f"{page.name}: {sorted(named - product() - own)}"


def test_every_credential_that_is_named_is_one_that_the_unit_hands_over() -> None:
    unit = (ROOT / "launchd.service").read_text("utf-8")
    handed_over = set(re.findall(r"^LoadCredential=(\w+)$", unit, re.MULTILINE))
    pages = [*PAGES, ROOT / "etc" / "launchd.toml"]
    named = {name for page in pages for name in re.findall(r"credential:([a-z_]+)", page.read_text("utf-8"))}
    assert named == handed_over
    assert all(f"`{name}`" in (DOCS / "configuration.md").read_text("utf-8") for name in handed_over)


def test_the_table_of_task_options_has_every_option_with_its_default() -> None:
    options = inspect.signature(Task).parameters
    told = {codes(cells[0])[0]: cells[1].strip("`") for cells in table(DOCS / "tasks.md", "option")}
    defaults = {name: one.default for name, one in options.items() if name not in {"function", "name"}}
    assert told.keys() == defaults.keys()
    for name, default in defaults.items():
        if default is not None:
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert told[name] == (shown.lower() if isinstance(default, bool) else shown), name


def test_the_table_of_sources_has_every_source_with_its_rate() -> None:
    told = {codes(cells[0])[0]: cells[2].partition(",")[0] for cells in table(DOCS / "launch-data.md", "source")}
    assert told == {name: source.rate for name, source in SOURCES.items()}


@pytest.mark.parametrize(("word", "kind"), [("**Precision**", Precision), ("**Status**", LaunchStatus)])
def test_the_words_of_the_data_model_are_those_of_the_code(
    word: str, kind: type[Precision] | type[LaunchStatus]
) -> None:
    (row,) = (cells for cells in table(DOCS / "launch-data.md", "word") if cells[0] == word)
    assert codes(row[1]) == [member.value for member in kind]


async def test_the_table_of_checks_has_every_check_of_a_daemon(tmp_path: Path) -> None:
    told = {code for cells in table(DOCS / "operating.md", "check") for code in codes(cells[0])}
    quiet = quiet_config(tmp_path)
    listening = msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp="127.0.0.1:0"))
    async with hosted(listening) as daemon:
        assert told == await checks_of(daemon)


async def checks_of(daemon: Daemon) -> set[str]:
    return set((await daemon.control.health()).checks)
