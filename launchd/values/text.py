"""Texts from outside, made safe for a terminal: control characters are escaped. Pure."""

import re

# C0 except newline and tab, DEL, C1 (ECMA-48); line and paragraph separators; marks that change the direction of text
# (Unicode TR36: with them a terminal shows other words than the text has).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_CONTROL_OR_NEWLINE = re.compile(rf"[\n\t]|{_CONTROL.pattern}")
_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""A text whose control characters are escaped, so that a terminal shows them; newlines and tabs stay.

    >>> visible("\x1b[2Jdone")
    '\\x1b[2Jdone'
    """
    return _CONTROL.sub(_escape, text)


def one_line(text: str) -> str:
    """A text on one line: newlines and tabs are escaped too, so that a value cannot look like a line of its own."""
    return _CONTROL_OR_NEWLINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _NAMES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004 - one byte
