"""Views of nouns: a mapper fills the fields of a view from the fields of a noun that have the same names.

    _alert = mapper(AlertView, AlertRow)  # each field has the name that it has in AlertRow
    _lock = mapper(LockView, Lock, "waiters")  # Lock has no `waiters`: the caller gives it
    _lock(held, waiters=2)

A field of the type `Time` (or `Time | None`) is formatted, `unreadable` is left out where it is empty, every other
value is taken as it is. A mapper is made when its module is imported, and refuses a view with a field that is neither
in the noun nor given. So a misspelt field fails every test, and never hides as a row that cannot be read.
"""

from typing import Annotated, Any, Protocol, TypeVar, get_args

import msgspec
from msgspec import Meta

from launchd.admin.http.view import View, lost
from launchd.clock import UNREADABLE, format_instant

Time = Annotated[
    str,
    Meta(
        description=f"RFC 3339, UTC; {UNREADABLE} where the stored value is beyond the years 1 to 9999",
        extra_json_schema={"anyOf": [{"format": "date-time"}, {"const": UNREADABLE}]},
    ),
]
Seconds = Annotated[float, Meta(description="seconds")]
N_contra = TypeVar("N_contra", contravariant=True)
V_co = TypeVar("V_co", bound=View, covariant=True)


class Mapper(Protocol[N_contra, V_co]):
    """Makes the view of a noun; each field that was named as given is a keyword argument of each call."""

    def __call__(self, noun: N_contra, /, **given: Any) -> V_co:  # noqa: ANN401 - each field has a type of its own
        """The view of a noun."""


def mapper(view: type[V_co], noun: type[N_contra], *given: str) -> Mapper[N_contra, V_co]:
    """A mapper of `noun` to `view`; raises TypeError if a field of the view is neither in the noun nor `given`.

    It is the function that one would write by hand, compiled: a loop over the names takes a third longer for each view.
    """
    fields = [field for field in msgspec.structs.fields(view) if field.name not in given]
    missing = [field.name for field in fields if field.required and not hasattr(noun, field.name)]
    if missing:
        raise TypeError(f"{view.__name__}: {noun.__name__} has no {', '.join(missing)}; name them as given")
    values = [f"{field.name}={_expression(field)}" for field in fields if hasattr(noun, field.name)]
    values += [f"{name}={name}" for name in given]
    keywords = ", ".join(["", "*", *given]) if given else ""
    names = {"view": view, "format_instant": format_instant, "lost": lost}
    made: Mapper[N_contra, V_co] = eval(f"lambda noun, /{keywords}: view({', '.join(values)})", names)  # noqa: S307 - made of the names of our own fields
    return made


def _expression(field: msgspec.structs.FieldInfo) -> str:
    value = f"noun.{field.name}"
    if field.type == Time:
        return f"format_instant({value})"
    if Time in get_args(field.type):
        return f"None if {value} is None else format_instant({value})"
    return f"lost({value})" if field.name == "unreadable" else value
