"""The parameters of tasks: a task that nothing could call is refused when it is loaded, by name, file and line."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd import config, testing
from launchd.engine.firing.loading import load_tasks
from launchd.errors import ConfigError, InvalidError
from launchd.job import MAX_JSON_BYTES
from launchd.parameters import RESERVED
from launchd.task import Context, task

if TYPE_CHECKING:
    from decimal import Decimal


class Plain:
    """A class without a JSON form."""


@dataclass
class Shape:
    """A class with a JSON form."""

    size: float


async def takes_path(ctx: Context, *, path: Path) -> None: ...
async def takes_class(ctx: Context, *, plain: Plain) -> None: ...
async def takes_classes(ctx: Context, *, plain: list[Plain] | None = None) -> None: ...
async def takes_function(ctx: Context, *, call: Callable[[], None]) -> None: ...
async def takes_union(ctx: Context, *, plain: int | Plain) -> None: ...
async def takes_unknown(ctx: Context, *, amount: "Decimal") -> None: ...
async def takes_nonsense(ctx: Context, *, amount: "1 +") -> None: ...  # type: ignore[valid-type] # noqa: F722
async def has_default(ctx: Context, *, path: str = Path("x")) -> None: ...  # type: ignore[assignment]


WRONG = [
    (takes_path, "parameter path is a pathlib.Path, which cannot be read from JSON"),
    (takes_class, "parameter plain is a tests.test_parameters.Plain, which"),
    (takes_classes, "parameter plain is a "),
    (takes_function, "parameter call is a "),
    (takes_union, "parameter plain is a "),
    (takes_unknown, "its annotations cannot be read: NameError: name 'Decimal' is not defined"),
    (takes_nonsense, "its annotations cannot be read: SyntaxError"),
    (has_default, "parameter path has a default that cannot be written as JSON"),
]


@pytest.mark.parametrize(("function", "words"), WRONG)
def test_a_parameter_that_json_cannot_fill_is_refused_with_its_place(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(InvalidError) as caught:
        task(function)
    line = function.__code__.co_firstlineno
    assert caught.value.detail.startswith(f"task {function.__name__} (test_parameters.py:{line}): ")
    assert words in caught.value.detail


@pytest.mark.parametrize("name", sorted(RESERVED - {"self"}))
def test_a_parameter_named_like_an_option_of_trigger_is_refused(name: str) -> None:
    space: dict[str, Any] = {}
    exec(f"async def clash(ctx, *, {name}: int) -> None: ...", space)  # noqa: S102 - the name is one of four
    with pytest.raises(InvalidError, match=f"parameter {name} is the name of an option of ctx.trigger"):
        task(space["clash"])


def test_all_faults_of_a_task_are_reported_at_once() -> None:
    async def wrong(ctx: Context, *, delay: int, path, more: int) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001

    with pytest.raises(InvalidError) as caught:
        task(wrong)
    assert [problem.path for problem in caught.value.errors] == ["delay", "path"]


def test_a_module_with_such_a_task_is_a_problem_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    body = "from pathlib import Path\nfrom launchd import task\n\n@task\nasync def save(ctx, *, path: Path): ...\n"
    (tmp_path / "tasks_with_a_path.py").write_text(body)
    with pytest.raises(ConfigError) as caught:
        load_tasks(config.parse('[tasks]\nmodules = ["tasks_with_a_path"]\n'), [])
    (problem,) = caught.value.errors
    assert problem.path == "tasks.modules"
    assert "task save (tasks_with_a_path.py:4): parameter path is a pathlib.Path" in problem.message


@task
async def odd(
    ctx: Context,
    *,
    text: str = "",
    number: float | None = None,
    whole: int = 0,
    shape: Shape | None = None,
    more: dict[str, Any] | None = None,
) -> None:
    """Accepts any JSON value."""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(odd.parameters)), JSON))
def test_arguments_come_back_as_they_were_or_are_refused(args: dict[str, Any]) -> None:
    try:
        text = odd.encode(args)
    except InvalidError:
        return
    assert odd.decode(text) == odd.validate(args)
    assert len(text.encode()) <= MAX_JSON_BYTES


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_without_a_json_form_is_refused_anywhere(value: float) -> None:
    for args in ({"number": value}, {"shape": {"size": value}}, {"more": {"deep": [1, {"x": value}]}}):
        with pytest.raises(InvalidError, match="nan and infinity"):
            odd.encode(args)


@pytest.mark.parametrize(
    "args",
    [
        {"text": "\ud800"},
        {"more": {"\udc80": 1}},
        {"whole": 10**5000},
        {"more": {"x": 10**5000}},
        {"more": {"x": object()}},
        {"text": "x" * MAX_JSON_BYTES},
        {"text": "\u20ac" * (MAX_JSON_BYTES // 3)},
        [],
        "text",
    ],
    ids=lambda args: f"{args!r:.30}" if not isinstance(args, dict) else ",".join(args),
)
def test_arguments_that_cannot_be_stored_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        odd.encode(args)


def test_the_bytes_of_arguments_are_counted_and_not_their_characters() -> None:
    room = MAX_JSON_BYTES - len('{"text":""}')
    assert len(odd.encode({"text": "\u20ac" * (room // 3)}).encode()) <= MAX_JSON_BYTES
    with pytest.raises(InvalidError, match="at most 65536"):
        odd.encode({"text": "\u20ac" * (room // 3 + 1)})


def test_nul_and_numbers_beyond_64_bits_come_back_whole() -> None:
    args = {"text": "a\0b", "whole": 2**70, "more": {"x": [-(2**80)]}}
    assert odd.decode(odd.encode(args)) == args


@pytest.mark.parametrize("text", ["", "{bad", "[1]", '"x"', "null", '{"text": 5}', "[" * 5000])
def test_stored_arguments_that_are_not_json_are_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidError):
        odd.decode(text)


async def test_arguments_of_a_triggered_job_are_a_mapping_or_keywords_but_not_both() -> None:
    made: list[str] = []

    @task
    async def first(ctx: Context) -> None:
        """Triggers the others."""
        made.append(await ctx.trigger("odd", args={"text": "a"}, whole=1))
        with pytest.raises(InvalidError, match="text: given in args and as a keyword"):
            await ctx.trigger("odd", args={"text": "a"}, text="b")

    async with testing.running(tasks=[first, odd]) as daemon:
        await daemon.trigger("first")
        await daemon.advance(seconds=10)
        job = await daemon.daemon.control.job(made[0])
        assert msgspec.json.decode(job.args) == {"text": "a", "whole": 1}
