"""The parameters of a task, read from its function's signature: a task that nothing could call is refused at once."""

import inspect
import math
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from launchd.errors import InvalidError, Problem

# The names of `Context.trigger`'s own parameters: a task's argument with such a name could not be passed by keyword.
RESERVED = frozenset({"self", "task", "args", "delay", "priority"})
# Replaces a missing first parameter.
_NO_CONTEXT = inspect.Parameter("missing", inspect.Parameter.KEYWORD_ONLY)


class Parameter(NamedTuple):
    """One keyword argument of a task: its annotation, and its default unless `required`."""

    type: Any
    required: bool
    default: Any


def parameters_of(function: Callable[..., Any], name: str) -> dict[str, Parameter]:
    """The parameters after the Context, by name; raises InvalidError with every fault and the function's place."""
    where = place_of(function)
    try:
        parameters = [*inspect.signature(function).parameters.values()] or [_NO_CONTEXT]
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # annotations are the user's code, evaluated here
        raise InvalidError(
            f"task {name} ({where}): its annotations cannot be read: {_first_line(error)}; import each name that they "
            "use where the task is defined, and not under TYPE_CHECKING"
        ) from error
    first, *rest = parameters
    if first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        raise InvalidError(f"task {name} ({where}): its first parameter must be the Context")
    problems = [problem for one in rest if (problem := _problem(one, hints)) is not None]
    if problems:
        raise _refused(name, where, problems)
    required = {one.name for one in rest if one.default is one.empty}
    return {
        one.name: Parameter(hints[one.name], one.name in required, None if one.name in required else one.default)
        for one in rest
    }


def schema_of(function: Callable[..., Any], name: str, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The JSON Schema of the arguments; raises InvalidError for a type or a default without a JSON form."""
    problems: list[Problem] = []
    properties: dict[str, Any] = {}
    for argument, parameter in parameters.items():
        try:
            properties[argument] = _schema(parameter)
        except InvalidError as error:
            problems.append(Problem(argument, error.detail))
    if problems:
        raise _refused(name, place_of(function), problems)
    required = [argument for argument, parameter in parameters.items() if parameter.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def place_of(function: Callable[..., Any]) -> str:
    """The file and line of a function, such as `tasks.py:12`."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", None) or "unknown file")
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def all_finite(value: object) -> bool:
    """True if no number in `value` is nan or infinite: JSON has neither. `value` consists of built-in types."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(all_finite(one) for pair in value.items() for one in pair)
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(all_finite(one) for one in value)
    return True


def _problem(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Problem | None:
    if parameter.kind is not parameter.KEYWORD_ONLY or parameter.name not in hints:
        return Problem(parameter.name, "must be an annotated keyword (after a *)")
    if parameter.name in RESERVED:
        return Problem(parameter.name, "is the name of an option of ctx.trigger; give the argument another name")
    return None


def _schema(parameter: Parameter) -> dict[str, Any]:
    """The schema of one argument; raises InvalidError."""
    try:
        msgspec.json.Decoder(parameter.type)
        schema = msgspec.json.schema(parameter.type)
    except Exception as error:
        first = str(error).partition("\n")[0].rstrip(":")
        raise InvalidError(
            f"is a {_type_name(parameter.type)}, which cannot be read from JSON ({first}); annotate it with a type "
            "that JSON has (str, int, list[str], a dataclass) and convert it in the task"
        ) from error
    if parameter.required:
        return schema
    try:
        schema["default"] = msgspec.to_builtins(parameter.default)
        msgspec.json.encode(schema)
    except Exception as error:
        detail = f"has a default that cannot be written as JSON ({_first_line(error)}); use None and set it in the task"
        raise InvalidError(detail) from error
    return schema


def _refused(name: str, where: str, problems: list[Problem]) -> InvalidError:
    listed = "; ".join(f"parameter {problem.path} {problem.message}" for problem in problems)
    return InvalidError(f"task {name} ({where}): {listed}", errors=problems)


def _type_name(kind: Any) -> str:  # noqa: ANN401 - any annotation
    """The name that the user wrote: without private modules, such as `pathlib._local` of Python 3.13."""
    try:
        if not isinstance(kind, type):
            return str(kind)
        public = [part for part in kind.__module__.split(".") if not part.startswith("_")]
        return ".".join([*public, kind.__qualname__])
    except Exception:  # noqa: BLE001 - a metaclass of the user's
        return "of its annotation"


def _first_line(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    except Exception:  # noqa: BLE001 - its own text raises
        return type(error).__name__
