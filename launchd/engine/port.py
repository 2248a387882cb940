"""The port: what task code reaches of the engine, from whatever thread or loop it runs on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Trigger(Protocol):
    """Makes a job on the control loop and returns its id."""

    async def __call__(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Raise what Control.trigger raises."""


class EnginePort:
    """Implements `launchd.task.Port`. `trigger_job` is set once, before the first job runs."""

    def __init__(self, control_loop: asyncio.AbstractEventLoop) -> None:
        self.trigger_job: Trigger | None = None
        self._loop = control_loop

    async def trigger(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Make a job from task code; its id once it is on disk."""
        make = self.trigger_job
        if make is None:
            raise RuntimeError("the engine has not started")
        return await self.on_control(lambda: make(task, args, delay=delay, priority=priority))

    async def on_control(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await a coroutine on the control loop from any other loop."""

        async def run() -> T:
            return await call()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))
