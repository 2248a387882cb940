"""Heavy work aside: in a thread, so that it blocks no loop, and without the collector of cycles meanwhile.

A full collection stops every thread of the interpreter while it walks all objects: 400 ms with what a cold load of
15,000 records holds at once (`make bench ARGS=coldload`). What is made here holds no cycles and goes by itself.
"""

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Collector:
    """Python's collector, off while anybody is in; it is one for the whole process, and so is this."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._inside = 0
        self._was_on = True

    def __enter__(self) -> None:
        with self._guard:
            if self._inside == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._inside -= 1
            if self._inside == 0 and self._was_on:
                gc.enable()


_COLLECTOR = _Collector()


async def aside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns or raises, run in a thread."""

    def run() -> T:
        with _COLLECTOR:
            return function(*args, **kwargs)

    return await asyncio.to_thread(run)
