"""Gives a test tasks with odd outcomes: one body, run as a coroutine, in a thread and in a process."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from launchd import Cancel, Context, Retry, Snooze, task

EPOCH_MS = 1_764_446_400_000


class Bad(Exception):  # noqa: N818 - its name is in the text that tests look for
    def __str__(self) -> str:
        raise TypeError("no text")


class Classless(Exception):  # noqa: N818 - as above
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise TypeError("no class")


def _raise(error: BaseException) -> NoReturn:
    raise error


def _later(error: Retry | Snooze, name: str, value: object) -> NoReturn:
    setattr(error, name, value)
    raise error


def _caused() -> NoReturn:
    try:
        _raise(OSError("open caf\udce9"))
    except OSError as error:
        raise ValueError("cannot read") from error


def _log_exception(ctx: Context) -> str:
    try:
        _raise(ValueError("an error to log"))
    except ValueError:
        ctx.log.exception("something failed", source="gcat")
    return "logged"


def _log_surrogate(ctx: Context) -> str:
    ctx.log.info("odd name", name="caf\udce9", number=10**400, path=Path("caf\udce9"))
    return "logged"


def _standard(_ctx: Context) -> str:
    logging.getLogger("some.library").warning("a library says %s", "hello")
    try:
        _raise(ValueError("an error of a library"))
    except ValueError:
        logging.getLogger("some.library").exception("a library failed")
    return "logged"


def _broken_format(_ctx: Context) -> str:
    logging.getLogger("some.library").warning("%d of %d", "one")  # noqa: PLE1206 - broken on purpose
    return "logged"


def _log_tangled(ctx: Context) -> str:
    tangled: list[Any] = []
    tangled.extend([tangled] * 200)
    ctx.log.info("tangled", value=tangled)
    return "logged"


def _log_odd_event(ctx: Context) -> str:
    ctx.log.info(None)
    ctx.log.info(5, logger=["odd"])
    return "logged"


def _noted(notes: object) -> NoReturn:
    error = ValueError("with notes")
    error.__notes__ = notes  # type: ignore[assignment]
    raise error


def _stdin(_ctx: Context) -> str:
    return subprocess.run(["cat"], check=False, stdout=subprocess.PIPE, timeout=30).stdout.decode()


BODIES: dict[str, Callable[[Context], Any]] = {
    "snooze 1e12": lambda _: _raise(Snooze(1e12)),
    "snooze nan": lambda _: _raise(Snooze(float("nan"))),
    "snooze -5": lambda _: _raise(Snooze(-5)),
    "snooze 10**400": lambda _: _raise(Snooze(10**400)),
    "snooze text": lambda _: _raise(Snooze("30")),  # type: ignore[arg-type]
    "snooze 0": lambda _: _raise(Snooze(0)),
    "snooze timedelta": lambda _: _raise(Snooze(timedelta(hours=1))),
    "retry epoch in ms": lambda _: _raise(Retry(after=EPOCH_MS)),
    "retry inf": lambda _: _raise(Retry(after=float("inf"))),
    "retry text": lambda _: _raise(Retry(after="30")),  # type: ignore[arg-type]
    "retry timedelta": lambda _: _raise(Retry("patience", after=timedelta(minutes=5))),
    "snooze nan later": lambda _: _later(Snooze(5), "seconds", float("nan")),
    "retry text later": lambda _: _later(Retry(after=5), "after", "30"),
    "cancel surrogate": lambda _: _raise(Cancel("caf\udce9")),
    "broken text": lambda _: _raise(Bad()),
    "surrogate": lambda _: _raise(ValueError("caf\udce9")),
    "surrogate cause": lambda _: _caused(),
    "stop iteration": lambda _: next(iter([])),
    "progress path": lambda ctx: ctx.progress(1, 2, Path("x")),  # type: ignore[arg-type]
    "progress word": lambda ctx: ctx.progress("downloading"),  # type: ignore[arg-type]
    "progress nan": lambda ctx: ctx.progress(float("nan"), 2),
    "progress 10**400": lambda ctx: ctx.progress(10**400, 2),
    "log exception": _log_exception,
    "log surrogate": _log_surrogate,
    "standard": _standard,
    "broken format": _broken_format,
    "log tangled": _log_tangled,
    "log odd event": _log_odd_event,
    "long notes": lambda _: _noted("\u00e9" * 3_000_000),
    "many notes": lambda _: _noted(["a note"] * 100_000),
    "classless": lambda _: _raise(Classless("no class")),
    "stdin": _stdin,
    "large": lambda _: "\u00e9" * 40_000,
    "exactly": lambda _: "x" * (64 * 1024 - 2),
    "surrogate result": lambda _: "caf\udce9",
    "nothing": lambda _: None,
    "exit": lambda _: sys.exit(3),
    "interrupt": lambda _: _raise(KeyboardInterrupt()),
}


@task(queue="odd", max_retries=0)
async def seam_coroutine(ctx: Context, *, body: str) -> Any:  # noqa: ANN401 - as the body likes
    """Run a body on the task loop."""
    return BODIES[body](ctx)


@task(queue="odd", max_retries=0)
def seam_thread(ctx: Context, *, body: str) -> Any:  # noqa: ANN401 - as the body likes
    """Run a body in a thread."""
    return BODIES[body](ctx)


@task(queue="odd_process", max_retries=0, isolation="process")
def seam_process(ctx: Context, *, body: str) -> Any:  # noqa: ANN401 - as the body likes
    """Run a body in a process."""
    return BODIES[body](ctx)


@task(queue="odd_process", max_retries=0, isolation="process")
async def seam_process_coroutine(ctx: Context, *, body: str) -> Any:  # noqa: ANN401 - as the body likes
    """Run a body on the loop of a process."""
    return BODIES[body](ctx)


# --- coroutines that disturb their shared loop ---


async def _exits() -> NoReturn:
    await asyncio.sleep(0)
    sys.exit(5)


async def _wait_for() -> None:
    await asyncio.wait_for(_exits(), 5)


async def _stop() -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)


async def _call_soon() -> None:
    asyncio.get_running_loop().call_soon(sys.exit)
    await asyncio.sleep(0)


async def _subtask() -> None:
    _SUBTASKS.append(asyncio.create_task(_exits()))
    await asyncio.sleep(0.01)


async def _spoil_the_factory() -> None:
    asyncio.get_running_loop().set_task_factory(lambda *_, **__: _raise(OSError("no task today")))


async def _restore_the_factory() -> None:
    asyncio.get_running_loop().set_task_factory(None)


async def _interrupting() -> None:
    asyncio.get_running_loop().call_soon(_raise, KeyboardInterrupt())
    await asyncio.sleep(0)


_SUBTASKS: list["asyncio.Task[Any]"] = []
LOOP_ENDERS = {
    "wait_for": _wait_for,
    "stop": _stop,
    "call_soon": _call_soon,
    "subtask": _subtask,
    "interrupt": _interrupting,
}
FACTORIES = {"spoil": _spoil_the_factory, "restore": _restore_the_factory}


@task(queue="odd", max_retries=0)
async def end_the_loop(_ctx: Context, *, how: str) -> None:
    """End the event loop in a way given by name."""
    await (LOOP_ENDERS | FACTORIES)[how]()


class Exiting:
    def __getattribute__(self, name: str) -> object:
        raise SystemExit(name)


_WISHES: dict[str, dict[str, Any]] = {
    "an object that exits": {"body": Exiting()},
    "a delay of nan": {"body": "nothing", "delay": float("nan")},
    "a delay as a text": {"body": "nothing", "delay": "30"},
    "a delay of 10**400": {"body": "nothing", "delay": 10**400},
    "a priority of half": {"body": "nothing", "priority": 0.5},
}
WISHES = tuple(_WISHES)


@task(queue="odd", max_retries=0)
async def wish_coroutine(ctx: Context, *, wish: str) -> None:
    """Trigger a job with odd arguments."""
    await ctx.trigger("seam_coroutine", **_WISHES[wish])


@task(queue="odd_process", max_retries=0, isolation="process")
async def wish_process(ctx: Context, *, wish: str) -> None:
    """The same from a process."""
    await ctx.trigger("seam_coroutine", **_WISHES[wish])


@task(queue="odd_process", max_retries=0, isolation="process")
async def child_reads(ctx: Context) -> str:
    """Start a process that reads standard input, then trigger a job."""
    with subprocess.Popen(["head", "-c", "5"], stdout=subprocess.PIPE) as reader:  # noqa: ASYNC220 - meant
        made = await ctx.trigger("seam_coroutine", body="nothing")
        reader.wait(30)
    return made
