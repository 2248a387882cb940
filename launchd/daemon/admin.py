"""The admin side of a daemon: the parts behind its API, and its listeners."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from launchd.admin.api.status import remember_signed_out
from launchd.admin.feed_addresses import FeedAddresses
from launchd.admin.http.access import Access
from launchd.admin.http.listen import Address
from launchd.admin.http.tcp import tcp_check
from launchd.admin.metrics import Metered
from launchd.admin.route import Api
from launchd.admin.server import serve
from launchd.daemon.build import Parts
from launchd.daemon.host import HostProcess
from launchd.daemon.live import Live, reader_of
from launchd.engine.events.feed import Feed
from launchd.logs.joblines import JobLines
from launchd.ops.reload import Reloader
from launchd.ops.tally import LagMeter, Tally


def make_api(parts: Parts, *, host: HostProcess, access: Access, live: Live) -> Api:
    """The parts that the admin socket serves."""
    base, engine = parts.base, parts.engine
    # the name of this run in the ids of events: the milliseconds of its UUIDv7
    run = base.daemon_state.instance.replace("-", "")[:12]
    return Api(
        control=engine.control,
        launches=base.stores.launches,
        sources=base.stores.sources,
        access=access,
        feed=Feed(base.bus, parts.clock, run, base.health, engine.dispatcher.attempts),
        backups=base.backups,
        stats=base.stores.stats,
        audit=base.stores.audit,
        job_lines=host.job_lines or JobLines(),
        reloader=Reloader(parts.in_force, host.load or reader_of(parts.in_force.config), live.apply),
        metered=_metered(parts, dropped=host.log_lines_dropped),
        alerting=parts.oversight.alerting,
        feeds=FeedAddresses(base.stores.feeds, parts.clock),
    )


def _metered(parts: Parts, *, dropped: Callable[[], int]) -> Metered:
    """The parts that a scrape of the metrics reads."""
    base, engine, tally = parts.base, parts.engine, Tally()
    base.bus.subscribe_ends(tally.count)
    return Metered(
        control=engine.control,
        pools=engine.dispatcher.pools,
        schedules=engine.scheduler.entries,
        databases=base.stores.databases,
        sources=base.stores.sources,
        launches=base.stores.launches,
        fetches=base.tracker.fetches,
        monitor=parts.oversight.monitor,
        tally=tally,
        fires=parts.oversight.fires,
        lag=LagMeter(),
        dropped=dropped,
    )


@asynccontextmanager
async def served(
    parts: Parts, api: Api, *, host: HostProcess, tcp: Address | socket.socket | None
) -> AsyncIterator[Path]:
    """Serve the API on the admin socket, and on TCP if `tcp` is given; yields the path of the socket."""
    config, listener = parts.in_force.config, host.listeners.get("admin")
    path = config.socket if listener is None else Path(listener.getsockname())
    await remember_signed_out(api.access, api.audit, parts.clock.now())
    if tcp is not None:
        parts.base.health.add("tcp", tcp_check(api.access))
    mode = int(config.admin.socket_mode, 8)
    async with serve(api, path, mode, listener, tcp=tcp, clock=parts.clock) as presence:
        parts.engine.control.add_check("admin_socket", presence.check)
        yield path
