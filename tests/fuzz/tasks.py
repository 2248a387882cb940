"""The tasks that carry out endings, one of each kind, and ordinary tasks beside them."""

import json
from typing import Any

from launchd import Context, task
from tests.fuzz.acts import plain
from tests.fuzz.apart import apart
from tests.fuzz.errors import build
from tests.fuzz.loops import on_loop
from tests.fuzz.values import Spec, make

# By the name that an ending has: the task of each kind.
TASKS = {
    "coroutine": "odd_coroutine",
    "thread": "odd_thread",
    "process": "odd_process",
    "process coroutine": "odd_process_coroutine",
}


def _do(ctx: Context, act: Spec) -> None:
    if not plain(ctx, act) and not apart(ctx, act):
        raise AssertionError(f"no such act here: {act}")


async def _do_on_loop(ctx: Context, act: Spec) -> None:
    if not await on_loop(ctx, act):
        _do(ctx, act)


def _end(end: Spec) -> Any:  # noqa: ANN401 - anything
    """Return or raise as described."""
    match end:
        case ["return", value]:
            return make(value)
        case ["raise", kind, args, keywords, trims]:
            raise build(kind, args, keywords, trims)
        case ["raise from", kind, args, cause]:
            raise build(kind, args, {}, []) from build(*cause)
        case ["raise within", kind, args, cause]:
            try:
                raise build(*cause)  # noqa: TRY301 - meant
            except BaseException:  # noqa: BLE001 - the context of the next
                raise build(kind, args, {}, [])  # noqa: B904 - meant
        case _:
            raise AssertionError(f"no such end: {end}")


def plain_ending(ctx: Context, ending: str) -> Any:  # noqa: ANN401 - anything
    """Carry out an ending without a loop."""
    description = json.loads(ending)
    for act, guarded in description["acts"]:
        try:
            _do(ctx, act)
        except BaseException:
            if not guarded:
                raise
    return _end(description["end"])


async def ending_on_loop(ctx: Context, ending: str) -> Any:  # noqa: ANN401 - anything
    """Carry out an ending on a loop."""
    description = json.loads(ending)
    for act, guarded in description["acts"]:
        try:
            await _do_on_loop(ctx, act)
        except BaseException:
            if not guarded:
                raise
    return _end(description["end"])


@task(queue="odd", max_retries=0, timeout=30)
async def odd_coroutine(ctx: Context, *, ending: str) -> Any:  # noqa: ANN401 - anything
    """End oddly on the task loop."""
    return await ending_on_loop(ctx, ending)


@task(queue="odd", max_retries=0, timeout=30)
def odd_thread(ctx: Context, *, ending: str) -> Any:  # noqa: ANN401 - anything
    """End oddly in a thread."""
    return plain_ending(ctx, ending)


@task(queue="odd_process", max_retries=0, timeout=30, isolation="process")
def odd_process(ctx: Context, *, ending: str) -> Any:  # noqa: ANN401 - anything
    """End oddly in a process."""
    return plain_ending(ctx, ending)


@task(queue="odd_process", max_retries=0, timeout=30, isolation="process")
async def odd_process_coroutine(ctx: Context, *, ending: str) -> Any:  # noqa: ANN401 - anything
    """End oddly on the loop of a process."""
    return await ending_on_loop(ctx, ending)


@task(queue="odd", max_retries=0)
async def calm_coroutine(_ctx: Context, *, value: Any = None) -> Any:  # noqa: ANN401 - any JSON
    """Return what is given."""
    return value


@task(queue="odd", max_retries=0)
def calm_thread(_ctx: Context, *, value: Any = None) -> Any:  # noqa: ANN401 - any JSON
    """Return what is given."""
    return value


@task(queue="odd_process", max_retries=0, isolation="process")
async def calm_process(_ctx: Context, *, value: Any = None) -> Any:  # noqa: ANN401 - any JSON
    """Return what is given."""
    return value
