"""The documentation is true: what README and etc/docs name exists, what they show runs, what they link to is there."""

import importlib
import inspect
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import click
import msgspec
import pytest

from launchd import config
from launchd.admin.route import Route
from launchd.admin.routes import ROUTES
from launchd.cli import CommandContext, cli
from launchd.clock import format_instant, parse_instant
from launchd.errors import InvalidError
from launchd.launches.sources import SOURCES
from launchd.schedules.cron import DstFold, DstGap
from launchd.schedules.recurrence import occurrences, parse_recurrence
from launchd.task import Task
from tests.support.paths import ROOT

README = ROOT / "README.md"
DOCS = (README, *sorted((ROOT / "etc" / "docs").glob("*.md")))
# The endpoints that are served beside the table of routes.
OTHERS = frozenset({("GET", "/"), ("GET", "/sign-in")})
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_ENDPOINT = re.compile(r"(?:\b(GET|POST|PATCH|DELETE) )?(?:http://\w+(?:\.\w+)*(?::\d+)?)?(/v1/[^\s`'\")|,;]*)")
_SECTION = re.compile(r"^\[(\w+)(?:\.\w+)?\] (\w+)(?!.*: )")
_VARIABLE = re.compile(r"\$\w+|\$\{\w+\}")

every_page = pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)


class Fence(NamedTuple):
    """A fenced block of a page: its language and its text."""

    language: str
    text: str


def fences(page: Path, *languages: str) -> list[Fence]:
    found = [Fence(*pair) for pair in _FENCE.findall(page.read_text("utf-8"))]
    return [one for one in found if one.language in languages] if languages else found


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def rows(page: Path, heading: str) -> list[list[str]]:
    """The rows, as cells, of each table whose first column has this heading; an escaped bar is part of its cell."""
    found: list[list[str]] = []
    inside = False
    for line in prose(page).splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        inside = bool(cells) and (inside or cells[0] == heading)
        if inside and cells[0] != heading and not set(cells[0]) <= set("-: "):
            found.append(cells)
    return found


# --- commands ---


def spoken(page: Path) -> Iterator[str]:
    """Every command line of launchd on a page: in its shell blocks, in its code, and in its tables of commands."""
    for fence in fences(page, "sh", "console"):
        for line in fence.text.replace("\\\n", " ").splitlines():
            if fence.language == "sh" or line.startswith("$ "):
                yield from _of_launchd(line.removeprefix("$ "))
    for code in _CODE.findall(prose(page)):
        yield from _of_launchd(code)
    for cells in rows(page, "launchd ..."):
        yield from (code.replace("[", "").replace("]", "") for code in _CODE.findall(cells[0]))


def _of_launchd(line: str) -> Iterator[str]:
    for part in re.split(r"\||&|;", line.partition(" #")[0]):
        words = part.strip().removeprefix("sudo ").removeprefix("-u launchd ")
        name, _, rest = words.partition(" ")
        if name.rpartition("/")[2] == "launchd" and rest:
            yield rest.partition(" > ")[0]


@every_page
def test_every_command_that_is_shown_is_taken_by_the_command_line(page: Path) -> None:
    for line in spoken(page):
        words = shlex.split(_VARIABLE.sub("x", line))
        try:
            _read(cli, "launchd", words)
        except click.BadParameter as error:
            if not isinstance(error.param and error.param.type, click.Path):  # files of the reader's are not here
                pytest.fail(f"{page.name}: launchd {line}: {error.format_message()}")
        except click.exceptions.Exit:  # --help, --version
            continue
        except click.UsageError as error:
            pytest.fail(f"{page.name}: launchd {line}: {error.format_message()}")


def _read(command: click.Command, name: str, words: list[str], parent: click.Context | None = None) -> None:
    """Read a command line as click does, without running it; raises click's errors."""
    with command.make_context(name, words, parent=parent, obj=CommandContext()) as context:
        if isinstance(command, click.Group):
            called, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert inner is not None
            _read(inner, called or name, rest, context)


def test_the_readme_names_every_command() -> None:
    named = {shlex.split(_VARIABLE.sub("x", line))[0] for line in spoken(README)}
    assert set(cli.commands) <= named


# --- endpoints ---


def matching(method: str, path: str) -> list[Route]:
    """The routes that a path of the documentation means, `{x}` and `NAME` standing for one segment."""
    return [
        route
        for route in ROUTES
        if method in ("", route.method) and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path)
    ]


@every_page
def test_every_endpoint_that_is_named_is_served_with_its_parameters(page: Path) -> None:
    for method, address in _ENDPOINT.findall(page.read_text("utf-8")):
        target = urlsplit(_VARIABLE.sub("x", address).rstrip(".:"))
        routes = matching(method, target.path)
        assert routes, f"{page.name}: {method} {address}"
        known = {field.encode_name for route in routes for field in msgspec.structs.fields(route.query)}
        given = {name for name, _ in parse_qsl(target.query, keep_blank_values=True)}
        assert given <= known, f"{page.name}: {address}: {given - known}"


def test_the_readme_has_a_row_for_every_endpoint_and_its_role() -> None:
    told = {(*code.split(" ", 1), cells[1]) for cells in rows(README, "endpoint") for code in _CODE.findall(cells[0])}
    served = {(route.method, route.path, route.needs.value if route.needs else "anybody") for route in ROUTES}
    assert {one for one in told if one[:2] not in OTHERS} == served
    assert {one[:2] for one in told} >= OTHERS


# --- configuration and names ---


@every_page
def test_every_configuration_that_is_shown_is_valid(page: Path) -> None:
    for fence in fences(page, "toml"):
        config.parse(fence.text, sources=SOURCES)


def keys(table: str) -> set[str]:
    kind = {field.name: field.type for field in msgspec.structs.fields(config.Config)}[table]
    inner = getattr(kind, "__args__", (kind,))[-1]
    return {field.name for field in msgspec.structs.fields(inner)}


@every_page
def test_every_key_that_is_named_with_its_table_is_in_that_table(page: Path) -> None:
    for code in _CODE.findall(prose(page)):
        for table, key in _SECTION.findall(code):
            assert key in keys(table), f"{page.name}: {code}"


def product() -> set[str]:
    """Every name that the product's own text has: code, SQL, units, example configuration, its own test kit."""
    kept = {".py", ".sql", ".toml", ".service", ".socket", ".lua", ".js"}
    files = [ROOT / "launchd.service", *(one for one in (ROOT / "launchd").rglob("*") if one.suffix in kept)]
    files += [one for one in (ROOT / "etc").rglob("*") if one.suffix in kept]
    return {word for file in files for word in _WORD.findall(file.read_text("utf-8"))}


@every_page
def test_every_name_in_code_is_one_that_the_product_knows(page: Path) -> None:
    """Keys, options, events, states, fields: what was renamed or taken away must go from the pages too.

    Names of another system are told in italics, those of the reader's own tasks in fenced blocks.
    """
    text = prose(page)
    own = {word for fence in fences(page, "python", "toml") for word in _WORD.findall(fence.text)}
    unknown = {word for code in _CODE.findall(text) for word in _WORD.findall(code)} - product() - own
    assert not unknown, f"{page.name}: {sorted(unknown)}"


def test_every_credential_that_is_named_is_one_that_the_unit_hands_over() -> None:
    unit = (ROOT / "launchd.service").read_text("utf-8")
    handed_over = set(re.findall(r"^LoadCredential=(\w+)$", unit, re.MULTILINE))
    pages = [*DOCS, ROOT / "etc" / "launchd.toml"]
    named = {name for page in pages for name in re.findall(r"credential:([a-z_]+)", page.read_text("utf-8"))}
    assert named == handed_over
    assert all(f"`{name}`" in README.read_text("utf-8") for name in handed_over)


def test_the_readme_has_a_row_for_every_option_of_a_task_with_its_default() -> None:
    options = inspect.signature(Task).parameters
    told = {_CODE.findall(cells[0])[0]: cells[1].strip("`") for cells in rows(README, "option")}
    defaults = {name: one.default for name, one in options.items() if name not in {"function", "name"}}
    assert told.keys() == defaults.keys()
    for name, default in defaults.items():
        if default is not None:
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert told[name] == (shown.lower() if isinstance(default, bool) else shown), name


# --- schedules ---


def told(page: Path, heading: str) -> list[list[str]]:
    found = rows(page, heading)
    assert found, f"{page.name}: no table of {heading}"
    return found


SCHEDULES = ROOT / "etc" / "docs" / "schedules.md"


def test_every_expression_that_is_said_to_be_refused_is_refused_for_that_reason() -> None:
    for refused, reason, *_ in told(SCHEDULES, "refused"):
        with pytest.raises(InvalidError) as caught:
            parse_recurrence(refused.strip("`"), "UTC")
        assert reason in caught.value.detail, refused


def test_every_expression_that_is_said_to_be_accepted_is_described_so() -> None:
    for accepted, description, *_ in told(SCHEDULES, "accepted"):
        assert parse_recurrence(accepted.strip("`"), "UTC").describe() == description, accepted


@pytest.mark.parametrize(("column", "day"), [(2, "2027-03-28"), (3, "2027-10-31")])
def test_the_table_of_clock_changes_is_what_the_rules_give(column: int, day: str) -> None:
    after, until = (parse_instant(f"{day}T00:00:00Z") + hours * 3_600_000_000 for hours in (-1, 3))
    for expression, setting, *columns in told(SCHEDULES, "in Europe/Berlin"):
        words = setting.replace("`", "").split()
        chosen = dict(zip(words[::3], words[2::3], strict=False))
        recurrence = parse_recurrence(
            expression.strip("`"),
            "Europe/Berlin",
            gap=DstGap(chosen.get("dst_gap", "shift").strip('"')),
            fold=DstFold(chosen.get("dst_fold", "first").strip('"')),
        )
        due = takewhile(lambda one: one <= until, occurrences(recurrence, after))
        found = [format_instant(one)[11:16] for one in due]
        assert columns[column - 2] == (", ".join(found) or "none"), expression


# --- links and examples ---


def slug(heading: str) -> str:
    """The anchor that a heading gets where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(line.lstrip("#").strip()) for line in prose(page).splitlines() if line.startswith("#")}


@every_page
def test_every_relative_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        target = urlsplit(link)
        if target.scheme:
            continue
        file = (page.parent / target.path).resolve() if target.path else page
        assert file.exists(), f"{page.name}: {link}"
        if target.fragment:
            assert target.fragment in anchors(file), f"{page.name}: {link}"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[ModuleType]]:
    """Imports the Python files that a page shows, each under the name its first line gives it."""

    def load(page: Path) -> list[ModuleType]:
        named = [(re.match(r"# (\w+)\.py", one.text), one.text) for one in fences(page, "python")]
        assert all(match for match, _ in named), f"{page.name}: a Python block does not name its file"
        names = [match[1] for match, _ in named if match]
        for name, (_, text) in zip(names, named, strict=True):
            (tmp_path / f"{name}.py").write_text(text, "utf-8")
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        return [importlib.import_module(name) for name in names]

    return load


async def test_the_examples_of_the_readme_run_and_their_tests_pass(modules: Any) -> None:  # noqa: ANN401 - the fixture
    found = [value for one in modules(README) for name, value in vars(one).items() if name.startswith("test_")]
    assert found
    for test in found:
        await test()
