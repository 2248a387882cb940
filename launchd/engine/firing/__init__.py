"""Schedules in force: when they fire, the jobs that they make, and how they follow a wall clock that was set."""
