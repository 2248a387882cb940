"""How answers are written."""

import msgspec

from launchd.admin.http.view import cleaned

_ENCODER = msgspec.json.Encoder()


def encode(view: object) -> bytes:
    """JSON with a final newline, as a terminal likes it. Never raises: what JSON cannot say is replaced, alone."""
    return encode_line(view) + b"\n"


def encode_line(view: object) -> bytes:
    """The same without the newline."""
    try:
        return _ENCODER.encode(view)
    except (ValueError, TypeError, OverflowError, RecursionError):  # UnicodeEncodeError is a ValueError
        return _ENCODER.encode(cleaned(view))
