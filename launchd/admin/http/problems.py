"""Errors as problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from launchd.admin.http.view import View, encode
from launchd.errors import HTTP_STATUS, LaunchdError, TooManyRequestsError, UnauthorizedError

CONTENT_TYPE = "application/problem+json"
# The codes of refusals by the HTTP layer itself; Python renames its phrases between releases.
_HTTP_CODES = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    417: "expectation_failed",
}


class ProblemPath(View):
    """One problem of a request, and the path of the field."""

    path: str
    message: str


class ProblemView(View, omit_defaults=True):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemPath] = msgspec.field(default_factory=list)


def of_error(error: LaunchdError) -> web.Response:
    """The response to an error of launchd."""
    errors = [ProblemPath(path=problem.path, message=problem.message) for problem in error.errors]
    status = HTTP_STATUS.get(error.code, 500)
    return problem(status, error.code, error.title, error.detail, errors=errors, headers=_hints(error))


def of_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """The response to a refusal by the HTTP layer itself."""
    return problem(status, _HTTP_CODES.get(status, "refused"), HTTPStatus(status).phrase, detail, headers=headers)


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: list[ProblemPath] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A problem as a response."""
    body = encode(view(status, code, title, detail, errors))
    return web.Response(status=status, body=body, content_type=CONTENT_TYPE, headers=headers)


def view(status: int, code: str, title: str, detail: str, errors: list[ProblemPath] | None = None) -> ProblemView:
    """A problem as it is encoded."""
    return ProblemView(type="about:blank", title=title, status=status, code=code, detail=detail, errors=errors or [])


def _hints(error: LaunchdError) -> dict[str, str]:
    """The headers of a refusal that say what to do next."""
    if isinstance(error, TooManyRequestsError):
        return {"Retry-After": str(int(error.retry_after) + 1)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, UnauthorizedError) else {}
