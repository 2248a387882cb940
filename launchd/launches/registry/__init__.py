"""Canonical names for the words of sources: providers, vehicles, sites and pads, orbits, statuses.

Data files hold what is known of particular names, modules the rules. A word that is in none of them has no entry: the
registry never guesses, and it never decides which records are of one launch (`launches/matching` does).
"""

from launchd.launches.registry.orbits import Orbit, all_orbits, names_no_orbit, orbit
from launchd.launches.registry.providers import Provider, all_providers, lineage, names_no_provider, provider
from launchd.launches.registry.sites import Pad, Site, all_sites, is_placed, names_no_place, place
from launchd.launches.registry.statuses import StatusWords, all_statuses
from launchd.launches.registry.vehicles import Vehicle, all_vehicles, names_no_vehicle, vehicle

__all__ = [
    "Orbit",
    "Pad",
    "Provider",
    "Site",
    "StatusWords",
    "Vehicle",
    "all_orbits",
    "all_providers",
    "all_sites",
    "all_statuses",
    "all_vehicles",
    "is_placed",
    "lineage",
    "names_no_orbit",
    "names_no_place",
    "names_no_provider",
    "names_no_vehicle",
    "orbit",
    "place",
    "provider",
    "vehicle",
]
