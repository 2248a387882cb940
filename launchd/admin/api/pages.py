"""Pages of short lists that are in memory, such as the queues."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def page_of(named: Sequence[tuple[str, T]], limit: int, cursor: str | None) -> tuple[list[T], str | None]:
    """One page of a short list by name, and the cursor of the next: the last name, so no item is lost or repeated."""
    after = sorted((name, index) for index, (name, _) in enumerate(named) if cursor is None or name > cursor)
    page = after[:limit]
    return [named[index][1] for _, index in page], page[-1][0] if len(after) > limit else None
