"""A rate: so many in so long. Pure."""

import re
from typing import NamedTuple

from launchd.errors import InvalidError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
PATTERN = r"^[1-9][0-9]{0,4}/[smhd]$"


class Rate(NamedTuple):
    """`limit` in any window of `seconds`."""

    limit: int
    seconds: float

    def __str__(self) -> str:
        unit = next(name for name, seconds in UNITS.items() if seconds == self.seconds)
        return f"{self.limit}/{unit}"


def parse_rate(text: str) -> Rate:
    """Read a rate such as "30/m"; raises InvalidError."""
    if not re.fullmatch(PATTERN, text):
        raise InvalidError.at("rate", f"expected such as 2/s, 30/m, 15/h or 100/d, got {text[:50]!r}")
    count, _, unit = text.partition("/")
    return Rate(int(count), UNITS[unit])
