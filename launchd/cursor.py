"""Cursors of paged lists: the last key of the page before, so that no row is skipped or repeated. Pure."""

import re

from launchd.errors import InvalidError

_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# SQLite's integers.
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def parse_cursor(cursor: str | None, *, least: int = 0) -> int | None:
    """The number in a cursor; None for the first page. Raises InvalidError for a cursor that launchd never gave."""
    if cursor is None:
        return None
    if not _NUMBER.fullmatch(cursor) or not least <= int(cursor) <= LARGEST:
        raise invalid_cursor()
    return int(cursor)


def invalid_cursor() -> InvalidError:
    """The error for a cursor that launchd never gave."""
    return InvalidError.at("cursor", "expected the `next` of an earlier page")
