"""`POST /v1/backup`: a backup of the running daemon, as the body of the response.

The archive is sent to the caller. It is never written to a path that the caller names: the daemon may write where the
caller may not (and, under systemd, may not write where the caller may).
"""

import asyncio
from typing import IO

from aiohttp import web

from launchd.admin.http.access import Role
from launchd.admin.route import Api, Body, Query, Request, Response, Route

_CHUNK = 256 * 1024


async def backup(api: Api, request: Request[Query, Body]) -> Response:
    """Make a backup and send it: a gzipped tar of both databases and their manifest."""
    file = await asyncio.to_thread(api.backups.open)
    try:
        await api.control.audit(request.by, "backup", "all data", None)
        response = web.StreamResponse(headers={"Content-Type": "application/gzip", "Cache-Control": "no-store"})
        response.content_length = await asyncio.to_thread(_size, file)
        await response.prepare(request.http)
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            await response.write(chunk)
        await response.write_eof()
    finally:
        await asyncio.to_thread(file.close)
    return Response(response)


def _size(file: IO[bytes]) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size


BACKUP_ROUTES = (Route("POST", "/v1/backup", backup, "application/gzip", needs=Role.ADMIN, errors=(409,)),)
