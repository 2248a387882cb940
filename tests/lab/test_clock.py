"""The real daemon under a real wall clock that is set while it runs and while it is stopped (libfaketime)."""

import importlib.util
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon_process import Installation
from tests.support.hosted_daemon import PATIENCE_SECONDS

pytestmark = pytest.mark.lab

YEARS = 10 * 365 * 86400
SCHEDULE = """
[schedules.often]
task = "greet"
every = "1s"
overlap = "allow"
"""


class WrongClock:
    """An installation whose daemon sees the wall clock ahead; monotonic and boot time are those of the machine."""

    def __init__(self, directory: Path) -> None:
        self.installed = Installation(directory, SCHEDULE)
        self._offset = directory / "offset"
        found = importlib.util.find_spec("libfaketime")
        assert found is not None, "pip install libfaketime, as the extra `lab` does"
        assert found.origin is not None, found
        self.installed.environ |= {
            "LD_PRELOAD": str(Path(found.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the daemon's wall clock this far ahead of the machine's."""
        written = self._offset.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n", "ascii")
        written.replace(self._offset)

    def fires(self) -> list[dict[str, Any]]:
        """The ledger of the schedule, newest first."""
        found: list[dict[str, Any]] = self.installed.client.request("GET", "/v1/schedules/often/fires", limit=1000)[
            "items"
        ]
        return found

    def until_fired(self, after: str, before: str) -> float:
        """Wait for a fire between two times in RFC 3339; returns the seconds that it took."""
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE_SECONDS:
            if any(row["outcome"] == "fired" and after < row["fire_time"] < before for row in self.fires()):
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError(f"nothing fired between {after} and {before}: {self.fires()[:5]}")

    def delayed(self) -> str:
        """Trigger a job that is due in five seconds; returns its id."""
        body = {"delay": 5}
        return str(self.installed.client.request("POST", "/v1/tasks/greet/trigger", body=body, accept=(202,))["id"])

    def ended(self, job: str) -> str:
        """Wait for a job; the state that it ended in."""
        return str(self.installed.client.request("GET", f"/v1/jobs/{job}", wait=PATIENCE_SECONDS)["state"])

    def reasons(self) -> str:
        """All reasons in the ledger."""
        return " | ".join(row["reason"] or "" for row in self.fires())


@pytest.fixture
def wrong(tmp_path: Path) -> WrongClock:
    return WrongClock(tmp_path)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def in_years(years: int) -> str:
    return f"{time.gmtime().tm_year + years}-01-01T00:00:00Z"


def test_a_daemon_that_was_stopped_ten_years_ahead_fires_at_once_when_the_clock_is_right(wrong: WrongClock) -> None:
    wrong.set(YEARS)
    with wrong.installed.running():
        wrong.until_fired(in_years(5), in_years(20))
        job = wrong.delayed()
    wrong.set(0)
    with wrong.installed.running():
        assert wrong.until_fired(now(), in_years(5)) < PATIENCE_SECONDS
        assert "the clock was put back" in wrong.reasons()
        assert wrong.ended(job) == "succeeded"


def test_a_clock_that_is_put_right_while_the_daemon_runs_is_noticed(wrong: WrongClock) -> None:
    wrong.set(YEARS)
    with wrong.installed.running():
        wrong.until_fired(in_years(5), in_years(20))
        job = wrong.delayed()
        wrong.set(0)
        wrong.until_fired(now(), in_years(5))
        assert "the clock was put back" in wrong.reasons()
        assert wrong.ended(job) == "succeeded"
        assert "clock_corrected" in (wrong.installed.directory / "daemon.log").read_text("utf-8")
