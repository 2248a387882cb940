"""The API's table: every endpoint with its parameters, its body, its answer, and the role it needs.

The server serves these rows, requests are checked by them, and the OpenAPI document is made of them.
"""

import functools
from typing import Any

import launchd
from launchd.admin import metrics
from launchd.admin.api.alerts import ALERT_ROUTES
from launchd.admin.api.audit import AUDIT_ROUTES
from launchd.admin.api.backup import BACKUP_ROUTES
from launchd.admin.api.config import CONFIG_ROUTES
from launchd.admin.api.events import EVENT_ROUTES
from launchd.admin.api.jobs import JOB_ROUTES
from launchd.admin.api.launches import LAUNCH_ROUTES
from launchd.admin.api.queues import QUEUE_ROUTES
from launchd.admin.api.schedules import SCHEDULE_ROUTES
from launchd.admin.api.sources import SOURCE_ROUTES
from launchd.admin.api.stats import STATS_ROUTES
from launchd.admin.api.status import STATUS_ROUTES
from launchd.admin.http.view import encode
from launchd.admin.openapi import document
from launchd.admin.route import Api, Body, Document, Query, Request, Response, Route


async def scrape(api: Api, request: Request[Query, Body]) -> Response:
    """Every metric, for Prometheus."""
    return Response(await metrics.answer(api.metered, request.http))


async def openapi(api: Api, _request: Request[Query, Body]) -> Response:
    """This document."""
    return Response(Document(_openapi(api.access.cookie), "application/json"))


ROUTES: tuple[Route, ...] = (
    *STATUS_ROUTES,
    *STATS_ROUTES,
    *AUDIT_ROUTES,
    *CONFIG_ROUTES,
    *JOB_ROUTES,
    *QUEUE_ROUTES,
    *SCHEDULE_ROUTES,
    *LAUNCH_ROUTES,
    *SOURCE_ROUTES,
    *EVENT_ROUTES,
    *BACKUP_ROUTES,
    *ALERT_ROUTES,
    Route("GET", "/metrics", scrape, "text/plain"),
    Route("GET", "/openapi.json", openapi, dict[str, Any], needs=None),
)


@functools.cache
def _openapi(cookie: str) -> bytes:
    return encode(document(ROUTES, launchd.__version__, cookie))
