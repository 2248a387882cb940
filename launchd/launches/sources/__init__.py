"""The sources of launch data, one module each. `SOURCES` is the only list of them.

To add a source:

1. Write `launchd/launches/sources/NAME.py` with an async `pull`, a pure `parse` and a `SOURCE`; the docstring of
   `source.py` is a complete example. To start from a real one, copy `rocketlaunch.py` (JSON), `nasa.py` (a feed),
   `gcat.py` (tables of text) or `wikipedia.py` (HTML).
2. Add the module to `_MODULES` below.
3. Put a small valid payload into `EXAMPLES` of tests/support/payloads.py. The tests of
   tests/launches/sources/test_hostile_payloads.py then send the parser damaged variants of it. Write
   tests/launches/sources/test_NAME.py: launches that really flew or slipped, and the fields that they must have.

The configuration (`[sources.NAME]`), API, command line, dashboard, health and metrics follow from `SOURCES`.
If the source writes vehicles, providers or pads in words of its own, add them to `launchd/launches/aliases/*.json` and
look at the figures of `make quality`.
"""

from launchd.launches.sources import gcat, launch_library, nasa, rocketlaunch, spacex, spacex_api, wikipedia
from launchd.launches.sources.source import Source

# In the order in which listings and error messages name them.
_MODULES = (launch_library, spacex, gcat, wikipedia, rocketlaunch, nasa, spacex_api)

SOURCES: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in _MODULES}
