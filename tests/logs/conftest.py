"""Gives the tests of this folder the fixture `configured`."""

from tests.support.log_lines import configured

__all__ = ["configured"]
