"""The upstreams of launch data, one file each."""

from launchd.launches.sources import gcat, launch_library, rocketlaunch, spacex, spacex_api
from launchd.launches.sources.source import Source

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (launch_library.SOURCE, spacex.SOURCE, gcat.SOURCE, rocketlaunch.SOURCE, spacex_api.SOURCE)
}
