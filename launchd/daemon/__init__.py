"""The composition root: the only place that builds things.

`run.py` nests them (start order; its reverse is stop order). `build.py` makes the parts, `start.py` starts them and
`stop.py` ends them; `base.py`, `engine.py` and `oversight.py` each make the parts of one subject. `live.py` applies a
new configuration, `service.py` is the process around it all.
"""

from launchd.daemon.host import HostProcess
from launchd.daemon.run import Daemon, running, try_out

__all__ = ["Daemon", "HostProcess", "running", "try_out"]
