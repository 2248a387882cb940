"""The launch data of a daemon: the tracker, and its ways onto the control loop."""

import asyncio
from collections.abc import Callable, Sequence

from launchd.clock import Clock
from launchd.config import Config
from launchd.daemon.stores import Stores
from launchd.engine.events.bus import Bus
from launchd.event import Event
from launchd.launches.fetch.client import Identity
from launchd.launches.tasks import Tracker


def launch_tracker(*, config: Config, stores: Stores, clock: Clock, bus: Bus) -> Tracker:
    """The tracker of this daemon; it publishes its events on the bus."""
    loop = asyncio.get_running_loop()

    def publish(events: Sequence[Event]) -> None:
        """Called on the task loop."""
        if events:
            loop.call_soon_threadsafe(bus.publish, events)

    schedules = config.schedules.values()
    return Tracker(
        stores.launches, stores.sources, config.sources, clock, identity(config), publish=publish, schedules=schedules
    )


def identity(config: Config) -> Identity:
    """The name under which this daemon asks the sources."""
    return Identity(config.fetch.contact, config.fetch.from_email)


def on_this_loop(*calls: Callable[[], None]) -> Callable[[], None]:
    """A function that any loop or thread may call; the calls are then made on the loop that runs now."""
    loop = asyncio.get_running_loop()

    def call() -> None:
        for one in calls:
            loop.call_soon_threadsafe(one)

    return call
