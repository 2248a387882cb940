"""Gives the tests of this folder the fixtures `configured` (the log, set up) and `stream` (a pipe)."""

import os
from collections.abc import Iterator

import pytest

from tests.support.log_lines import configured

__all__ = ["configured", "stream"]


@pytest.fixture
def stream() -> Iterator[tuple[int, int]]:
    """A real pipe: (read end, write end)."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)
