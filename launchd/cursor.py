"""Pages of lists: by the last key of the page before, so that nothing is lost or doubled when rows come or go. Pure."""

import re

from launchd.errors import InvalidError

_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# SQLite's integers.
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def parse_cursor(cursor: str | None, *, least: int = 0) -> int | None:
    """The number that a cursor is; None for the first page. Raises InvalidError for a cursor that nobody gave."""
    if cursor is None:
        return None
    if not _NUMBER.fullmatch(cursor) or not least <= int(cursor) <= LARGEST:
        raise invalid_cursor()
    return int(cursor)


def invalid_cursor() -> InvalidError:
    """What is said of a cursor that was made up."""
    return InvalidError.at("cursor", "expected the `next` of an earlier page")
