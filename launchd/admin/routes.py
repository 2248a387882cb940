"""The API's table: every endpoint with its parameters, its body, its response, and the role it needs.

The server serves these rows, requests are checked by them, and the OpenAPI document is made of them.

To add an endpoint:

1. Write its handler and its view in the module of its subject in `api/`; the first line of the handler's docstring is
   the summary in the OpenAPI document:

       async def pools(api: Api, request: Request[PageQuery, Body]) -> Response:
           '''The thread pools.'''
           return Response(PoolPageView(items=[_pool(one) for one in api.control.pools()], next=None))

2. Add its row to the routes of that module: `Route("GET", "/v1/pools", pools, PoolPageView, query=PageQuery)`. A new
   module adds its routes below.
3. Add a row to the table of endpoints in the documentation; a test names endpoints that have none.

A view of stored rows inherits from RowView, is filled by a mapper (api/mapper.py) and is wrapped with `total`.
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
from launchd.admin.api.feeds import FEED_ROUTES
from launchd.admin.api.jobs import JOB_ROUTES
from launchd.admin.api.launches import LAUNCH_ROUTES
from launchd.admin.api.queues import QUEUE_ROUTES
from launchd.admin.api.schedules import SCHEDULE_ROUTES
from launchd.admin.api.slips import SLIP_ROUTES
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
    *SLIP_ROUTES,
    *FEED_ROUTES,
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
