"""A real daemon survives misbehaving tasks: forks, threads and processes that they leave, calls that end a process."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon_process import Installation, command
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.misbehaving_daemon import alive, answers, lines, place, run, start, until, word
from tests.support.paths import ROOT

__all__ = ["place"]


def files_of(pid: int) -> list[str]:
    """The targets of the descriptors of a process."""
    found = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(one.readlink()))
    return found


# --- forks ---


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("terminate_a_fork", -signal.SIGTERM),
        ("square_in_a_pool", [1, 4, 9]),
        ("log_in_a_fork", 0),
        ("fork_and_return", 0),
        ("fork_and_return_in_a_coroutine", 0),
        ("fork_and_raise", 7),
    ],
)
def test_a_task_that_forks_gets_its_result_and_the_daemon_goes_on(
    place: Installation, name: str, result: object
) -> None:
    with place.running() as daemon:
        for _ in range(3):
            assert (job := run(place, name))["state"] == "succeeded", job
            assert job["result"] == result
        assert daemon.poll() is None
        assert run(place, "return_at_once")["state"] == "succeeded"
    assert daemon.returncode == 0
    assert len(lines(place, "said by a fork")) == (3 if name == "log_in_a_fork" else 0)


def test_code_between_fork_and_exec_has_default_signals(place: Installation) -> None:
    with place.running():
        status = run(place, "run_with_preexec")["result"]
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    (blocked,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")]
    assert (int(caught, 16), int(blocked, 16)) == (0, 0)


def test_a_fork_that_goes_on_keeps_neither_lock_nor_database_nor_socket(place: Installation) -> None:
    with place.running() as daemon:
        run(place, "fork_and_stay", folder=str(place.directory))
        fork = int(word(place.directory / "fork"))
        held = files_of(fork)
        assert any("jobs.db" in one for one in files_of(daemon.pid))
        assert not [one for one in held if str(place.state) in one]
        inodes = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines() if "admin.sock" in line}
        assert inodes
        assert not {f"socket:[{one}]" for one in inodes} & set(held)
        daemon.kill()
        daemon.wait()
        with place.running():  # at once
            until(lambda: not alive(fork))
    assert lines(place, "leftovers_killed")


# --- ends ---


def test_sys_exit_that_reaches_the_daemon_is_logged_and_is_not_exit_code_0(place: Installation) -> None:
    with place.running() as daemon:
        start(place, "exit_the_control_loop")
        daemon.wait(PATIENCE_SECONDS)
    assert daemon.returncode == 70
    (line,) = lines(place, "ended_unasked")
    assert (line["level"], line["error"]) == ("critical", "SystemExit(0)")
    assert line["where"].startswith(str(ROOT / "tests" / "support" / "misbehaving_tasks.py"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("wait_for_a_thread", ["uvloop_0 in sleep"]), ("leave_threads", ["stray in stand", "poolish_0 in stand"])],
)
def test_a_thread_that_nobody_can_end_is_named_and_ends_with_the_daemon(
    place: Installation, name: str, said: list[str]
) -> None:
    with place.running() as daemon:
        start(place, name, folder=str(place.directory))
        word(place.directory / "begun")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE_SECONDS) == 0
    assert lines(place, "stopped")
    (line,) = lines(place, "threads_left")
    for one in said:
        assert any(thread.startswith(one) and ".py:" in thread for thread in line["threads"]), line


@pytest.mark.parametrize("name", ["leave_processes", "leave_a_multiprocess"])
def test_processes_that_tasks_left_are_named_and_end_before_the_daemon_does(place: Installation, name: str) -> None:
    with place.running() as daemon:
        run(place, name, folder=str(place.directory))
        pids = [int(one) for one in word(place.directory / "pids").split()]
        assert all(map(alive, pids))
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE_SECONDS) == 0
    assert not any(map(alive, pids))
    (line,) = lines(place, "leftovers_killed")
    assert {int(one.split()[0]) for one in line["processes"]} == set(pids)


# --- process tasks ---


def test_no_child_of_a_process_task_outlives_its_job(place: Installation) -> None:
    with place.running():
        job = run(place, "breed_and_return", folder=str(place.directory))
        assert job["state"] == "succeeded", job
        assert len(job["result"]) == 4
        assert not any(map(alive, job["result"]))


def test_no_child_of_a_process_task_outlives_a_killed_daemon(place: Installation) -> None:
    with place.running() as daemon:
        start(place, "breed_and_stay", folder=str(place.directory))
        pids = [int(one) for one in word(place.directory / "pids").split()]
        assert len(pids) == 5
        assert all(map(alive, pids))
        daemon.kill()
        daemon.wait()
        until(lambda: not any(map(alive, pids)))  # no other daemon is started


def test_the_next_daemon_ends_the_processes_that_a_killed_daemon_and_its_killed_guard_left(place: Installation) -> None:
    with place.running() as daemon:
        start(place, "breed_and_stay", folder=str(place.directory))
        worker, *pids = [int(one) for one in word(place.directory / "pids").split()]
        (guard,) = [one for one in children(daemon.pid) if "sweep.py" in Path(f"/proc/{one}/cmdline").read_text()]
        os.kill(guard, signal.SIGKILL)
        daemon.kill()
        daemon.wait()
        until(lambda: not alive(worker))
        assert all(map(alive, pids))
        with place.running():  # ready: no job has been taken back before
            assert not any(map(alive, pids))
    assert lines(place, "leftovers_killed")


def test_an_idle_daemon_is_one_process_and_the_guard_ends_with_it(place: Installation) -> None:
    with place.running() as daemon:
        run(place, "return_at_once")
        assert children(daemon.pid) == []
        run(place, "breed_and_return", folder=str(place.directory))
        (guard,) = [one for one in children(daemon.pid) if alive(one)]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE_SECONDS) == 0
    assert not alive(guard)


def children(pid: int) -> list[int]:
    found = []
    for one in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (one / "children").read_text().split()]
    return found


# --- the log ---


def test_a_task_that_closes_standard_error_does_not_move_the_log_elsewhere(place: Installation) -> None:
    with place.running() as daemon:
        run(place, "close_standard_error")
        assert run(place, "return_at_once")["state"] == "succeeded"
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE_SECONDS) == 0
    assert lines(place, "stopped")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "0>&- 1>&- 2>&-", "2>&1 | head -c 1"])
def test_a_daemon_whose_log_goes_nowhere_runs_and_rests(place: Installation, redirection: str) -> None:
    shell = f'{{ echo "$BASHPID" > "$0/pid"; exec "$@"; }} {redirection}'
    words = ["bash", "-c", shell, str(place.directory), *command("run")]
    with subprocess.Popen(words, env=place.environ, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: answers(place))
            pid = int(word(place.directory / "pid"))
            held = files_of(pid)
            assert [one for one in held if one.startswith(str(place.state))]
            for number in range(3):
                assert str(place.state) not in str(Path(f"/proc/{pid}/fd/{number}").readlink())
            for _ in range(3):
                assert run(place, "return_at_once")["state"] == "succeeded"
            os.kill(pid, signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
    assert not alive(pid)
