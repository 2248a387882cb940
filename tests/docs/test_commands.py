"""Every command of launchd and every target of make that a page shows exists and takes the options shown."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from launchd.cli import CommandContext, cli
from tests.docs.pages import DOCS, PAGES, codes, every_page, prose, rows, shell_lines, without_variables
from tests.support.paths import ROOT

COMMANDS = DOCS / "command-line.md"
_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def shown(page: Path) -> Iterator[str]:
    """Every command line of launchd on a page: in its shell blocks, in its code, and in its tables of commands."""
    for line in [*shell_lines(page), *codes(prose(page))]:
        yield from _of_launchd(line)
    for cells in rows(page, "launchd ..."):
        yield from (code.replace("[", "").replace("]", "") for code in codes(cells[0]))


def _of_launchd(line: str) -> Iterator[str]:
    for part in re.split(r"\||&|;", line.partition(" #")[0]):
        words = part.strip().removeprefix("sudo ").removeprefix("-u launchd ")
        name, _, rest = words.partition(" ")
        if name.rpartition("/")[2] == "launchd" and rest:
            yield rest.partition(" > ")[0]


@every_page
def test_the_command_line_takes_every_command_that_is_shown(page: Path) -> None:
    for line in shown(page):
        words = shlex.split(without_variables(line))
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
        words = [*context._protected_args, *context.args]
        if isinstance(command, click.Group) and (words or not command.invoke_without_command):
            called, inner, rest = command.resolve_command(context, words)
            assert inner is not None
            _read(inner, called or name, rest, context)


def test_the_table_of_commands_has_every_command_and_no_other() -> None:
    """The examples in a row need not have every option, but each row's first word is a command."""
    listed = {code.partition(" ")[0] for cells in rows(COMMANDS, "launchd ...") for code in codes(cells[0])}
    assert listed == set(cli.commands)


@every_page
def test_every_target_of_make_that_is_shown_is_in_the_makefile(page: Path) -> None:
    lines = [line.partition(" #")[0] for line in shell_lines(page)] + codes(prose(page))
    for line in lines:
        for part in re.split(r"\||&|;", line):
            if part.strip().removeprefix("sudo ").startswith("make "):
                words = [one for one in shlex.split(part) if one not in ("sudo", "make") and "=" not in one]
                assert set(words) <= _TARGETS, f"{page.name}: {line}"


def test_the_pages_show_the_targets_that_a_newcomer_needs() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert {"run", "test", "demo", "lint", "install", "picture"} <= set(re.findall(r"\bmake ([a-z]+)", text))
