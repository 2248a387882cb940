"""Makes the parts of a daemon, in order of need. `start` starts them, `stop` ends them."""

from collections.abc import Iterable
from dataclasses import dataclass

from launchd.clock import Clock
from launchd.daemon.base import Base, make_base
from launchd.daemon.engine import Engine, make_engine
from launchd.daemon.launches import on_this_loop
from launchd.daemon.live import Current
from launchd.daemon.oversight import Oversight, make_oversight
from launchd.daemon.stores import Databases
from launchd.engine.firing.loading import Options
from launchd.launches.approach import Approaches
from launchd.lock import Locks
from launchd.ops.reload import InForce
from launchd.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one daemon."""

    in_force: InForce
    options: Options
    clock: Clock
    base: Base
    approaches: Approaches
    engine: Engine
    oversight: Oversight


async def build(
    *, in_force: InForce, options: Options, clock: Clock, databases: Databases, backend: Locks, tasks: Iterable[Task]
) -> Parts:
    """Make the parts, in order of need. Raises ConfigError or StoreError before any of them works."""
    config, current = in_force.config, Current(in_force)
    base = make_base(current=current, clock=clock, databases=databases, tasks=tasks)
    approaches = Approaches(clock, databases[1], base.bus.publish)
    engine = make_engine(
        config=config,
        options=options,
        clock=clock,
        base=base,
        backend=backend,
        owner=f"{await base.stores.jobs.node():x}:{base.daemon_state.instance}",
        near_by=approaches.near,
    )
    # the scheduler fires the tracker's tasks, and fires them more often near a launch that they have found or moved
    base.tracker.on_change = on_this_loop(engine.scheduler.look_again, approaches.look_again)
    return Parts(
        in_force=in_force,
        options=options,
        clock=clock,
        base=base,
        approaches=approaches,
        engine=engine,
        oversight=make_oversight(
            current=current, clock=clock, base=base, engine=engine, scheduler_enabled=options.scheduler
        ),
    )
