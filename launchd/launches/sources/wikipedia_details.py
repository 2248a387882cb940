"""The details in a row of Wikipedia's tables of Falcon launches: payload mass, customer, booster, landing. Pure."""

import re
from collections.abc import Mapping

from launchd.launches.details import Booster, Details, Landing, Payload, stated
from launchd.launches.validate import MAX_TEXT

# The columns that are read here.
DETAILED = ("version", "mass", "customer", "landing")
# "F9 B5 ♺ B1062.2" is the second flight of B1062.
_BOOSTER = re.compile(r"\b(B\d{4})(?:[.\u2011-](\d{1,3}))?(?!\d)", re.ASCII)
# The last number of "60 of 260 kg = 15,600 kg (34,400 lb)".
_MASS = re.compile(r"(\d[\d,]{0,12}(?:\.\d{1,3})?)\+?\s?kg\b", re.ASCII)
_MAX_MASS = 1_000_000
_OPEN = frozenset({"", "tbd", "tba", "unknown", "classified", "—", "-"})
_TYPES = (("drone ship", "ASDS"), ("ground pad", "RTLS"), ("ocean", "Ocean"))
# The beginning of the words about a landing: attempt and success.
_LANDINGS = {
    "success": (True, True),
    "failure": (True, False),
    "uncontrolled": (True, False),
    "no attempt": (False, None),
    "expended": (False, None),
}


def row_details(name: str, orbit: str | None, texts: Mapping[str, str]) -> Details | None:
    """The details of a launch of this name, by the texts of its columns."""
    customer = texts["customer"][:MAX_TEXT].strip()
    customers = () if customer.lower() in _OPEN else (customer,)
    mass = _mass(texts["mass"])
    payload = Payload(
        name=name[:MAX_TEXT].strip(), mass_kg=mass, orbit=orbit and orbit[:MAX_TEXT].strip(), customers=customers
    )
    booster = _booster(texts["version"], texts["landing"])
    return stated(
        Details(
            customers=customers,
            payloads=(payload,) if mass is not None or customers else (),
            boosters=(booster,) if booster else (),
        )
    )


def _mass(text: str) -> float | None:
    found = _MASS.findall(text)
    mass = float(found[-1].replace(",", "")) if found else 0.0
    return mass if 0 < mass <= _MAX_MASS else None


def _booster(version: str, landing: str) -> Booster | None:
    """The booster; None for a Falcon Heavy, whose other boosters are in rows of their own, and for one not named."""
    found = _BOOSTER.search(version)
    if found is None or "heavy" in version.lower() or version.startswith("FH"):
        return None
    flight = int(found[2]) if found[2] else None
    return Booster(serial=found[1], flight=flight, reused=None if not flight else flight > 1, landing=_landing(landing))


def _landing(text: str) -> Landing | None:
    words = text.lower()
    outcome = next((said for start, said in _LANDINGS.items() if words.startswith(start)), None)
    if outcome is None:
        return None
    kind = next((kind for word, kind in _TYPES if word in words), None)
    return Landing(attempt=outcome[0], success=outcome[1], type=kind)
