"""Draws endings: from a seeded generator for long runs, from hypothesis' own for tests that shrink."""

import json
import logging
import random
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import acts, apart, errors, loops, values
from tests.fuzz.values import Spec

# How often each kind is drawn, in per cent: a process costs a hundred times what a coroutine does.
SPLIT = {"coroutine": 62, "thread": 33, "process": 2, "process coroutine": 3}
_TEXTS = (
    "", "x", "half way", "caf\u00e9", "caf\udce9", "\ud800\udc00", "\x00", "\x1b[31mred\x1b[0m", "a\nb\r\nc",
    "\u202ertl", "%s %d %", "{0} {", "\U0001f680", "\u2028", "__class__", "-5", "nan", "null",
)  # fmt: skip
_LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "msg", "log", "nosuchlevel")
# Attributes that the daemon itself reads of an exception.
_READ = ("after", "seconds", "args", "reason", "error", "code", "detail", "__class__", "__dict__", "with_traceback")
_NEIGHBOURS = ("calm_coroutine", "calm_thread", "no such task", "odd_thread", "", "caf\udce9")
_FIELDS = ("value", "event", "level", "logger", "timestamp", "job_id", "exc_info", "stack_info", "exception", "error")


def _text(rng: random.Random) -> str:
    return json.dumps(rng.choice(_TEXTS))


def value(rng: random.Random, depth: int = 2) -> Spec:  # noqa: PLR0911 - a table
    """Draw a value."""
    kind = rng.randrange(20)
    if kind < 6:
        return ["odd", rng.choice(list(values.ODD))]
    if kind < 11:
        return ["number", rng.choice(list(values.NUMBERS))]
    if kind < 15:
        return ["text", _text(rng)]
    if kind == 15:
        return ["repeat", _text(rng), rng.choice((2, 70_000, 1 << 20))]
    if depth and kind == 16:
        return [rng.choice(("list", "tuple")), [value(rng, depth - 1) for _ in range(rng.randrange(4))]]
    if depth and kind == 17:
        return ["dict", [[_text(rng), value(rng, depth - 1)] for _ in range(rng.randrange(4))]]
    return ["plain", rng.choice((None, True, 5, 0.5, "plain", [1, 2], {"a": 1}))]


def _number(rng: random.Random) -> Spec:
    return ["number", rng.choice(list(values.NUMBERS))]


def _plain_act(rng: random.Random) -> Spec:  # noqa: PLR0911 - a table
    match rng.randrange(8):
        case 0 | 1:
            first = _number(rng) if rng.random() < 0.7 else value(rng)
            return ["progress", [first, *(value(rng) for _ in range(rng.randrange(3)))]]
        case 2:
            fields = {rng.choice(_FIELDS): value(rng) for _ in range(rng.randrange(3))}
            return ["log", rng.choice(_LEVELS), value(rng), fields]
        case 3:
            level = rng.choice((logging.DEBUG, logging.INFO, logging.WARNING, logging.CRITICAL, 0, 35))
            return ["standard", level, value(rng), [value(rng) for _ in range(rng.randrange(3))]]
        case 4:
            return ["print", rng.choice(("stdout", "stderr")), value(rng)]
        case 5:
            return [
                "write",
                rng.choice((0, 1, 2)),
                rng.choice(("odd raw\xff\n", '{"event": "odd raw"}\n', "odd, no end")),
            ]
        case 6:
            return ["warn", ["text", _text(rng)]]
        case _:
            return ["trick", rng.choice(list(acts.TRICKS))]


def _loop_act(rng: random.Random) -> Spec:  # noqa: PLR0911 - a table
    error = rng.choice(list(loops.ERRORS))
    match rng.randrange(9):
        case 0 | 1:
            return ["loop", rng.choice(list(loops.TRICKS))]
        case 2:
            return ["call", error, rng.choice((None, 0.0, 0.005))]
        case 3:
            return ["subtask", error, rng.random() < 0.5]
        case 4:
            return ["wait_for", error]
        case 5:
            return ["gather", error, rng.random() < 0.5]
        case 6:
            return ["group", error]
        case 7:
            return ["shield", error]
        case _:
            options = {name: value(rng) for name in ("delay", "priority") if rng.random() < 0.3}
            return ["trigger", ["text", json.dumps(rng.choice(_NEIGHBOURS))], {'"value"': value(rng)}, options]


def _act(rng: random.Random, kind: str) -> Spec:
    chance = rng.random()
    if kind.endswith("coroutine") and chance < 0.45:
        return _loop_act(rng)
    if kind.startswith("process") and chance > 0.6:
        return ["apart", rng.choice(list(apart.TRICKS))]
    return _plain_act(rng)


def _args(rng: random.Random) -> list[Spec]:
    return [value(rng) for _ in range(rng.choice((0, 1, 1, 1, 2)))]


def _raise(rng: random.Random) -> Spec:
    kind = rng.choice(list(errors.KINDS))
    keywords: dict[str, Spec] = {}
    args = _args(rng)
    if kind == "Retry":
        keywords = {"after": _number(rng)} if rng.random() < 0.7 else {}
    elif kind == "Snooze":
        args = [_number(rng), *args[1:]]
    trims = [_trim(rng) for _ in range(rng.choice((0, 0, 1, 2)))]
    return ["raise", kind, args, keywords, trims]


def _trim(rng: random.Random) -> list[Any]:  # noqa: PLR0911 - a table
    match rng.randrange(9):
        case 0 | 1:
            return ["set", rng.choice(_READ), _number(rng) if rng.random() < 0.6 else value(rng)]
        case 2:
            return ["cause", rng.choice(list(errors.KINDS))]
        case 3:
            return [rng.choice(("cause cycle", "context cycle"))]
        case 4:
            return ["long chain", rng.choice((3, 1500))]
        case 5:
            return ["note", value(rng)]
        case 6:
            return ["notes", value(rng)]
        case 7:
            return ["no traceback"]
        case _:
            return ["foreign traceback"]


def _end(rng: random.Random) -> Spec:
    chance = rng.random()
    if chance < 0.35:
        return ["return", value(rng)]
    if chance < 0.85:
        return _raise(rng)
    how = rng.choice(("raise from", "raise within"))
    return [how, rng.choice(list(errors.KINDS)), _args(rng), _raise(rng)[1:]]


def ending(rng: random.Random, kind: str | None = None) -> dict[str, Any]:
    """Draw an ending: its kind, how many retries its job has, acts (each guarded by a try or not) and its end."""
    kind = kind or rng.choices(list(SPLIT), list(SPLIT.values()))[0]
    count = rng.choice((0, 0, 1, 1, 2, 3))
    return {
        "kind": kind,
        "retries": rng.choice((0, 0, 1)),
        "acts": [[_act(rng, kind), rng.random() < 0.75] for _ in range(count)],
        "end": _end(rng),
    }


def numbered(seed: int, number: int) -> dict[str, Any]:
    """The ending with this number of a long run: the same whenever it is asked for."""
    return ending(random.Random(f"{seed}:{number}"))


def endings() -> st.SearchStrategy[dict[str, Any]]:
    """Endings for hypothesis, which shrinks what it draws."""
    return st.randoms(use_true_random=False).map(ending)
