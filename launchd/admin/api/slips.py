"""The endpoints of the slip ledger and the scorecards: how launches slipped, and how well sources foretold them."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from launchd.admin.api.launch_views import SlipsView, slips_view
from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.http.view import RowView, View, lost, total, word
from launchd.admin.route import Api, Body, Query, Request, Response, Route
from launchd.clock import FOREVER, SECOND, format_instant
from launchd.errors import InvalidError
from launchd.launches.launch import Net, Precision
from launchd.launches.scorecard import HORIZONS, LAUNCHD, LEAST, Score, Scorecard
from launchd.launches.slip_groups import Group, GroupSlips
from launchd.launches.slip_ledger import MoveKind, MoveRow
from launchd.launches.sources import SOURCES

_SCORED = (*SOURCES, LAUNCHD)
KindWord = Annotated[str, Meta(extra_json_schema={"enum": list(MoveKind)})]


class Of(StrEnum):
    """The subjects of scorecards."""

    SOURCES = "sources"
    PROVIDERS = "providers"
    VEHICLES = "vehicles"


class SlipsQuery(Query):
    """`GET /v1/slips`."""

    of: Group = Group.PROVIDERS


class ScorecardsQuery(Query):
    """`GET /v1/scorecards`."""

    of: Of = Of.SOURCES
    source: (
        Annotated[
            str,
            Meta(
                description="the source whose NETs are scored; launchd, the default for providers and vehicles, is what"
                " was served",
                extra_json_schema={"enum": list(_SCORED)},
            ),
        ]
        | None
    ) = None


class IntervalView(View):
    """A NET."""

    net: Time
    net_latest: Time
    net_precision: Precision


class MoveView(RowView):
    """A change of the NET of a launch. `size` is negative for a move to an earlier time.

    `late` says that the source had not been read for a time before; `last_look` is when it was read last. A row with
    `merged_from` was written for that launch before it was merged, and does not count.
    """

    seen_at: Time
    kind: KindWord
    counts: bool
    size: Seconds
    old: IntervalView | None
    new: IntervalView | None
    source: str
    late: bool
    last_look: Time | None
    merged_from: str | None


class LedgerView(View):
    """The slip ledger of a launch, oldest row first; `slips` sums up the rows that count."""

    launch_id: str
    slips: SlipsView
    items: list[MoveView]


class GroupSlipsView(View):
    """The slips of a provider or a vehicle family.

    `launches` counts those whose NET changed, `slipped` those that slipped. Of the `slips`, `scrubs` were scrubs and
    `late` were found late; `earlier` counts moves to an earlier time.
    """

    name: str
    launches: int
    slipped: int
    slips: int
    total: Seconds
    scrubs: int
    earlier: int
    late: int


class SlipsByView(View):
    """The slips of each provider or vehicle family, those with the most launches first."""

    of: Group
    items: list[GroupSlipsView]


class ScoreView(View):
    """The errors of the NETs stated at a horizon before lift-off, by nearest rank.

    An error is 0 for a lift-off within the stated interval, positive for a later one. `low` and `high` are the 10th
    and the 90th percentile, `within` is the share of errors that are 0, `n` counts launches. With too few of them the
    values are null and `reason` says so.
    """

    horizon: Annotated[str, Meta(extra_json_schema={"enum": list(HORIZONS)})]
    n: int
    median: Seconds | None
    low: Seconds | None
    high: Seconds | None
    within: float | None
    reason: str | None


class ScorecardView(View):
    """The scores of a source, a provider or a vehicle family, the longest horizon first."""

    name: str
    scores: list[ScoreView]


class ScorecardsView(View):
    """Scorecards by name; `source` is the one whose NETs were scored, null for each of them."""

    of: Of
    source: str | None
    least: Annotated[int, Meta(description="the launches that a score needs")]
    items: list[ScorecardView]


async def ledger(api: Api, request: Request[Query, Body]) -> Response:
    """The slip ledger of a launch."""
    found = await api.launches.ledger_of(request.path["id"])
    rows = [_move(row) for row in found.rows]
    return Response(LedgerView(launch_id=found.launch.id, slips=slips_view(found.slips), items=rows), until=FOREVER)


async def slips(api: Api, request: Request[SlipsQuery, Body]) -> Response:
    """Slips by provider or by vehicle."""
    found = await api.launches.slips_by(request.query.of)
    return Response(SlipsByView(of=request.query.of, items=[_group_view(one) for one in found]), until=FOREVER)


async def scorecards(api: Api, request: Request[ScorecardsQuery, Body]) -> Response:
    """How well the NETs stated before launches agreed with their lift-offs."""
    of, source = request.query.of, request.query.source
    if source is not None and source not in _SCORED:
        raise InvalidError.at("source", f"no such source {source}; known: {', '.join(_SCORED)}")
    kind = None if of is Of.SOURCES else Group(of.value)
    if kind is not None:
        source = source or LAUNCHD
    cards = await api.launches.scorecards(kind, source)
    view = ScorecardsView(of=of, source=source, least=LEAST, items=[_card(one) for one in cards])
    return Response(view, until=FOREVER)


_row = mapper(MoveView, MoveRow, "kind", "size", "old", "new", "unreadable")
_group = mapper(GroupSlipsView, GroupSlips, "slips", "total")


@total(MoveView, lambda one: {"source": one.source})
def _move(one: MoveRow) -> MoveView:
    missing = list(one.unreadable)
    kind = word(one.kind, set(MoveKind), "kind", missing)
    old, new = _interval(one.old), _interval(one.new)
    return _row(one, kind=kind, size=one.size / SECOND, old=old, new=new, unreadable=lost(missing))


def _interval(net: Net | None) -> IntervalView | None:
    if net is None:
        return None
    return IntervalView(
        net=format_instant(net.earliest), net_latest=format_instant(net.latest), net_precision=net.precision
    )


def _group_view(one: GroupSlips) -> GroupSlipsView:
    return _group(one, slips=one.later, total=one.total / SECOND)


def _card(one: Scorecard) -> ScorecardView:
    return ScorecardView(name=one.name, scores=[_score(each) for each in one.scores])


def _score(one: Score) -> ScoreView:
    median, low, high = (None if value is None else value / SECOND for value in (one.median, one.low, one.high))
    return ScoreView(
        horizon=one.horizon, n=one.n, median=median, low=low, high=high, within=one.within, reason=one.reason
    )


SLIP_ROUTES = (
    Route("GET", "/v1/launches/{id}/slips", ledger, LedgerView, revalidates=True),
    Route("GET", "/v1/slips", slips, SlipsByView, query=SlipsQuery, revalidates=True),
    Route("GET", "/v1/scorecards", scorecards, ScorecardsView, query=ScorecardsQuery, revalidates=True),
)
