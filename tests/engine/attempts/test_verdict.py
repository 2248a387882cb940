"""The boundary between task code and the engine: every value and error becomes a verdict that can be written."""

import asyncio
import pickle
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import SECOND
from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.engine.attempts.verdict import MIN_SNOOZE_SECONDS, returned, verdict
from launchd.engine.port import EnginePort
from launchd.job import MAX_JSON_BYTES, JobError, Outcome, Verb
from launchd.store.claims import Claimed
from launchd.task import MAX_DELAY_SECONDS, Cancel, Context, Retry, Snooze, progress_of, task
from tests.support.odd_values import ODD, VALUES, Broken, UnreadableError, raised, real

NOW = 1_800_000_000 * SECOND


@task(name="odd")
async def odd(_ctx: Context) -> None:
    """Any task."""


async def no_trigger(task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
    raise AssertionError(task, args, delay, priority)


async def attempt(*, tries: int = 1, max_retries: int = 3, stop: Stop | None = None) -> Attempt:
    job = Claimed(7, "id", "odd", "default", "{}", tries, max_retries, None, None, NOW)
    made = Attempt(job, odd, None, EnginePort(asyncio.get_running_loop(), no_trigger), 0.0)
    made.stop = stop
    return made


def an_attempt(**given: Any) -> Attempt:  # noqa: ANN401 - as attempt()
    return asyncio.run(attempt(**given))


ATTEMPT = an_attempt()
LAST = an_attempt(max_retries=0)
STOPPED = [an_attempt(stop=stop) for stop in Stop]


def with_attribute(error: BaseException, name: str, value: object) -> BaseException:
    setattr(error, name, value)
    return error


class HiddenError(Retry):
    """Its delay cannot be read."""

    after = property(lambda _self: 1 / 0)

    def __init__(self) -> None:
        Exception.__init__(self, "hidden")


MAKERS: list[Callable[[Any], BaseException]] = [
    *(ValueError, SystemExit, Cancel, lambda value: with_attribute(Retry("later"), "after", value)),
    *(lambda value: with_attribute(Snooze(1), "seconds", value), lambda _: UnreadableError(), lambda _: HiddenError()),
    *(KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, StopIteration),
]


def writable(outcome: Outcome) -> None:
    for text in (outcome.result, outcome.error, outcome.reason, outcome.progress):
        assert text is None or len(text.encode()) <= MAX_JSON_BYTES + 40_000
    for text in (outcome.result, outcome.error, outcome.progress):
        assert text is None or msgspec.json.decode(text) is not Ellipsis
    assert outcome.run_at is None or NOW <= outcome.run_at <= NOW + (MAX_DELAY_SECONDS + 1) * SECOND


@given(st.integers(0, len(STOPPED) + 1), VALUES, st.none() | st.integers(0, len(MAKERS) - 1))
def test_whatever_a_task_returns_or_raises_its_verdict_can_be_written(
    which: int, value: object, maker: int | None
) -> None:
    what, made = [ATTEMPT, LAST, *STOPPED][which], real(value)
    writable(verdict(what, NOW, made, None if maker is None else raised(MAKERS[maker](made))))


@pytest.mark.parametrize("index", range(len(ODD)))
def test_an_odd_result_ends_the_job_with_a_result_or_a_reason(index: int) -> None:
    outcome = verdict(LAST, NOW, ODD[index]())
    assert (outcome.verb, outcome.error is None) in {(Verb.SUCCEED, True), (Verb.FAIL, False)}


def test_an_exception_whose_text_fails_is_named() -> None:
    outcome = verdict(LAST, NOW, None, raised(UnreadableError()))
    error = msgspec.json.decode(outcome.error or "", type=JobError)
    assert (outcome.verb, error.message) == (Verb.FAIL, "<UnreadableError: its text cannot be read: TypeError>")


def test_a_delay_that_was_set_later_to_nonsense_fails_the_job_with_that_reason() -> None:
    outcome = verdict(ATTEMPT, NOW, None, raised(with_attribute(Retry(), "after", float("nan"))))
    assert outcome.verb is Verb.RETRY
    assert "Retry.after: expected 0 to 31622400 seconds (366 days), got nan" in (outcome.reason or "")
    assert "HiddenError.after cannot be read: ZeroDivisionError" in (
        verdict(LAST, NOW, None, HiddenError()).error or ""
    )


def test_a_snooze_for_no_time_comes_back_after_a_second() -> None:
    assert verdict(ATTEMPT, NOW, None, Snooze(0)).run_at == NOW + int(MIN_SNOOZE_SECONDS * SECOND)


def test_a_result_is_bounded_in_bytes() -> None:
    result = verdict(ATTEMPT, NOW, "é" * MAX_JSON_BYTES).result or ""
    assert msgspec.json.decode(result)["bytes"] == 2 * MAX_JSON_BYTES + 2
    assert verdict(ATTEMPT, NOW, "é" * 100).result == '"' + "é" * 100 + '"'


def test_ready_made_json_that_is_none_fails_the_job() -> None:
    for data in (b"{nope", b'"\xff"', b""):
        outcome = verdict(LAST, NOW, msgspec.Raw(data))
        assert (outcome.verb, outcome.result) == (Verb.FAIL, None)


def test_stop_iteration_out_of_a_plain_function_is_an_error() -> None:
    value, error = returned(None, raised(StopIteration(5)))
    assert (value, str(error)) == (None, "the task raised StopIteration")


# --- arguments of Retry, Snooze, Cancel and progress are checked at once ---


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1, -0.001, 1.8e12, 10**400, timedelta(days=367)])
def test_a_delay_that_cannot_be_meant_is_refused_where_it_is_made(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="366 days"):
        Retry(after=wrong)
    with pytest.raises(ValueError, match="366 days"):
        Snooze(wrong)


@pytest.mark.parametrize("wrong", ["30", b"30", [30], object(), 1j])
def test_a_delay_that_is_no_number_is_refused_where_it_is_made(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="expected seconds or a timedelta"):
        Retry(after=wrong)
    with pytest.raises(TypeError, match="expected seconds or a timedelta"):
        Snooze(wrong)


def test_delays_may_be_any_number_or_a_timedelta() -> None:
    assert [Retry(after=one).after for one in (None, 0, 1.5, Decimal("2.5"), timedelta(minutes=5))] == [
        None,
        0.0,
        1.5,
        2.5,
        300.0,
    ]
    assert Snooze(timedelta(hours=1)).seconds == 3600.0
    assert str(Snooze(90)) == "snoozed for 90 s"


def test_reasons_are_clean_and_bounded_texts() -> None:
    assert str(Cancel("caf\udce9")) == "caf?"
    assert str(Cancel(None)) == "cancelled by the task"  # type: ignore[arg-type]
    assert str(Cancel(Broken())) == "<Broken: its text cannot be read: SystemExit>"  # type: ignore[arg-type]
    assert len(str(Retry("x" * 100_000)).encode()) <= 2000


@pytest.mark.parametrize("wish", [Retry("r", after=3), Snooze(4, "s"), Cancel("c")])
def test_retry_snooze_and_cancel_survive_pickling(wish: Exception) -> None:
    copy = pickle.loads(pickle.dumps(wish))  # noqa: S301 - our own
    assert (type(copy), str(copy), vars(copy)) == (type(wish), str(wish), vars(wish))


@pytest.mark.parametrize(
    ("done", "total"), [("half", None), (None, 1), (float("nan"), 2), (1, float("inf")), (10**400, 1)]
)
def test_progress_that_is_no_finite_number_is_refused(done: Any, total: Any) -> None:  # noqa: ANN401
    with pytest.raises((TypeError, ValueError), match="progress: "):
        progress_of(done, total)


def test_a_note_of_progress_may_be_anything_and_is_bounded() -> None:
    assert progress_of(1, 2, Broken()).note == "<Broken: its text cannot be read: SystemExit>"
    assert len(progress_of(1, 2, "é" * 1000).note or "") < 500


def test_an_object_set_as_progress_without_its_method_is_ignored() -> None:
    what = an_attempt()
    what.context.latest_progress = Broken()  # type: ignore[assignment]
    assert (what.progress(), what.latest_progress()) == (None, None)
