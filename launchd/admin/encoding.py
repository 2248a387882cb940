"""How answers are written."""

import msgspec

_ENCODER = msgspec.json.Encoder()


def encode(view: object) -> bytes:
    """JSON with a final newline, as a terminal likes it."""
    return _ENCODER.encode(view) + b"\n"
