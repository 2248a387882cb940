"""Texts from outside as a terminal may show them: what it would obey is escaped. Pure."""

import re

# C0 but for newline and tab, DEL, C1; line and paragraph separators; marks that turn the direction of a text. A
# terminal obeys the first and shows other words than are there because of the last.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_CONTROL_OR_NEWLINE = re.compile(rf"[\n\t]|{_CONTROL.pattern}")
_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """A text whose control characters are seen, not obeyed; it keeps its lines and tabs."""
    return _CONTROL.sub(_escape, text)


def one_line(text: str) -> str:
    """A text on one line: newlines and tabs are escaped too, so that no value can look like a line of its own."""
    return _CONTROL_OR_NEWLINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _NAMES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004 - one byte
