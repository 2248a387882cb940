"""HTML as tables and text. Pure; time and memory are linear in the size of the page.

Formatting that is never closed and deep nesting make any standard tree builder quadratic. So it gets the tags of tables
alone; line breaks become new lines, and all other tags are dropped.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from launchd.errors import InvalidError

# The longest list recorded has 2 million characters and 13 tables with 2,500 cells.
MAX_CHARS = 16 * 1024 * 1024
MAX_TAGS = 200_000
MAX_COLUMNS = 40
# Possessive throughout, so that no match is ever tried another way.
_TAG = re.compile(r"<(/?+)([a-zA-Z][a-zA-Z0-9]*+)?+([^<>]*+)>|<")
_SPAN = re.compile(r"\b(rowspan|colspan)\s*+=\s*+[\"']?+\s*+(\d{1,5})\b", re.IGNORECASE | re.ASCII)
_KEPT = frozenset({"table", "tr", "td", "th", "style", "script"})
_BREAKS = frozenset({"br", "li", "p", "div", "ul", "ol", "dl", "dt", "dd", "hr"})
_REFERENCE = re.compile(r"\[[^\[\]\n]{1,40}\]")


class Cell(NamedTuple):
    """A cell of a table: its lines of text, and the row and column where it starts (it may span more)."""

    lines: tuple[str, ...]
    row: int
    column: int

    @property
    def text(self) -> str:
        """The lines as one."""
        return " ".join(self.lines)


# The cells by column.
Row = Mapping[int, Cell]


def tables(page: str) -> Iterator[Iterator[Row]]:
    """The outermost tables of a page, row by row; a cell that spans several rows or columns is in each of them.

    References ("[12]") are left out. Raises InvalidError for a page beyond the limits.
    """
    tree = LexborHTMLParser(_simplified(page).encode("utf-8", errors="replace"))
    for node in tree.css("style, script"):
        node.decompose()
    for table in tree.css("table"):
        if not _is_nested(table):
            yield _rows(table)


def text_lines(fragment: str) -> list[str]:
    """The lines of text of a fragment without tables. Raises InvalidError for a fragment beyond the limits."""
    if len(fragment) > MAX_CHARS:
        raise InvalidError(f"it has {len(fragment)} characters; {MAX_CHARS} are read at most")
    try:
        return list(_lines(html.unescape(_TAG.sub(_break, fragment))))
    except ValueError as error:  # a character reference of thousands of digits
        raise InvalidError(f"it cannot be read as text: {error}") from error


def _simplified(page: str) -> str:
    """The page with only the tags of tables, and of their attributes only rowspan and colspan."""
    if len(page) > MAX_CHARS:
        raise InvalidError(f"it has {len(page)} characters; {MAX_CHARS} are read at most")
    simple = _TAG.sub(_keep, page)
    tags = simple.count("<")
    if tags > MAX_TAGS:
        raise InvalidError(f"its tables have {tags} tags; {MAX_TAGS} are read at most")
    return simple


def _keep(tag: re.Match[str]) -> str:
    name = (tag[2] or "").lower()
    if name not in _KEPT:
        return _break(tag)
    if tag[1]:
        return f"</{name}>"
    return f"<{name}{''.join(f' {key}={count}' for key, count in _SPAN.findall(tag[3])[:2])}>"


def _break(tag: re.Match[str]) -> str:
    if tag.group() == "<":  # text, not a tag
        return "&lt;"
    return "\n" if (tag[2] or "").lower() in _BREAKS else ""


def _is_nested(table: LexborNode) -> bool:
    """True if another table is around this one; only tables nest here, so the nearest is at most three steps up."""
    parent = table.parent
    while parent is not None:
        if parent.tag == "table":
            return True
        parent = parent.parent
    return False


def _rows(table: LexborNode) -> Iterator[Row]:
    """The rows as a grid. A cell is carried down for its rowspan, in at most MAX_COLUMNS columns."""
    carried: dict[int, tuple[Cell, int]] = {}
    trs = (tr for part in table.iter() for tr in ([part] if part.tag == "tr" else part.iter()) if tr.tag == "tr")
    for number, tr in enumerate(trs):
        row = {column: cell for column, (cell, _) in carried.items()}
        carried = {column: (cell, left - 1) for column, (cell, left) in carried.items() if left > 1}
        column = 0
        for td in tr.iter():
            while column in row:
                column += 1
            if column >= MAX_COLUMNS:
                break
            cell = Cell(_lines(td.text(deep=True)), number, column)
            down = _span(td, "rowspan")
            for at in range(column, min(column + _span(td, "colspan"), MAX_COLUMNS)):
                if at in row:
                    break
                row[at] = cell
                if down > 1:
                    carried[at] = (cell, down - 1)
        yield row


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name)
    return max(1, int(value)) if value else 1


def _lines(text: str) -> tuple[str, ...]:
    folded = (" ".join(line.split()) for line in _REFERENCE.sub("", text).split("\n"))
    return tuple(line for line in folded if line)
