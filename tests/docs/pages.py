"""The pages as data: README.md and etc/docs/*.md, their fenced blocks, tables, code and headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.paths import ROOT

DOCS = ROOT / "etc" / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.glob("*.md")))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_VARIABLE = re.compile(r"\$\w+|\$\{\w+\}")
_FIRST_LINE = re.compile(r"(?:#|//|--) ([\w./-]+\.\w+)$")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


class Fence(NamedTuple):
    """A fenced block of a page: its language and its text."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the first line names in a comment, such as `# my_tasks.py`."""
        match = _FIRST_LINE.match(self.text.partition("\n")[0].strip())
        return match[1] if match else None


def fences(page: Path, *languages: str) -> list[Fence]:
    """The fenced blocks of these languages, or all of them."""
    found = [Fence(*pair) for pair in _FENCE.findall(page.read_text("utf-8"))]
    return [one for one in found if one.language in languages] if languages else found


def prose(page: Path) -> str:
    """The text outside of fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def codes(text: str) -> list[str]:
    """The pieces of a text that are set as code."""
    return _CODE.findall(text)


def without_variables(text: str) -> str:
    """A command or an address with `x` in place of shell variables."""
    return _VARIABLE.sub("x", text)


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


def table(page: Path, heading: str) -> list[list[str]]:
    """The rows of a table that must be there."""
    found = rows(page, heading)
    assert found, f"{page.name}: no table of {heading}"
    return found


def shell_lines(page: Path) -> Iterator[str]:
    """The commands of the shell blocks: each line, without the prompt, and joined where it ends with a backslash."""
    for fence in fences(page, "sh", "console"):
        for line in fence.text.replace("\\\n", " ").splitlines():
            if fence.language == "sh" or line.startswith("$ "):
                yield line.removeprefix("$ ")


def anchors(page: Path) -> set[str]:
    """The anchors that headings get where Markdown is shown."""
    return {_slug(line.lstrip("#").strip()) for line in prose(page).splitlines() if line.startswith("#")}


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
