"""The records of a JSON payload, one by one: a broken record, or one of another shape, is reported and left out.

Each source declares the shape of its records as a msgspec struct: the fields it needs, with their types. A record that
does not fit is rejected whole, since its source has changed it in an unknown way.
"""

from typing import TypeVar

import msgspec

from launchd.clock import Instant, parse_instant
from launchd.errors import InvalidError
from launchd.launches.dates import net_from
from launchd.launches.launch import Net, Precision
from launchd.launches.validate import Report

# The largest page recorded has 3.4 MB and 1,000 records; these limits bound the memory that a page can cost.
MAX_BYTES = 16 * 1024 * 1024
MAX_RECORDS = 20_000
# The beginning of the reason for a record of another shape.
SHAPE = "its shape is not the known one"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# JSON nested too deeply is a RecursionError; text that is not UTF-8 may go unnoticed until it is decoded.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Shape = TypeVar("Shape")


class _Label(msgspec.Struct):
    id: str | int | None = None
    link: str | None = None
    name: str | None = None
    mission_name: str | None = None


def split(body: bytes, report: Report, *, wrappers: tuple[str, ...] = ()) -> list[msgspec.Raw]:
    """The records of a bare list, of a list under one of the keys in `wrappers`, or of a single object, undecoded.

    An object without these keys is a record itself if it has an `id` or a `name`. Any other page is reported and gives
    no records.
    """
    try:
        found = _split(body.removeprefix(_BYTE_ORDER_MARK).strip(), report, wrappers)
    except UNREADABLE as error:
        report.reject("page", f"it is not the JSON of a page of launches: {error}")
        return []
    if len(found) > MAX_RECORDS:
        report.reject("page", f"it holds {len(found)} records; {MAX_RECORDS} are read at most")
        return []
    return found


def _split(body: bytes, report: Report, wrappers: tuple[str, ...]) -> list[msgspec.Raw]:
    if len(body) > MAX_BYTES:
        report.reject("page", f"it has {len(body)} bytes; {MAX_BYTES} are read at most")
        return []
    if body.startswith(b"["):
        return msgspec.json.decode(body, type=list[msgspec.Raw])
    document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    wrapper = next((name for name in wrappers if name in document), None)
    if wrapper is not None:
        return msgspec.json.decode(document[wrapper], type=list[msgspec.Raw])
    if "id" in document or "name" in document:
        return [msgspec.Raw(body)]
    report.reject("page", f"it holds no launches; its keys are {', '.join(document)[:200]!r}")
    return []


def read(raw: msgspec.Raw, shape: type[Shape], report: Report) -> Shape | None:
    """The record in its shape; None if it does not fit, which is reported with the place of the first difference."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        report.reject(_label(raw), f"{SHAPE}: {error}")
    except UNREADABLE as error:
        report.reject(_label(raw), f"it cannot be read: {error}")
    return None


def _label(raw: msgspec.Raw) -> str:
    """The name of a record in the report; "?" if none can be read."""
    try:
        label = msgspec.json.decode(raw, type=_Label)
    except UNREADABLE:
        return "?"
    return next((str(one) for one in (label.id, label.link, label.name, label.mission_name) if one is not None), "?")


def instant(text: str | None, record: str, field: str, report: Report) -> Instant | None:
    """The instant of a field that may be missing or empty; None for text that is no time, which is reported."""
    if not text:
        return None
    try:
        return parse_instant(text)
    except InvalidError as error:
        report.reject(record, error.detail, field)
        return None


def net(text: str | None, precision: Precision, record: str, report: Report) -> Net | None:
    """The NET that a text states with a precision; None for none, and for one that is no time or not plausible.

    The last two are reported.
    """
    at = instant(text, record, "net", report)
    if at is None:
        return None
    try:
        return net_from(at, precision)
    except InvalidError as error:
        report.reject(record, error.detail, "net")
        return None
