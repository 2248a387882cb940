"""launchd: one asyncio daemon that schedules, runs and steers the jobs of a space-launch tracker.

What task code needs is here: the decorator, what a task is given, and the three verdicts it may raise.
"""

from launchd.task import Cancel, Context, Retry, Snooze, task

__all__ = ["Cancel", "Context", "Retry", "Snooze", "__version__", "task"]
__version__ = "0.1.0"
