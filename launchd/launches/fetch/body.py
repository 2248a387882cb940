"""Reading a body of bounded size: gzip is unpacked piece by piece, so that a small answer cannot fill the memory."""

import zlib

from launchd.errors import SourceError

# zlib's "gzip only" window, as zlib.decompressobj wants it.
_GZIP = zlib.MAX_WBITS | 16
# The most bytes that one step unpacks before the limit is checked again.
_STEP = 1024 * 1024


class BoundedBody:
    """Collects the chunks of an answer; `encoding` is its Content-Encoding (gzip or none).

    Raises SourceError as soon as the unpacked body is larger than `limit` bytes, is not gzip, is cut short, or has an
    encoding that was not requested.
    """

    def __init__(self, encoding: str | None, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()
        self._gzip = None
        match (encoding or "identity").strip().lower():
            case "gzip" | "x-gzip":
                self._gzip = zlib.decompressobj(_GZIP)
            case "identity":
                pass
            case other:
                raise SourceError(f"it is encoded as {other!r}; only gzip was requested")

    def add(self, chunk: bytes) -> None:
        """Add the next chunk as it arrived."""
        if self._gzip is None:
            self._keep(chunk)
            return
        try:
            self._unpack(chunk)
        except zlib.error as error:
            raise SourceError(f"its Content-Encoding is gzip, but it is not gzip: {error}") from error

    def end(self) -> bytes:
        """The whole body."""
        if self._gzip is not None and not self._gzip.eof:
            raise SourceError("its gzip stream is cut short")
        return bytes(self._body)

    def _unpack(self, chunk: bytes) -> None:
        gzip = self._gzip
        while chunk and gzip is not None:
            if gzip.eof:  # RFC 1952 §2.2: a file is a series of members
                gzip = self._gzip = zlib.decompressobj(_GZIP)
            self._keep(gzip.decompress(chunk, _STEP))
            chunk = gzip.unused_data if gzip.eof else gzip.unconsumed_tail

    def _keep(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > self._limit:
            raise SourceError(f"it is larger than {self._limit} bytes")
