"""Every job ends, every list answers, the daemon goes on and the next job runs, whatever tasks do and however they end.

A long run, with a table: `python -m tests.fuzz --count 20000 --seed 7`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import __main__ as long_run
from tests.fuzz import batch
from tests.fuzz.daemon import RealDaemon
from tests.fuzz.draw import endings, numbered
from tests.fuzz.judge import expected, faults_of, faults_of_log, has_ended

# Hypothesis draws and shrinks batches; a numbered run goes through more endings in less time.
_EXAMPLES, _BATCH, _NUMBERED = 4, 16, 100
_SEED = 1


class Lives:
    """Daemons one after another: a fresh one on a fresh directory after each fault."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self._daemon: RealDaemon | None = None

    def hold(self, some: list[dict[str, Any]], *, process: bool) -> None:
        """Fail if these endings, run together, cause a fault."""
        if self._daemon is None:
            self._count += 1
            self._daemon = RealDaemon(self._directory / str(self._count))
            self._daemon.start()
        faults = batch.run(self._daemon, some, process=process).faults
        if faults:
            self.leave()
        told = "\n".join(f"{fault.kind}: {fault.detail}\n{_told(some, fault.number)}" for fault in faults)
        assert not faults, told

    def leave(self) -> int:
        """Stop the present daemon; returns its exit code."""
        daemon, self._daemon = self._daemon, None
        return 0 if daemon is None else daemon.stop()


def _told(some: list[dict[str, Any]], number: int | None) -> str:
    return "" if number is None else json.dumps(some[number])


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    made = Lives(tmp_path_factory.mktemp("odd"))
    yield made
    made.leave()


@settings(max_examples=_EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(some=st.lists(endings(), min_size=1, max_size=_BATCH))
def test_no_odd_ending_disturbs_other_jobs(lives: Lives, some: list[dict[str, Any]]) -> None:
    lives.hold(some, process=False)


def test_a_daemon_that_has_run_odd_endings_stops_in_good_order(lives: Lives) -> None:
    lives.hold([numbered(_SEED, number) for number in range(_NUMBERED)], process=True)
    assert lives.leave() == 0


@pytest.mark.lab
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_thousands_of_odd_endings(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr("sys.argv", ["odd", "--count", "4000", "--seed", str(seed)])
    assert long_run.main() == 0


# --- the harness itself ---


@given(given=endings())
@settings(max_examples=50, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
def test_an_ending_is_plain_json_in_ascii(given: dict[str, Any]) -> None:
    assert json.loads(json.dumps(given)) == given
    assert json.dumps(given).isascii()


def test_an_ending_has_the_same_number_in_every_run() -> None:
    assert numbered(7, 4711) == numbered(7, 4711) != numbered(7, 4712)


_CALM = {"kind": "thread", "retries": 0, "acts": [], "end": ["return", ["plain", 5]]}


def job(**changes: object) -> dict[str, Any]:
    return {"state": "succeeded", "attempt": 1, "result": 5, "error": None, "reason": None, "progress": None} | changes


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (job(state="running"), "running after every patience"),
        (job(state="queued"), "queued after every patience"),
        (job(result=6), "the result is 6"),
        (job(state="failed"), "failed without an error"),
        (job(state="cancelled"), "cancelled without a reason"),
        (job(reason="x" * 5000), "its reason has 5000 bytes"),
    ],
)
def test_the_judge_finds_faults_of_a_job(wrong: dict[str, Any], says: str) -> None:
    assert faults_of(job(), _CALM, 0) == []
    assert any(says in fault.detail for fault in faults_of(wrong, _CALM, 0))


def test_the_judge_finds_faults_of_a_log() -> None:
    ours = [
        "Traceback (most recent call last):",
        '  File "/x/launchd/engine/attempts/executor.py", line 1, in f',
        "KeyError: 1",
    ]
    theirs = [ours[0], ours[1], '  File "/x/tests/fuzz/acts.py", line 1, in f', "KeyError: 1"]
    said = {"logger": "asyncio", "level": "error", "event": "Exception in callback", "timestamp": "t"}
    assert faults_of_log([*theirs, said | {"exception": "tests/fuzz/loops.py"}]) == []
    assert len(faults_of_log([*ours, said, said | {"logger": "launchd.pool", "event": "odd"}])) == 3


def test_the_judge_knows_when_an_attempt_has_ended() -> None:
    assert has_ended(job())
    assert has_ended(job(state="queued", reason="snoozed"))
    assert expected(_CALM) == {"succeeded"}
    assert expected(_CALM | {"end": ["raise", "ValueError", [], {}, []]}) == {"failed"}
