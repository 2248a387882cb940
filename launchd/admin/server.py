"""The admin socket: HTTP over a Unix socket, JSON in and out, errors as problem+json."""

import asyncio
import functools
import hashlib
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog
from aiohttp import web

from launchd.admin import dashboard, metrics
from launchd.admin.handlers import ROUTES, Answer, Api, Document, encode
from launchd.admin.launches import LAUNCH_ROUTES
from launchd.admin.metrics import Metered
from launchd.config import MAX_SOCKET_PATH
from launchd.errors import HTTP_STATUS, AlreadyRunningError, ConfigError, LaunchdError

MAX_BODY_BYTES = 1024 * 1024
# The codes of what the HTTP layer itself refuses; Python renames its phrases between releases.
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
_log = structlog.get_logger("launchd.admin")
# Who has just connected when listening ends gets this long to say what is wanted; closed at once, it would get a reset.
_LAST_WORD_SECONDS = 0.05


@asynccontextmanager
async def serve(
    api: Api, path: Path, mode: int, given: socket.socket | None = None, *, metered: Metered | None = None
) -> AsyncIterator[None]:
    """Listen on a Unix socket until the body is left; raises ConfigError or AlreadyRunningError when that cannot be.

    A socket that was `given` is listened on as it is, and left in its place for the next process: who connects
    meanwhile waits for that one.
    """
    listener = _listen(path, mode) if given is None else given
    app = application(api, metered)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, handle_signals=False)
    try:
        await runner.setup()
        site = web.SockSite(runner, listener)
        await site.start()
        yield
        await site.stop()
        await asyncio.sleep(_LAST_WORD_SECONDS)
    finally:
        await runner.cleanup()
        if given is None:
            await asyncio.to_thread(path.unlink, missing_ok=True)


def application(api: Api, metered: Metered | None = None) -> web.Application:
    """Everything that is served, whatever it listens on."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_problems])
    for method, route, handler in ROUTES:
        app.router.add_route(method, route, _answering(api, handler))
    for method, route, handler in LAUNCH_ROUTES:
        app.router.add_route(method, route, _revalidating(_answering(api, handler)))
        if method == "GET":
            app.router.add_route("HEAD", route, _revalidating(_answering(api, handler)))
    if metered is not None:
        app.router.add_get("/metrics", functools.partial(metrics.answer, metered))
    dashboard.add_routes(app, dashboard.load())
    return app


def _listen(path: Path, mode: int) -> socket.socket:
    """Bind the socket, in the place of one that nobody listens on any more."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ConfigError(f"admin.socket: {path} is longer than the {MAX_SOCKET_PATH} bytes a Unix socket may have")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        if path.exists():
            _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o777 & ~mode)  # the mode holds from the first moment
        try:
            listener.bind(str(path))
        finally:
            os.umask(umask)
        listener.setblocking(False)  # noqa: FBT003 - the library's signature
    except OSError as error:
        raise ConfigError(f"admin.socket: cannot listen on {path}: {error.strerror or error}") from error
    return listener


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"admin.socket: {path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise AlreadyRunningError(f"another program listens on {path}: stop it, or set admin.socket")


def _answering(
    api: Api, handler: Callable[[Api, web.Request], Awaitable[Answer]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def respond(request: web.Request) -> web.Response:
        answer = await handler(api, request)
        document = answer.view
        if not isinstance(document, Document):
            document = Document(encode(document), "application/json")
        charset = "utf-8" if document.content_type.startswith("text/") else None
        return web.Response(
            status=answer.status,
            body=document.body,
            content_type=document.content_type,
            charset=charset,
            headers=answer.headers,
        )

    return respond


Responder = Callable[[web.Request], Awaitable[web.Response]]


def _revalidating(respond: Responder) -> Responder:
    """Give what is read an ETag of its content, and 304 to who has it already (RFC 9110 §13.1.2)."""

    async def revalidate(request: web.Request) -> web.Response:
        response = await respond(request)
        if request.method not in {"GET", "HEAD"} or response.status != 200:  # noqa: PLR2004 - OK
            return response
        if not isinstance(response.body, bytes):
            return response
        digest = hashlib.sha256(response.body).hexdigest()[:32]
        validators = {"ETag": f'"{digest}"', "Cache-Control": "no-cache"}
        if any(one.value in {digest, "*"} for one in request.if_none_match or ()):
            return web.Response(status=304, headers=validators)
        response.headers.update(validators)
        return response

    return revalidate


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every error as problem+json; never a traceback."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        detail = "" if error.status == 404 else error.reason  # noqa: PLR2004 - Not Found
        code = _HTTP_CODES.get(error.status, "refused")
        return _problem(error.status, code, error.reason, detail, headers=headers)
    except LaunchdError as error:
        errors = [{"path": problem.path, "message": problem.message} for problem in error.errors]
        return _problem(HTTP_STATUS.get(error.code, 500), error.code, error.title, error.detail, errors=errors)
    except msgspec.ValidationError as error:
        return _problem(422, "invalid", "The request is understood but its content is not valid.", str(error))
    except Exception:  # noqa: BLE001 - whatever broke, the client gets an answer and the log the traceback
        _log.exception("request_failed", method=request.method, path=request.path)
        return _problem(500, "internal", "Something went wrong inside launchd.", "its log says what")


def _problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    problem = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    view = problem | ({"errors": errors} if errors else {})
    return web.Response(status=status, body=encode(view), content_type="application/problem+json", headers=headers)
