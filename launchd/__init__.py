"""launchd: one asyncio daemon that schedules, runs and steers the jobs of a space-launch tracker.

What task code needs is here: the decorator, what a task is given, and the three verdicts it may raise.
"""

import sys

from launchd.system import startup

startup.begin(sys.orig_argv)

from launchd.task import Cancel, Context, Retry, Snooze, task  # noqa: E402 - a daemon's first acts come before imports that take time

__all__ = ["Cancel", "Context", "Retry", "Snooze", "__version__", "task"]
__version__ = "0.2.0"
