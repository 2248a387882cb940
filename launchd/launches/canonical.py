"""The names that launchd serves: the registry's name of a provider, vehicle, pad, site and orbit. Pure.

A word that is not in the registry is served as the source writes it. Sightings keep the words of their sources.
"""

from typing import NamedTuple

import msgspec

from launchd.launches import registry
from launchd.launches.launch import Launch

# The fields of a launch that have canonical names.
FIELDS = ("provider", "vehicle", "pad", "location", "orbit")


class Entries(NamedTuple):
    """The entries of the registry that a launch's words mean; None for a word that is not in the registry."""

    provider: registry.Provider | None = None
    vehicle: registry.Vehicle | None = None
    site: registry.Site | None = None
    pad: registry.Pad | None = None
    orbit: registry.Orbit | None = None


def entries(launch: Launch) -> Entries:
    """The entries that the served words of a launch mean."""
    location = launch.location.name if launch.location else None
    site, pad = registry.place(launch.pad, location) or (None, None)
    return Entries(
        None if launch.provider is None else registry.provider(launch.provider),
        None if launch.vehicle is None else registry.vehicle(launch.vehicle),
        site,
        pad,
        None if launch.orbit is None else registry.orbit(launch.orbit),
    )


def named(launch: Launch, *, pad_at: str | None = None) -> Launch:
    """The launch with canonical names. `pad_at` is the location that the source of the pad gives, if there is one."""
    found, place = entries(launch), launch.location
    at = registry.place(launch.pad, pad_at) if pad_at is not None else None
    pad = found.pad if at is None else at[1]
    if place is not None and found.site is not None:
        place = msgspec.structs.replace(place, name=found.site.name)
    return msgspec.structs.replace(
        launch,
        provider=found.provider.name if found.provider else launch.provider,
        vehicle=found.vehicle.name if found.vehicle else launch.vehicle,
        pad=launch.pad if launch.pad is None or pad is None else pad.name,
        location=place,
        orbit=found.orbit.name if found.orbit else launch.orbit,
    )
