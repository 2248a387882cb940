"""The details in a launch of the r/SpaceX API, versions 3 to 5: payloads, landings, webcast, patch, reasons."""

from collections.abc import Iterable, Iterator

import msgspec

from launchd.launches import details as nouns
from launchd.launches.details import Booster, Details, Landing, Payload, Picture, Webcast, stated
from launchd.launches.sources import records
from launchd.launches.sources.fields import Fields, decoded, objects
from launchd.launches.validate import Report

_MAX_FLIGHT, _MAX_MASS = 1_000, 1_000_000
_Undecoded = msgspec.Raw | msgspec.UnsetType


class _Parts(msgspec.Struct):
    details: _Undecoded = msgspec.UNSET
    cores: _Undecoded = msgspec.UNSET
    crew: _Undecoded = msgspec.UNSET
    failures: _Undecoded = msgspec.UNSET
    links: _Undecoded = msgspec.UNSET
    rocket: _Undecoded = msgspec.UNSET


def read(raw: msgspec.Raw, payloads: Iterable[msgspec.Raw], key: str, report: Report) -> Details | None:
    """The details of a launch of version 4 or 5, with the entries of its payloads."""
    parts = records.read(raw, _Parts, report) or _Parts()
    listed = [decoded(one, key, "payloads", report) for one in payloads]
    crew = _field("crew", parts.crew, key, "crewed", report).entries("crew")
    return stated(
        msgspec.structs.replace(
            _details(parts, key, report),
            payloads=tuple(_payloads(objects(listed, nouns.MAX_PAYLOADS, key, "payloads", report))),
            boosters=tuple(_cores(_field("cores", parts.cores, key, "boosters", report))),
            crewed=None if crew is None else bool(crew),
        )
    )


def read_old(raw: msgspec.Raw, key: str, report: Report) -> Details | None:
    """The details of a launch of version 3, which holds its cores and payloads itself."""
    parts = records.read(raw, _Parts, report) or _Parts()
    rocket = _field("rocket", parts.rocket, key, "boosters", report).inner("rocket")
    first = rocket.inner("first_stage", "cores") if rocket else None
    second = rocket.part("payloads").inner("second_stage", "payloads") if rocket else None
    return stated(
        msgspec.structs.replace(
            _details(parts, key, report),
            payloads=tuple(_payloads(second.items("payloads", nouns.MAX_PAYLOADS, "payload_id"))) if second else (),
            boosters=tuple(_cores(first)) if first else (),
        )
    )


def _field(name: str, value: msgspec.Raw | msgspec.UnsetType, key: str, part: str, report: Report) -> Fields:
    return Fields({name: decoded(value, key, part, report)}, key, part, report)


def _details(parts: _Parts, key: str, report: Report) -> Details:
    text = _field("details", parts.details, key, "mission_description", report)
    failures = _field("failures", parts.failures, key, "fail_reason", report).items("failures", nouns.MAX_NAMES)
    reasons = [reason for one in failures if (reason := one.text("reason"))]
    links = _field("links", parts.links, key, "webcasts", report).inner("links")
    webcast = (links.url("webcast") or links.url("video_link")) if links else None
    return Details(
        mission_description=text.text("details", longest=nouns.MAX_DESCRIPTION),
        webcasts=(Webcast(url=webcast),) if webcast else (),
        fail_reason="; ".join(reasons)[: nouns.MAX_NOTE].strip() or None,
        patches=tuple(_patches(links.part("patches"))) if links else (),
    )


def _payloads(entries: Iterable[Fields]) -> Iterator[Payload]:
    for one in entries:
        name = one.text("name", "payload_id")
        if name is None:
            continue
        makers = one.texts("manufacturers", nouns.MAX_NAMES)
        yield Payload(
            name=name,
            type=one.text("type", "payload_type"),
            mass_kg=(one.number("mass_kg", 0, _MAX_MASS) or one.number("payload_mass_kg", 0, _MAX_MASS)) or None,
            orbit=one.text("orbit"),
            manufacturer=", ".join(makers)[:300] or one.text("manufacturer"),
            customers=one.texts("customers", nouns.MAX_NAMES),
        )


def _cores(stage: Fields) -> Iterator[Booster]:
    """The cores that are known. Version 4 and 5 name a core by an id of their own, which is no serial number."""
    for one in stage.items("cores", nouns.MAX_BOOSTERS):
        attempt, success = one.flag("landing_attempt"), one.flag("landing_success")
        if one.has("landing_intent"):
            attempt, success = one.flag("landing_intent"), one.flag("land_success")
        kind, place = one.text("landing_type"), one.text("landing_vehicle")
        landing = Landing(attempt=attempt, success=success, type=kind, place=place)
        booster = Booster(
            serial=one.text("core_serial"),
            flight=one.whole("flight", 1, _MAX_FLIGHT),
            reused=one.flag("reused"),
            landing=None if landing == Landing() else landing,
        )
        if booster != Booster():
            yield booster


def _patches(links: Fields) -> Iterator[Picture]:
    """The patch of the mission: an object with two sizes since version 4."""
    if links.has("mission_patch"):
        large, small = links.url("mission_patch"), links.url("mission_patch_small")
    else:
        patch = links.inner("patch")
        large, small = (patch.url("large"), patch.url("small")) if patch else (None, None)
    url = large or small
    if url is not None:
        yield Picture(url=url, thumbnail=small)
