"""Gives tests of the store a job to insert."""

from launchd.job import NewJob

NOW = 1_800_000_000_000_000


def new_job(number: int = 1, **changes: object) -> NewJob:
    """A job that is due at NOW, with these changes."""
    values: dict[str, object] = {
        "id": f"job-{number:04}",
        "task": "echo",
        "queue": "default",
        "args": "{}",
        "priority": 5,
        "max_retries": 3,
        "created_at": NOW,
        "run_at": NOW,
    }
    return NewJob(**(values | changes))  # type: ignore[arg-type] # the names are NewJob's own
