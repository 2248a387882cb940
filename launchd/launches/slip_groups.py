"""Slips by provider and by vehicle family, under the registry's names. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Protocol

from launchd.launches import registry


class Named(Protocol):
    """Anything with the words of a launch for its provider and its vehicle."""

    @property
    def provider(self) -> str | None:
        """The word for the provider."""

    @property
    def vehicle(self) -> str | None:
        """The word for the vehicle."""


class Group(StrEnum):
    """The subjects by which launches are grouped."""

    PROVIDERS = "providers"
    VEHICLES = "vehicles"

    def name_of(self, one: Named) -> str | None:
        """The name of a launch's group; a word that the registry does not know stands for itself."""
        if self is Group.PROVIDERS:
            provider = registry.provider(one.provider) if one.provider else None
            return provider.name if provider else one.provider
        vehicle = registry.vehicle(one.vehicle) if one.vehicle else None
        return vehicle.family if vehicle else one.vehicle


class LaunchSlips(NamedTuple):
    """The ledger of one launch in numbers, with the words for its provider and vehicle."""

    provider: str | None
    vehicle: str | None
    later: int
    total: int
    earlier: int
    scrubs: int
    late: int


class GroupSlips(NamedTuple):
    """The slips of a provider or a vehicle family.

    `launches` counts those whose NET changed, `slipped` those that slipped. Of the `later` slips, `scrubs` were scrubs
    and `late` were found late.
    """

    name: str
    launches: int
    slipped: int
    later: int
    total: int
    earlier: int
    scrubs: int
    late: int


def group_slips(launches: Iterable[LaunchSlips], kind: Group) -> tuple[GroupSlips, ...]:
    """The slips of each group, the one with the most launches first; launches without a name are left out."""
    groups: dict[str, list[LaunchSlips]] = defaultdict(list)
    for one in launches:
        name = kind.name_of(one)
        if name is not None:
            groups[name].append(one)
    found = [_sum(name, members) for name, members in groups.items()]
    return tuple(sorted(found, key=lambda one: (-one.launches, one.name)))


def _sum(name: str, members: list[LaunchSlips]) -> GroupSlips:
    return GroupSlips(
        name,
        len(members),
        sum(one.later > 0 for one in members),
        sum(one.later for one in members),
        sum(one.total for one in members),
        sum(one.earlier for one in members),
        sum(one.scrubs for one in members),
        sum(one.late for one in members),
    )
