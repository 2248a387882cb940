"""The upstreams of launch data, one file each."""

from launchd.launches.sources import gcat, launch_library, nasa, rocketlaunch, spacex, spacex_api, wikipedia
from launchd.launches.sources.source import Source

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        launch_library.SOURCE,
        spacex.SOURCE,
        gcat.SOURCE,
        wikipedia.SOURCE,
        rocketlaunch.SOURCE,
        nasa.SOURCE,
        spacex_api.SOURCE,
    )
}
