"""The upstreams of launch data, one file each."""

from launchd.launches.sources import gcat, launch_library, nasa, wikipedia
from launchd.launches.sources.source import Source

SOURCES: dict[str, Source] = {
    source.name: source for source in (launch_library.SOURCE, gcat.SOURCE, wikipedia.SOURCE, nasa.SOURCE)
}
