"""The messages that pages quote are those of the code."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import DOCS, codes, prose
from tests.support.paths import ROOT

PAGES = ("troubleshooting.md", "security.md", "upgrade-and-backup.md")
# Messages of SQLite, aiohttp, msgspec and Redis.
FOREIGN = (
    *("file is not a database", "Cannot connect to host", "Authentication required"),
    *("read only replica", "no permissions", "NOREPLICAS", "Expected float, got str"),
)
# What a reader types; a message has at least so many words.
_TYPED = re.compile(r"(launchd|sudo|journalctl|curl|make|ssh|export|systemctl|\d+|\*) ")
_WORDS = 4
# A text of the code is recognised by so many characters.
_LITERAL = 12
_SQL = re.compile(r"'([^'\n]+)'")


class _Texts(ast.NodeVisitor):
    """Collects the texts of a module, with a NUL in place of what is filled in."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.found.add("".join(str(one.value) if isinstance(one, ast.Constant) else "\0" for one in node.values))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.add(node.value)


def texts() -> set[str]:
    """The texts of the code and of its SQL that are long enough to be a message."""
    visitor = _Texts()
    for file in (ROOT / "launchd").rglob("*.py"):
        visitor.visit(ast.parse(file.read_text("utf-8")))
    for file in (ROOT / "launchd").rglob("*.sql"):
        visitor.found.update(_SQL.findall(file.read_text("utf-8")))
    return {one for one in visitor.found if len(one.replace("\0", "")) >= _LITERAL and " " in one.strip("\0 ")}


def quoted() -> Iterator[str]:
    for name in PAGES:
        for code in codes(prose(DOCS / name)):
            if len(code.split()) >= _WORDS and not _TYPED.match(code) and not any(one in code for one in FOREIGN):
                yield code


@pytest.fixture(scope="module")
def known() -> set[str]:
    return texts()


@pytest.mark.parametrize("message", sorted(set(quoted())))
def test_a_message_that_a_page_quotes_is_one_of_the_code(message: str, known: set[str]) -> None:
    """A quotation may leave out its beginning, its end and what is filled in (`...`)."""
    whole = message.replace("...", "and so on")
    if any(re.search(".+".join(map(re.escape, text.split("\0"))), whole) for text in known if "\n" not in text):
        return
    parts = [part.strip(" ;:,") for piece in message.split("...") for part in (piece, piece.partition(": ")[2])]
    parts = [part for part in parts if " " in part]
    assert any(part in text for part in parts for text in known), f"no text of the code is like {message!r}"
