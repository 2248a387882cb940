"""Heavy work in a thread, so that it blocks no loop, with the garbage collector off while it runs.

A full collection stops every thread of the interpreter while it walks all objects: 400 ms with the objects of a cold
load of 15,000 records (`make coldload`). The objects made here hold no cycles, so reference counts free them.
"""

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Collector:
    """Keeps Python's collector off while any caller is inside. The collector is one per process, so this is one too."""

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


async def offload(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run the function in a thread and return or raise what it does."""

    def run() -> T:
        with _COLLECTOR:
            return function(*args, **kwargs)

    return await asyncio.to_thread(run)
