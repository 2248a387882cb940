"""The details of a launch for people: a line for each plain field, a table for each list."""

from collections.abc import Callable
from typing import Any

import click

from launchd.cli.output import Columns, age, columns, format_value, print_table

# The most running notes that are shown; `--json` has all.
SHOWN_UPDATES = 10
_PLAIN = ("mission_type", "customers", "programmes", "tags", "crewed", "probability", "weather", "weather_concerns")
_LAST = ("hold_reason", "fail_reason", "mission_description")


def print_details(details: dict[str, Any] | None) -> None:
    """Print the details of a launch; nothing for a launch without any."""
    if details is None:
        return
    lines = {name: details[name] for name in (*_PLAIN, *_LAST) if details[name] not in (None, [], "")}
    if details["pad_turnaround"] is not None:
        lines["pad_turnaround"] = age(details["pad_turnaround"])
    for name, value in lines.items():
        click.echo(f"{name:<20}{format_value(value)}{' %' if name == 'probability' else ''}")
    for title, shows in _tables().items():
        if details[title]:
            click.echo(f"{title}:")
            print_table(details[title][:SHOWN_UPDATES] if title == "updates" else details[title], shows)
    for picture in details["pictures"]:
        rights = ", ".join(word for word in (picture["credit"], picture["licence"]) if word)
        click.echo(f"{'picture':<20}{format_value(picture['url'])}{f' ({format_value(rights)})' if rights else ''}")


def _tables() -> dict[str, Columns]:
    return {
        "crew": columns("name", "role", "agency"),
        "payloads": {**columns("name", "type"), "mass": _mass, **columns("amount", "orbit", "customers")},
        "boosters": {
            **columns("serial", "role", "flight"),
            "turnaround": lambda one: None if one["turnaround"] is None else age(one["turnaround"]),
            "landing": _landing("outcome"),
            "type": _landing("type"),
            "place": _landing("place"),
        },
        "webcasts": columns("start", "live", "kind", "url"),
        "updates": {"at": lambda one: one["at"], "author": lambda one: one["author"], "note": lambda one: one["text"]},
    }


def _mass(one: dict[str, Any]) -> str | None:
    return None if one["mass_kg"] is None else f"{one['mass_kg']:g} kg"


def _landing(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda one: one["landing"] and one["landing"][name]
