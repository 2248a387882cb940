"""Filters of launches by name, as conditions of SQL: any word that the registry has for the thing finds it. Pure.

A provider is found by a word of its own or of one that it belongs to, a vehicle by a word of itself or of its family,
a place by a word of its site or its pad. Any other word finds the launches that have it as a part of the name, or whose
names in the registry begin with it; names of a site may have it as a part ("Florida").
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from launchd.errors import InvalidError
from launchd.launches import registry
from launchd.launches.registry import Pad, Provider, Site

# A condition and its parameters.
Condition = tuple[str, tuple[object, ...]]
_AMONG = "{} IN (SELECT value FROM json_each(?))"
_PART = "{} LIKE ? ESCAPE '\\'"


def by_provider(word: str) -> Condition:
    """The launches of a provider and of those that belong to it."""
    found = registry.provider(word)
    if found is not None:
        return _among("provider", (one.name for one in _and_children({found.name})))
    known = {name for name, one in registry.all_providers().items() if _begin(word, one.search_words)}
    return _any([_part("provider", word), _among("provider", (one.name for one in _and_children(known)))])


def by_vehicle(word: str) -> Condition:
    """The launches of a vehicle, with any upper stage; of all vehicles of a family for the family's name."""
    found = registry.vehicle(word)
    if found is None:
        known = (name for name, one in registry.all_vehicles().items() if _begin(word, one.search_words))
        return _any([_part("vehicle", word), _among("vehicle", known)])
    if found.variant is not None:
        return _any([("vehicle = ?", (found.name,)), _begins("vehicle", f"{found.name}/")])
    # "Long March" is a family, and so are "Long March 3" and others
    families = [_begins("vehicle_family", found.family + end) for end in (" ", "-")]
    return _any([("vehicle_family = ?", (found.family,)), *families])


def by_place(word: str) -> Condition:
    """The launches from a site, or from a pad; a pad's name without its site means all pads of that name."""
    found = registry.place(None, word) or registry.place(word, None)
    if found is not None:
        return _at(*found)
    pads = _pads_of_name(word)
    if pads:
        return _any([_at(site, pad) for site, pad in pads])
    sites = (name for name, one in registry.all_sites().items() if _have(word, one.search_words))
    return _any([_part("site", word), _part("pad", word), _among("site", sites)])


def by_country(word: str) -> Condition:
    """The launches by providers of a country, and those from its sites; raises InvalidError for no code."""
    code = word.strip().upper()
    if len(code) != 2 or not (code.isascii() and code.isalpha()):  # noqa: PLR2004 - ISO 3166-1 alpha-2
        raise InvalidError.at("country", f"expected a code of two letters such as US, CN or KZ, got {word!r}")
    providers = (name for name, one in registry.all_providers().items() if one.country == code)
    sites = (name for name, one in registry.all_sites().items() if one.country == code)
    return _any([_among("provider", providers), _among("site", sites)])


def _and_children(names: set[str]) -> Iterator[Provider]:
    """The providers of these names, and those that belong to one of them."""
    for one in registry.all_providers().values():
        if not names.isdisjoint(each.name for each in registry.lineage(one)):
            yield one


@lru_cache(maxsize=1024)
def _pads_of_name(word: str) -> tuple[tuple[Site, Pad], ...]:
    """The pads that the word means at their own sites."""
    found = (registry.place(word, name) for name in registry.all_sites())
    return tuple(dict.fromkeys((site, pad) for site, pad in filter(None, found) if pad is not None))


def _begin(start: str, words: Iterable[str]) -> bool:
    return any(one.casefold().startswith(start.casefold()) for one in words)


def _have(part: str, words: Iterable[str]) -> bool:
    return any(part.casefold() in one.casefold() for one in words)


def _at(site: Site, pad: Pad | None) -> Condition:
    return ("site = ?", (site.name,)) if pad is None else ("(site = ? AND pad = ?)", (site.name, pad.name))


def _among(column: str, names: Iterable[str]) -> Condition:
    return _AMONG.format(column), (msgspec.json.encode(list(names)).decode(),)


def _part(column: str, text: str) -> Condition:
    return _PART.format(column), (f"%{_escaped(text)}%",)


def _begins(column: str, text: str) -> Condition:
    return _PART.format(column), (f"{_escaped(text)}%",)


def _any(conditions: Iterable[Condition]) -> Condition:
    found = list(conditions)
    return f"({' OR '.join(one for one, _ in found)})", tuple(value for _, values in found for value in values)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
