"""The shapes of Launch Library 2's launches in its versions 2.0.0 to 2.3.0: the fields that the parser needs.

A field without a default is sent by every version, though its value may be null.
"""

import msgspec


class StatusWord(msgspec.Struct):
    """A status. `id` is stable; the words changed over time."""

    id: int
    name: str | None


class PrecisionWord(msgspec.Struct):
    """The precision of `net`."""

    id: int


class Named(msgspec.Struct):
    """A provider, a location or an orbit."""

    name: str | None


class Configuration(msgspec.Struct):
    """The vehicle with its variant."""

    full_name: str | None


class Rocket(msgspec.Struct):
    """The vehicle of one launch."""

    configuration: Configuration | None


class Pad(msgspec.Struct):
    """A pad. Latitude and longitude are text before 2.3.0."""

    name: str | None
    latitude: float | str | None
    longitude: float | str | None
    location: Named | None


class Mission(msgspec.Struct):
    """A mission and its orbit."""

    name: str | None
    orbit: Named | None


class Common(msgspec.Struct):
    """The fields of every mode. Only 2.0.0 and 2.1.0 have `tbddate` and `tbdtime`, only later ones `net_precision`."""

    id: str
    name: str
    net: str | None
    status: StatusWord
    window_start: str | None
    window_end: str | None
    net_precision: PrecisionWord | None = None
    tbddate: bool | None = None
    tbdtime: bool | None = None
    last_updated: str | None = None
    launch_designator: str | msgspec.UnsetType | None = msgspec.UNSET


class Launch(Common, kw_only=True):
    """Modes normal and detailed."""

    launch_service_provider: Named | None
    rocket: Rocket | None
    pad: Pad | None
    mission: Mission | None


_Undecoded = msgspec.Raw | msgspec.UnsetType


class Details(msgspec.Struct):
    """The fields of modes normal and detailed that hold details, undecoded: each is read on its own.

    Only detailed mode has the stages in `rocket`, the links (which 2.3.0 renamed), the updates and the patches.
    """

    rocket: _Undecoded = msgspec.UNSET
    mission: _Undecoded = msgspec.UNSET
    probability: _Undecoded = msgspec.UNSET
    weather_concerns: _Undecoded = msgspec.UNSET
    holdreason: _Undecoded = msgspec.UNSET
    failreason: _Undecoded = msgspec.UNSET
    webcast_live: _Undecoded = msgspec.UNSET
    updates: _Undecoded = msgspec.UNSET
    program: _Undecoded = msgspec.UNSET
    image: _Undecoded = msgspec.UNSET
    infographic: _Undecoded = msgspec.UNSET
    mission_patches: _Undecoded = msgspec.UNSET
    pad_turnaround: _Undecoded = msgspec.UNSET
    vid_urls: _Undecoded = msgspec.UNSET
    info_urls: _Undecoded = msgspec.UNSET
    old_vid_urls: _Undecoded = msgspec.field(name="vidURLs", default=msgspec.UNSET)
    old_info_urls: _Undecoded = msgspec.field(name="infoURLs", default=msgspec.UNSET)


class ListLaunch(Common, kw_only=True):
    """Mode list: plain text where the other modes have objects, and less of it since 2.3.0."""

    lsp_name: str | None = None
    mission: str | None = None
    pad: str | None = None
    location: str | None = None


class Mode(msgspec.Struct):
    """The mode of a record: `response_mode` since 2.3.0; before that, only list mode has an `lsp_name`."""

    response_mode: str | None = None
    lsp_name: str | msgspec.UnsetType | None = msgspec.UNSET

    def is_list(self) -> bool:
        """True if the record is of mode list."""
        return self.response_mode == "list" or self.lsp_name is not msgspec.UNSET
