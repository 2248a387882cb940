"""Words of different sources made comparable: vehicle families, providers, mission names and series numbers."""

import json
import re
from functools import cache, lru_cache
from importlib import resources

_WORD = re.compile(r"[a-z]+|\d+")
_SERIES = re.compile(r"\b(?:group\s+)?(\d{1,2})-(\d{1,3})\b", re.IGNORECASE)


@cache
def _aliases(kind: str) -> dict[str, str]:
    text = resources.files("launchd.launches").joinpath("aliases", f"{kind}.json").read_text("utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Lower case words and numbers, one space apart."""
    return " ".join(_WORD.findall(text.lower()))


@lru_cache(maxsize=16384)
def vehicle_family(text: str) -> str:
    """The family of a vehicle: its leading letters after aliases ("Chang Zheng 2D" -> "long march")."""
    words = plain(text)
    for alias, name in _aliases("vehicles").items():
        if words == alias or words.startswith(alias + " "):
            words = name + words[len(alias) :]
            break
    family = re.split(r"\s?\d", words, maxsplit=1)[0]
    return family or words


@lru_cache(maxsize=16384)
def provider_name(text: str) -> str:
    """The provider after aliases ("SPX" -> "spacex")."""
    words = plain(text)
    return _aliases("providers").get(words, words)


@lru_cache(maxsize=65536)
def mission_name(name: str) -> str:
    """The mission's part of "<vehicle> | <mission>", plain; empty when it says nothing."""
    words = plain(name.rpartition("|")[2])
    return "" if words.startswith("unknown") else words


@lru_cache(maxsize=65536)
def series_number(name: str) -> tuple[str, str, str] | None:
    """The (constellation, group, number) of "Starlink Group 12-7"; numbers of other series are not comparable."""
    if "group" not in name.lower():
        return None
    found = _SERIES.search(name)
    return (mission_name(name).partition(" ")[0], found[1], found[2]) if found else None
