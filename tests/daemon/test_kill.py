"""The daemon killed a few times under load, in every run of the tests; tests/lab/test_kill.py does it 200 times."""

from pathlib import Path

from tests.lab.checker import check
from tests.lab.torture import Torture, tally

KILLS = 6


async def test_acknowledged_jobs_outlive_a_few_kills_and_none_runs_twice(tmp_path: Path) -> None:
    record = await Torture(tmp_path, seed=1, releases=False).run(KILLS)
    assert check(record) == []
    figures = tally(record)
    assert figures.kills == KILLS
    # it was under load, or the test proves nothing
    assert min(figures.runs, figures.answers, figures.fires) > 50
