"""Heavy work runs off the loop, with the garbage collector off while any of it runs."""

import asyncio
import gc
import threading

import pytest

from launchd.launches.offload import offload


async def test_work_runs_in_another_thread_and_the_collector_is_off_until_the_last_of_it_has_ended() -> None:
    here = threading.get_ident()
    entered, leave = threading.Event(), threading.Event()

    def long() -> tuple[int, bool]:
        entered.set()
        assert leave.wait(30)
        return threading.get_ident(), gc.isenabled()

    work = asyncio.create_task(offload(long))
    await asyncio.to_thread(entered.wait, 30)
    assert await offload(gc.isenabled) is False
    assert not gc.isenabled()
    leave.set()
    thread, was_enabled = await work
    assert (thread != here, was_enabled) == (True, False)
    assert gc.isenabled()


async def test_an_exception_of_the_work_reaches_its_caller_and_the_collector_is_on_again() -> None:
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 1, 0)
    assert gc.isenabled()


async def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        assert await offload(sum, [1, 2]) == 3
        assert not gc.isenabled()
    finally:
        gc.enable()
