"""Loops of the daemon go on over any exception; what no loop can go on from ends the daemon loudly."""

import asyncio

import pytest
from structlog.testing import capture_logs

from launchd.daemon.unending import BrokenLoopError, unending
from launchd.testing import VirtualClock
from tests.test_plain import UnreadableError


async def test_a_loop_goes_on_over_exceptions_of_any_kind_with_a_growing_pause() -> None:
    clock = VirtualClock()
    pauses: list[float] = []
    endings: list[Exception | None] = [ValueError("slip"), UnreadableError(), None, ExceptionGroup("g", [OSError()])]

    async def body() -> None:
        if not endings:
            await asyncio.Event().wait()
        ending = endings.pop(0)
        if ending is not None:
            raise ending

    with capture_logs() as lines:
        loop = asyncio.create_task(unending("things", body, clock))
        while len(pauses) < 4:
            await asyncio.sleep(0)
            wake = clock.next_wake()
            if wake is not None and wake > clock.monotonic():
                pauses.append(wake - clock.monotonic())
                clock.move(wake)
        loop.cancel()
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert [(line["event"], line["loop"], line["error"]) for line in lines] == [
        ("loop_failed", "things", "slip"),
        ("loop_failed", "things", "<UnreadableError: its text cannot be read: TypeError>"),
        ("loop_failed", "things", "it returned"),
        ("loop_failed", "things", "g (1 sub-exception)"),
    ]


@pytest.mark.parametrize("fatal", [SystemExit(0), KeyboardInterrupt()])
async def test_an_exit_out_of_a_loop_becomes_an_error_that_ends_the_daemon(fatal: BaseException) -> None:
    async def body() -> None:
        raise fatal

    with pytest.raises(BrokenLoopError, match=f"the loop of things was ended by {type(fatal).__name__}"):
        await unending("things", body, VirtualClock())


async def test_a_cancelled_loop_ends() -> None:
    loop = asyncio.create_task(unending("things", asyncio.Event().wait, VirtualClock()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
