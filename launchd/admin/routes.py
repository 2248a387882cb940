"""The API's table: every endpoint with its parameters, its body, its answer, and the role it needs.

The server serves these rows, requests are checked by them, and the OpenAPI document is made of them.
"""

from launchd.admin.events import EVENT_ROUTES
from launchd.admin.jobs import JOB_ROUTES
from launchd.admin.launches import LAUNCH_ROUTES
from launchd.admin.past import PAST_ROUTES
from launchd.admin.queues import QUEUE_ROUTES
from launchd.admin.route import Route
from launchd.admin.schedules import SCHEDULE_ROUTES
from launchd.admin.series import SERIES_ROUTES
from launchd.admin.status import STATUS_ROUTES

ROUTES: tuple[Route, ...] = (
    *STATUS_ROUTES,
    *SERIES_ROUTES,
    *PAST_ROUTES,
    *JOB_ROUTES,
    *QUEUE_ROUTES,
    *SCHEDULE_ROUTES,
    *LAUNCH_ROUTES,
    *EVENT_ROUTES,
)
