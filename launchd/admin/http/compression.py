"""Responses as gzip for clients that accept it: JSON shrinks to a tenth, and a client may be an ocean away.

Level 1 takes 2 to 8 ms for a megabyte; level 6 would take several times that to save a tenth more. A large body is
compressed in a thread, so that the control loop goes on meanwhile.
"""

import asyncio
import zlib
from collections.abc import Mapping

from aiohttp import hdrs, web

# A smaller body fits one packet as it is.
SMALLEST = 1024
# A larger body would hold up the control loop for half a millisecond.
APART = 64 * 1024
_LEVEL = 1
# RFC 1952: a gzip header and trailer around the stream, as zlib counts.
_GZIP = 16 + zlib.MAX_WBITS


def takes_gzip(headers: Mapping[str, str]) -> bool:
    """True if Accept-Encoding names gzip without `q=0` (RFC 9110 §12.5.3)."""
    for part in headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.strip().replace(" ", "").rstrip("0").rstrip(".") not in {"q=", "q=0"}
    return False


async def compress(request: web.Request, response: web.StreamResponse) -> None:
    """Compress a response before it is sent, if its client accepts gzip and the body is large enough."""
    if not isinstance(response, web.Response) or hdrs.CONTENT_ENCODING in response.headers:
        return
    body = response.body
    if not isinstance(body, bytes) or len(body) < SMALLEST:
        return
    response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    if not takes_gzip(request.headers):
        return
    response.body = _packed(body) if len(body) <= APART else await asyncio.to_thread(_packed, body)
    response.headers[hdrs.CONTENT_ENCODING] = "gzip"


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()
