"""The composition root: the only place that builds things.

`run.py` nests them (start order; its reverse is stop order), `build.py` makes the engine's parts in order of need,
`stop.py` ends them, `outside.py` joins what the engine does not know: launch data, the lock server, the configuration.
"""

from launchd.daemon.outside import Host
from launchd.daemon.run import Daemon, running, try_out

__all__ = ["Daemon", "Host", "running", "try_out"]
