"""Many members in one transaction: all together first, one by one after an error, so that a bad member fails alone."""

from collections.abc import Callable
from typing import TypeVar

from launchd.db.faults import breaks_transaction
from launchd.db.writer import Connection
from launchd.errors import LaunchdError, StoreError

T = TypeVar("T")


def one_by_one(connection: Connection, together: Callable[[], T], each: Callable[[Exception], T]) -> T:
    """Run `together` within the transaction; if it raises, undo it (SAVEPOINT) and run `each` with the error.

    `each` does the same work member by member, so that one bad member does not cost the others. An error of the disk or
    the file is raised: writing in another way would not avoid it.
    """
    connection.execute("SAVEPOINT together")
    try:
        found = together()
    except Exception as error:
        if not connection.in_transaction or breaks_transaction(error):
            raise
        connection.execute("ROLLBACK TO together")
        found = each(error)
    connection.execute("RELEASE together")
    return found


def with_repair(connection: Connection, read: Callable[[], T], repair: Callable[[], None]) -> T:
    """Run `read` within the transaction; if a row makes it fail, undo it, run `repair`, then `read` once more."""

    def again(_error: Exception) -> T:
        repair()
        return read()

    return one_by_one(connection, read, again)


def is_row_error(error: Exception) -> bool:
    """True for an error of one row or value, which working row by row may avoid; False for one of the disk."""
    if isinstance(error, StoreError):
        return bool(error.sqlite) and not breaks_transaction(error)
    return not isinstance(error, LaunchdError)
