"""Launch vehicles under one name each: a family and a variant of it. Pure.

The data file has the names. Rules cover what is regular: numbers of the Long March in either language ("CZ-3B/E"), an
upper stage behind a known vehicle ("Soyuz-2-1B Fregat"), a better known name in brackets, a Falcon 9 booster's number.
"""

import re
from functools import cache, lru_cache

import msgspec

from launchd.launches.registry.words import LONGEST, Words, normal, read, readings

_LONG_MARCH = re.compile(r"(?:long ?march|chang ?zheng|cz|lm) ([1-9]\d?)(?: (.+))?", re.ASCII)
_LETTER = re.compile(r"[a-z]?")
# "F9 B5 B1067.12", "F9 B5B1049.4"
_BOOSTER = re.compile(r"\s*B1\d{3}(?:[.\u2011-]\d{1,2})?\W*$")


class Vehicle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A launch vehicle. `variant` is None where the word names the family alone ("Falcon 9")."""

    name: str
    family: str
    variant: str | None = None
    words: tuple[str, ...] = ()

    @property
    def search_words(self) -> tuple[str, ...]:
        """All words that mean this vehicle, its name first; its family is another word."""
        return (self.name, *self.words)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    family: str
    words: tuple[str, ...]
    variant: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    facts: str
    nothing: tuple[str, ...]
    stages: tuple[str, ...]
    long_march: dict[str, str]
    vehicles: dict[str, _Row]


@cache
def _file() -> _File:
    return read("vehicles", _File)


@cache
def all_vehicles() -> dict[str, Vehicle]:
    """The vehicles of the data file by name; those that follow from a rule are not among them."""
    return {
        name: Vehicle(name=name, family=row.family, variant=row.variant, words=row.words)
        for name, row in _file().vehicles.items()
    }


@cache
def _words() -> Words[Vehicle]:
    return Words((one, one.search_words) for one in all_vehicles().values())


@cache
def _stages() -> dict[str, str]:
    return {normal(stage): stage for stage in _file().stages}


@cache
def _long_march_endings() -> dict[str, str]:
    return {normal(word): ending for word, ending in _file().long_march.items()}


@cache
def _nothing() -> frozenset[str]:
    return frozenset(map(normal, _file().nothing))


@lru_cache(maxsize=16384)
def vehicle(word: str) -> Vehicle | None:
    """The vehicle that the word means; None if neither the registry nor a rule has it."""
    if len(word) > LONGEST:
        return None
    for reading in readings(word):
        found = _words().find(reading) or _long_march(reading) or _with_stage(reading)
        if found is not None:
            return found
    without = _BOOSTER.sub("", word)
    return _words().find(without) if without != word else None


def _long_march(text: str) -> Vehicle | None:
    """The Long March of that number: "Chang Zheng 3B/YZ-1" is "Long March 3B/YZ-1"."""
    match = _LONG_MARCH.fullmatch(normal(text))
    if match is None:
        return None
    number, rest = match[1], match[2] or ""
    endings = _long_march_endings()
    letter, _, behind = rest.partition(" ")
    if rest in endings and (" " in rest or not endings[rest]):  # the G of "G2" is no letter of the variant
        letter, behind = "", rest
    if not _LETTER.fullmatch(letter) or (behind and behind not in endings):
        return None
    ending = endings[behind] if behind else ""
    variant = letter.upper() + (f"/{ending}" if ending else "")
    words = tuple(f"{start}{number}{variant}" for start in ("CZ-", "Chang Zheng ", "LM-"))
    family = f"Long March {number}"
    return Vehicle(name=family + variant, family=family, variant=variant.lstrip("/") or None, words=words)


def _with_stage(text: str) -> Vehicle | None:
    """A known vehicle and an upper stage behind it."""
    form = normal(text)
    for stage, name in _stages().items():
        base = _words().find(form[: -len(stage) - 1]) if form.endswith(f" {stage}") else None
        if base is not None:
            variant = f"{base.variant}/{name}" if base.variant else name
            words = tuple(f"{word}/{name}" for word in base.words)
            return Vehicle(name=f"{base.name}/{name}", family=base.family, variant=variant, words=words)
    return None


def names_no_vehicle(word: str) -> bool:
    """True if the word is one for an unknown vehicle ("TBD")."""
    return normal(word) in _nothing()
