"""The views of the details of a launch: payloads, boosters, webcasts, running notes, pictures."""

from typing import Any

from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.http.view import View
from launchd.launches import details as nouns
from launchd.launches.details import Details, LandingOutcome


class PayloadView(View):
    """A payload. `orbit` may be a destination; `amount` counts pieces of the same kind."""

    name: str
    type: str | None
    mass_kg: float | None
    amount: int | None
    orbit: str | None
    manufacturer: str | None
    customers: tuple[str, ...]


class LandingView(View):
    """The landing of a booster; `outcome` says in one word what `attempt` and `success` mean together."""

    outcome: LandingOutcome
    attempt: bool | None
    success: bool | None
    type: str | None
    place: str | None
    description: str | None
    downrange_km: float | None


class BoosterView(View):
    """A booster; `flight` is the number of its flight on this launch, `turnaround` the time since the flight before."""

    serial: str | None
    role: str | None
    flight: int | None
    reused: bool | None
    previous_flight: Time | None
    turnaround: Seconds | None
    landing: LandingView | None


class CrewMemberView(View):
    """A person on board."""

    name: str
    role: str | None
    agency: str | None


class WebcastView(View):
    """A video of the launch; `language` is the source's own code."""

    url: str
    title: str | None
    publisher: str | None
    kind: str | None
    language: str | None
    start: Time | None
    end: Time | None
    live: bool | None


class UpdateView(View):
    """A running note on the launch."""

    id: str
    at: Time | None
    text: str
    author: str | None
    url: str | None


class PictureView(View):
    """The address of a picture, with credit and licence as the source gives them."""

    url: str
    thumbnail: str | None
    name: str | None
    credit: str | None
    licence: str | None
    licence_url: str | None


class DetailsView(View):
    """The details of a launch; `webcasts` has the best first, `updates` the newest."""

    mission_type: str | None
    mission_description: str | None
    customers: tuple[str, ...]
    payloads: list[PayloadView]
    boosters: list[BoosterView]
    crewed: bool | None
    crew: list[CrewMemberView]
    webcasts: list[WebcastView]
    webcast_live: bool | None
    probability: int | None
    weather_concerns: str | None
    weather: str | None
    hold_reason: str | None
    fail_reason: str | None
    updates: list[UpdateView]
    programmes: tuple[str, ...]
    tags: tuple[str, ...]
    pictures: list[PictureView]
    patches: list[PictureView]
    pad_turnaround: Seconds | None


_payload = mapper(PayloadView, nouns.Payload)
_landing = mapper(LandingView, nouns.Landing)
_booster = mapper(BoosterView, nouns.Booster, "landing")
_member = mapper(CrewMemberView, nouns.CrewMember)
_webcast = mapper(WebcastView, nouns.Webcast)
_update = mapper(UpdateView, nouns.Update)
_picture = mapper(PictureView, nouns.Picture)
_LISTS = ("payloads", "boosters", "crew", "webcasts", "updates", "pictures", "patches", "webcast_live")
_details = mapper(DetailsView, Details, *_LISTS)


def details(one: Details | None) -> DetailsView | None:
    """The details of a launch; None if no source gives any."""
    if one is None:
        return None
    return _details(
        one,
        payloads=[_payload(each) for each in one.payloads],
        boosters=[
            _booster(each, landing=None if each.landing is None else _landing(each.landing)) for each in one.boosters
        ],
        crew=[_member(each) for each in one.crew],
        webcasts=[_webcast(each) for each in one.webcasts],
        updates=[_update(each) for each in one.updates],
        pictures=[_picture(each) for each in one.pictures],
        patches=[_picture(each) for each in one.patches],
        webcast_live=one.is_live(),
    )


def summary(one: Details | None) -> dict[str, Any]:
    """The details that a list of launches shows."""
    found = one or nouns.NOTHING
    return {
        "webcast_url": found.webcasts[0].url if found.webcasts else None,
        "webcast_live": found.is_live(),
        "probability": found.probability,
        "crewed": found.crewed,
    }
