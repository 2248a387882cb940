"""launchd: one asyncio daemon that schedules, runs and steers the jobs of a space-launch tracker.

Task code imports from here: the decorator `task`, the `Context`, and the exceptions `Retry`, `Snooze` and `Cancel`.
"""

import sys

from launchd.system import startup

startup.begin(sys.orig_argv)

from launchd.task import Cancel, Context, Retry, Snooze, task  # noqa: E402 - the first acts precede slow imports

__all__ = ["Cancel", "Context", "Retry", "Snooze", "__version__", "task"]
__version__ = "0.2.0"
