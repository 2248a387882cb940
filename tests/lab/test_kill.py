"""The daemon is killed 200 times under load: no acknowledged job is lost, and none runs twice at once."""

import os
from pathlib import Path

import pytest

from tests.lab.checker import check
from tests.lab.torture import Torture, tally

pytestmark = pytest.mark.lab

KILLS = int(os.environ.get("LAB_KILLS", "200"))
SEED = int(os.environ.get("LAB_SEED", "1"))


async def test_acknowledged_jobs_outlive_every_kill_and_no_job_runs_twice_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = await Torture(tmp_path, SEED).run(KILLS)
    with capsys.disabled():
        print(f"\nseed {SEED}: {tally(record)}")  # noqa: T201 - the figures are what one runs this for
    faults = check(record)
    assert not faults, f"seed {SEED}, {tmp_path}:\n" + "\n".join(f"{fault.kind}: {fault.detail}" for fault in faults)
