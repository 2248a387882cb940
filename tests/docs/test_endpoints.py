"""Every endpoint that a page names is served with its parameters, and http.md has each with its role and each error."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec

from launchd.admin.http import problems
from launchd.admin.route import Route
from launchd.admin.routes import ROUTES
from launchd.errors import HTTP_STATUS
from tests.docs.pages import DOCS, codes, every_page, table, without_variables

HTTP = DOCS / "http.md"
# The endpoints that are served beside the table of routes.
OTHERS = frozenset({("GET", "/"), ("GET", "/sign-in")})
_ENDPOINT = re.compile(r"(?:\b(GET|POST|PATCH|DELETE) )?(?:http://\w+(?:\.\w+)*(?::\d+)?)?(/v1/[^\s`'\")|,;]*)")


def matching(method: str, path: str) -> list[Route]:
    """The routes that a path of a page means, `{x}` and `NAME` standing for one segment."""
    return [
        route
        for route in ROUTES
        if method in ("", route.method) and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path)
    ]


@every_page
def test_every_endpoint_that_is_named_is_served_with_its_parameters(page: Path) -> None:
    for method, address in _ENDPOINT.findall(page.read_text("utf-8")):
        target = urlsplit(without_variables(address).rstrip(".:"))
        if target.path.startswith("/v1/greeting"):  # the endpoint that contributing.md adds
            continue
        routes = matching(method, target.path)
        assert routes, f"{page.name}: {method} {address}"
        known = {field.encode_name for route in routes for field in msgspec.structs.fields(route.query)}
        given = {name for name, _ in parse_qsl(target.query, keep_blank_values=True)}
        assert given <= known, f"{page.name}: {address}: {given - known}"


def test_the_table_has_a_row_for_every_endpoint_and_its_role() -> None:
    told = {(*code.split(" ", 1), cells[1]) for cells in table(HTTP, "endpoint") for code in codes(cells[0])}
    served = {(route.method, route.path, route.needs.value if route.needs else "anybody") for route in ROUTES}
    assert {one for one in told if one[:2] not in OTHERS} == served
    assert {one[:2] for one in told} >= OTHERS


def test_the_table_has_a_row_for_every_error_code_and_its_status() -> None:
    told = {(int(cells[0]), code) for cells in table(HTTP, "status") for code in codes(cells[1])}
    layer = {(status, code) for status, code in problems._HTTP_CODES.items()}
    assert told == {(status, code) for code, status in HTTP_STATUS.items()} | layer
