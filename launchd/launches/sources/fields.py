"""Fields of a JSON object read one by one: a field of another shape is reported and costs only itself.

`records.read` refuses a record whose shape has changed. The details of a launch are many and none of them says which
launch it is, so each is read on its own. Texts are plain: no HTML, no control characters, bounded.
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from launchd.clock import Instant, parse_instant
from launchd.errors import InvalidError
from launchd.launches.details import MAX_URL
from launchd.launches.sources.records import UNREADABLE
from launchd.launches.validate import MAX_TEXT, Report, plain

# Each of these reads a text once, whatever is in it: none looks beyond the next "<" for the end of a tag.
_BLOCK = re.compile(
    r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
# Marks that turn the direction of a text, and zero-width characters: a name must not look like another one.
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]")
_ODD_IN_URL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029<>\"\\^`{|}\ud800-\udfff]")
_DURATION = re.compile(
    r"(?P<sign>[-+]?)P(?:(?P<days>\d{1,7})D)?(?:T(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,7})M)?"
    r"(?:(?P<seconds>\d{1,7})(?:\.\d{1,9})?S)?)?",
    re.ASCII,
)
_LONGEST_RAW = 100_000


def prose(text: str, longest: int) -> str | None:
    """A text of people without HTML, control and invisible characters, white space folded; None if nothing is left."""
    bare = html.unescape(text[:_LONGEST_RAW])
    bare = _TAG.sub(" ", _BLOCK.sub(" ", bare)) if "<" in bare else bare
    return plain(_INVISIBLE.sub("", bare))[:longest].strip() or None


def web_address(text: str) -> str | None:
    """An http or https address with a host; None for any other text."""
    found = text.strip()
    if len(found) > MAX_URL or _ODD_IN_URL.search(found):
        return None
    try:
        parts = urlsplit(found)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:  # such as an IPv6 address without its bracket
        return None
    return found if is_web else None


def duration_seconds(text: str) -> int | None:
    """The seconds of an ISO 8601 duration of days and less ("P122DT21H13M", "-PT35M"); None for any other text.

    >>> duration_seconds("P1DT2H3M4S")
    93784
    """
    found = _DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        return None
    days, hours, minutes, seconds = (int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return -total if found["sign"] == "-" else total


class Fields:
    """One JSON object of a record. `part` names the part of the record in the report of what is refused.

    Every method answers None or nothing for a field that is missing, null, empty or of another shape; the last is
    reported.
    """

    def __init__(self, value: dict[str, Any], record: str, part: str, report: Report) -> None:
        self._value = value
        self._record = record
        self._part = part
        self._report = report

    def refuse(self, reason: str) -> None:
        """Report that something of this part is refused."""
        self._report.reject(self._record, reason, self._part)

    def text(self, *names: str, longest: int = MAX_TEXT) -> str | None:
        """The text of the first of these fields that has one."""
        for name in names:
            value = self._typed(name, str, "a text")
            found = None if value is None else prose(value, longest)
            if found is not None:
                return found
        return None

    def named(self, name: str) -> str | None:
        """The name in a field that is a text, or an object with a `name`, by the version of the source."""
        if isinstance(self._value.get(name), str):
            return self.text(name)
        found = self.inner(name, "name")
        return None if found is None else found.text("name")

    def has(self, name: str) -> bool:
        """True if the object has this field, though it may be null."""
        return name in self._value

    def peek(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """The value of a field as it is, to sort by."""
        return self._value.get(name)

    def part(self, part: str) -> "Fields":
        """The same object for another part of the record."""
        return Fields(self._value, self._record, part, self._report)

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        found: bool | None = self._typed(name, bool, "true or false")
        return found

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number of a range."""
        found = self.number(name, least, most)
        return None if found is None else round(found)

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number of a range; NaN is in no range."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"{name}: expected a number, got {_kind(value)}")
            return None
        if not least <= value <= most:
            self.refuse(f"{name}: the number is not between {least:g} and {most:g}")
            return None
        return value

    def seconds(self, name: str) -> int | None:
        """The seconds of an ISO duration of a positive length, or zero."""
        value = self._typed(name, str, "a duration")
        if not value:
            return None
        found = duration_seconds(value)
        if found is None or found < 0:
            self.refuse(f"{name}: {value[:50]!r} is not a duration such as P1DT2H")
            return None
        return found

    def instant(self, name: str) -> Instant | None:
        """A time with a zone."""
        value = self._typed(name, str, "a time")
        if not value:
            return None
        try:
            return parse_instant(value)
        except InvalidError as error:
            self.refuse(f"{name}: {error.detail}")
            return None

    def url(self, name: str) -> str | None:
        """An http or https address."""
        value = self._typed(name, str, "an address")
        if not value or not value.strip():
            return None
        found = web_address(value)
        if found is None:
            self.refuse(f"{name}: {value[:100]!r} is not an http or https address")
        return found

    def inner(self, name: str, *any_of: str) -> "Fields | None":
        """The object in a field; one that has none of the fields `any_of` is reported, and is None."""
        value = self._typed(name, dict, "an object")
        return None if value is None else self._read(value, any_of)

    def items(self, name: str, most: int, *any_of: str) -> "Iterator[Fields]":
        """The objects of a list, or the one object in its place; no more than `most` are read."""
        value = self._value.get(name)
        listed = [value] if isinstance(value, dict) else self._typed(name, list, "a list") or []
        yield from objects(listed, most, self._record, self._part, self._report, *any_of)

    def _read(self, value: dict[str, Any], any_of: Sequence[str]) -> "Fields | None":
        return next(objects([value], 1, self._record, self._part, self._report, *any_of), None)

    def entries(self, name: str) -> list[Any] | None:
        """A list of anything."""
        found: list[Any] | None = self._typed(name, list, "a list")
        return found

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """The texts of a list, each once."""
        listed = self._typed(name, list, "a list") or []
        if any(not isinstance(one, str) for one in listed):
            self.refuse(f"{name}: expected texts")
        found = (prose(one, MAX_TEXT) for one in listed[:most] if isinstance(one, str))
        return tuple(dict.fromkeys(one for one in found if one))

    def _typed(self, name: str, kind: type[Any], wanted: str) -> Any:  # noqa: ANN401 - a value of `kind`, or None
        value = self._value.get(name)
        if value is None or isinstance(value, kind):
            return value
        self.refuse(f"{name}: expected {wanted}, got {_kind(value)}")
        return None


def objects(
    listed: Sequence[object], most: int, record: str, part: str, report: Report, *any_of: str
) -> Iterator[Fields]:
    """The objects of a list that have one of the fields `any_of`; anything else is reported, as is what is too much."""
    for value in listed[:most]:
        if not isinstance(value, dict):
            if value is not None:
                report.reject(record, f"expected an object, got {_kind(value)}", part)
        elif any_of and not any(name in value for name in any_of):
            report.reject(record, f"its shape is not the known one: an object has no {' or '.join(any_of)}", part)
        else:
            yield Fields(value, record, part, report)
    if len(listed) > most:
        report.reject(record, f"it has {len(listed)} entries; {most} are read", part)


def decoded(raw: msgspec.Raw | msgspec.UnsetType, record: str, part: str, report: Report) -> Any:  # noqa: ANN401 - JSON
    """The value of a field that was left undecoded; None, and reported, if it cannot be read."""
    if isinstance(raw, msgspec.UnsetType):
        return None
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE as error:
        report.reject(record, f"it cannot be read: {error}", part)
        return None


def _kind(value: object) -> str:
    kinds = {bool: "true or false", dict: "an object", list: "a list", str: "a text"}
    return kinds.get(type(value), "a number")
