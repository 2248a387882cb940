"""How the registry compares words, and how it reads its data files. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import resources
from typing import Generic, TypeVar

import msgspec

Entry = TypeVar("Entry")
File = TypeVar("File", bound=msgspec.Struct)
# A longer text is a sentence, not a name.
LONGEST = 300
# "Ariane 5 G+" is another vehicle than "Ariane 5 G".
_PART = re.compile(r"[^\W\d_]+|\d+|\+")
_BRACKETS = re.compile(r"\(([^()]*)\)")


@lru_cache(maxsize=65536)
def normal(text: str) -> str:
    """Letters without case and accents, numbers and plus signs, one space apart: "SLC-4E" is "slc 4 e"."""
    if len(text) > LONGEST:
        return ""
    letters = text.casefold()
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        letters = "".join(one for one in decomposed if not unicodedata.combining(one))
    return " ".join(_PART.findall(letters))


def readings(text: str) -> Iterator[str]:
    """The text, the text without its brackets, and the text of the innermost ones: "Taurus 1110 (ARPA Taurus)"."""
    yield text
    if "(" in text and len(text) <= LONGEST:
        without, inner = text, _BRACKETS.findall(text)
        while (shorter := _BRACKETS.sub(" ", without)) != without:
            without = shorter
        yield without
        yield from inner


class Words(Generic[Entry]):
    """Entries by the words that mean them.

    A word is found as it is written, in any case, else by its normal form. A normal form of words of several entries
    finds none of them: "N-1" is a Japanese rocket and "N1" a Soviet one.
    """

    def __init__(self, entries: Iterable[tuple[Entry, Iterable[str]]]) -> None:
        """Index the entries; a word that two of them have is an error in the data."""
        self._written: dict[str, Entry] = {}
        self._normal: dict[str, Entry | None] = {}
        for entry, words in entries:
            for word in words:
                if self._written.setdefault(_written(word), entry) is not entry:
                    raise ValueError(f"the registry gives {word!r} to two entries: remove it from one of them")
                if self._normal.setdefault(normal(word), entry) is not entry:
                    self._normal[normal(word)] = None

    def find(self, text: str) -> Entry | None:
        """The entry that the word means, or None."""
        if len(text) > LONGEST:
            return None
        return self._written.get(_written(text)) or self._normal.get(normal(text))

    def ambiguous(self) -> list[str]:
        """The normal forms that words of several entries share."""
        return sorted(form for form, entry in self._normal.items() if entry is None)


def _written(word: str) -> str:
    return " ".join(word.split()).casefold()


def read(name: str, kind: type[File]) -> File:
    """The data file of that name."""
    text = resources.files("launchd.launches.registry").joinpath(f"{name}.json").read_bytes()
    return msgspec.json.decode(text, type=kind)
