"""The command line against a real daemon in a process of its own: output for people, JSON, exit codes."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from launchd import __version__
from launchd.cli import cli
from tests.support.daemon_process import Installation, command
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.paths import ROOT

NIGHTLY = """
[queues.slow]
concurrency = 1
[schedules.nightly]
task = "greet"
cron = "0 3 * * *"
[schedules.friday_the_13th]
task = "greet"
cron = "0 9 13 * fri"
day_match = "and"
"""
# More than a page of the API has where nobody asks for more.
NIGHTLY += "".join(f'[schedules.spare_{number}]\ntask = "greet"\ncron = "0 0 1 1 *"\n' for number in range(60))
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One daemon for all tests here: each test makes the jobs that it needs."""
    made = Installation(tmp_path_factory.mktemp("cli"), NIGHTLY)
    with made.running():
        yield made


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A configuration without a running daemon."""
    return Installation(tmp_path_factory.mktemp("idle"), "")


@contextmanager
def lingering(installation: Installation, tmp_path: Path) -> Iterator[str]:
    """The id of a job that runs and holds its lock until `go`; it has ended when the block is left, in any way."""
    job_id = str(installation.json("trigger", "linger", f"until={tmp_path}/go", "--queue", "slow")["id"])
    try:
        _until_begun(installation, job_id)
        yield job_id
    finally:
        go(tmp_path)
        ended = installation.client.request("GET", f"/v1/jobs/{job_id}", wait=PATIENCE_SECONDS / 2)
        if ended["finished_at"] is None:  # it never began: the next test must not wait for it
            installation.client.request("POST", f"/v1/jobs/{job_id}/cancel", body={"terminate": True})


def _until_begun(installation: Installation, job_id: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (job := installation.client.request("GET", f"/v1/jobs/{job_id}"))["progress"] is None:
        assert job["state"] in {"queued", "running"}, f"the job has ended: {job}"
        assert time.monotonic() < deadline, f"the job has not begun: {job['waiting_on']}"
        time.sleep(0.01)


def go(tmp_path: Path) -> None:
    (tmp_path / "go").touch()


# --- inspect ---


def test_status_says_version_and_pid_and_shows_queues_and_next_fires(installation: Installation) -> None:
    view = installation.json("status")
    text = installation.text("status")
    assert text.startswith(f"launchd {__version__}, pid {view['pid']}, up ")
    assert re.search(r"^slow +1 +0 +0", text, re.MULTILINE)
    assert re.search(r"^nightly +\d{4}-\d\d-\d\dT03:00:00Z$", text, re.MULTILINE)
    assert {queue["name"] for queue in view["queues"]} == {"default", "scraping", "monitoring", "slow"}


def test_health_names_every_check(installation: Installation) -> None:
    view = installation.json("health")
    text = installation.text("health")
    assert text.splitlines()[0] == view["status"]
    assert all(re.search(rf"^{name} ", text, re.MULTILINE) for name in view["checks"])
    assert {"database", "disk"} <= view["checks"].keys()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["tasks"], "greet"),
        (["queues"], "slow"),
        (["schedules"], "nightly"),
        (["sources"], "gcat"),
    ],
)
def test_lists_are_tables_for_people_and_pages_for_programs(
    installation: Installation, words: list[str], named: str
) -> None:
    page = installation.json(*words)
    lines = installation.text(*words).splitlines()
    assert named in {one["name"] for one in page["items"]}
    assert [line.split()[0] for line in lines] == ["name", *(one["name"] for one in page["items"])]


@pytest.mark.parametrize("words", [["locks"], ["launches"], ["conflicts"], ["fires", "nightly"]])
def test_a_list_of_nothing_says_so(installation: Installation, words: list[str]) -> None:
    assert installation.text(*words) == "(none)\n"
    assert installation.json(*words) == {"items": [], "next": None}


def test_a_preview_explains_an_expression_with_times_in_utc_and_local_time(installation: Installation) -> None:
    words = ["preview", "30 2 29 3 *", "--timezone", "Europe/Berlin", "--after", "2026-01-01T00:00:00Z", "--count", "1"]
    assert installation.json(*words)["fires"] == [{"utc": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00"}]
    assert "2026-03-29T03:00:00+02:00" in installation.text(*words)
    skipped = installation.json(*words, "--dst-gap", "skip")["fires"]
    assert skipped == [{"utc": "2027-03-29T00:30:00Z", "local": "2027-03-29T02:30:00+02:00"}]
    fold = ["preview", "30 2 25 10 *", "--timezone", "Europe/Berlin", "--after", "2026-01-01T00:00:00Z", "--count", "2"]
    both = installation.json(*fold, "--dst-fold", "both")["fires"]
    assert [one["utc"] for one in both] == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


def test_a_preview_takes_day_match(installation: Installation) -> None:
    words = ["preview", "0 0 13 * fri", "--after", "2027-01-01T00:00:00Z", "--count", "1", "--day-match", "and"]
    assert installation.text(*words).startswith("At 00:00, on day 13 of the month, but only on Friday\n")
    assert [one["utc"] for one in installation.json(*words)["fires"]] == ["2027-08-13T00:00:00Z"]


def test_a_schedule_shows_that_both_days_must_match(installation: Installation) -> None:
    shown = installation.client.request("GET", "/v1/schedules/friday_the_13th")
    assert (shown["day_match"], shown["next"][0][8:10]) == ("and", "13")
    assert "but only on Friday" in installation.text("schedules")
    assert installation.client.request("GET", "/v1/schedules/nightly")["day_match"] == "or"


def test_warnings_of_a_preview_go_to_standard_error(installation: Installation) -> None:
    words = ["preview", "0 0 13 * 5"]
    assert "warning:" in installation.launchd(*words).stderr
    assert installation.json(*words)["warnings"]


def test_the_log_lines_of_a_job_are_found_by_its_id(installation: Installation, tmp_path: Path) -> None:
    with lingering(installation, tmp_path) as job_id:
        go(tmp_path)
        text = installation.text("job", job_id, "--wait", "--logs")
        assert re.search(rf"^\S+Z info +lingering .*until={tmp_path}/go", text, re.MULTILINE)
        lines = installation.json("job", job_id, "--logs")["items"]
        assert [line["fields"]["until"] for line in lines if line["event"] == "lingering"] == [f"{tmp_path}/go"]


def test_a_traceback_is_shown_as_python_shows_it(installation: Installation) -> None:
    job = installation.json("trigger", "stumble", "why=a stone", "--wait", code=1)
    text = installation.text("job", job["id"])
    assert re.search(r"^error +ValueError: a stone$", text, re.MULTILINE)
    assert text.endswith("    raise ValueError(why)\nValueError: a stone\n")
    logged = installation.text("job", job["id"], "--logs")
    assert re.search(r"job_failed .*error=ValueError: a stone\nTraceback \(most recent call last\):\n", logged)


def test_an_error_has_its_severity_if_standard_error_is_the_journal(idle: Installation) -> None:
    read_end, write_end = os.pipe()
    stat = os.fstat(write_end)
    environ = idle.environ | {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}
    with os.fdopen(read_end) as reader, os.fdopen(write_end, "w") as journal:
        subprocess.run(command("status"), env=environ, stderr=journal, check=False)
        journal.close()
        lines = reader.read().splitlines()
    assert lines
    assert all(line.startswith("<3>") for line in lines)
    assert "<3>" not in idle.launchd("status", code=3).stderr


def test_statistics_show_each_task_queue_and_lock(installation: Installation, tmp_path: Path) -> None:
    with lingering(installation, tmp_path) as job_id:
        go(tmp_path)
        installation.json("job", job_id, "--wait")
        installation.launchd("trigger", "stumble", "--wait", code=1)
        view = installation.json("stats", "--window", "1h")
        (stumbled,) = (one for one in view["tasks"] if one["name"] == "stumble")
        assert (stumbled["runs"], stumbled["failures"], stumbled["success_rate"]) == (stumbled["failures"],) * 2 + (
            0.0,
        )
        text = installation.text("stats")
        assert re.search(r"^stumble +\d+ +\d+ +0\.0% ", text, re.MULTILINE)
        assert re.search(r"^slow +\d+ .* [\d.]+ (ms|s|min) .*%$", text, re.MULTILINE)
        assert re.search(r"^errand_lock +\d+ +0 ", text, re.MULTILINE)


# --- control ---


def test_a_job_is_triggered_waited_for_and_read(installation: Installation) -> None:
    made = installation.json("trigger", "greet", "name=Ada")
    ended = installation.json("job", made["id"], "--wait")
    assert (ended["state"], ended["result"], ended["args"]) == ("succeeded", "hello Ada", {"name": "Ada"})
    assert re.search(r"^result +hello Ada$", installation.text("job", made["id"]), re.MULTILINE)
    listed = installation.text("jobs", "--task", "greet", "--state", "succeeded")
    assert made["id"] in listed
    assert "hello" in installation.text("trigger", "greet", "--wait")


def test_a_value_that_is_not_json_is_text(installation: Installation) -> None:
    assert installation.json("trigger", "greet", "name=[1")["args"] == {"name": "[1"}
    refused = installation.launchd("trigger", "greet", "name=7", code=1)
    assert "name" in refused.stderr
    assert refused.stdout == ""


def test_waiting_for_a_job_that_fails_exits_with_1_and_says_why(installation: Installation) -> None:
    done = installation.launchd("trigger", "stumble", "why=a root", "--wait", code=1)
    assert "a root" in done.stdout
    assert "a root" in installation.text("jobs", "--task", "stumble", "--state", "failed", "--limit", "1")
    job_id = str(installation.json("jobs", "--task", "stumble", "--limit", "1")["items"][0]["id"])
    assert f"{job_id}: failed: " in installation.launchd("job", job_id, "--wait", code=1).stderr
    assert installation.json("job", job_id, "--wait", code=1)["state"] == "failed"
    assert installation.launchd("retry", job_id).stdout == f"{job_id}  stumble  queued\n"
    told = [one["event"] for one in installation.json("job", job_id)["history"]]
    assert told[:4] == ["created", "started", "failed", "requeued"]
    text = installation.text("job", job_id)
    assert re.search(r"^error +ValueError: a root$", text, re.MULTILINE)
    assert re.search(r"^[\d-]+ [\d:]+\.\d{3} +failed +ValueError: a root$", text, re.MULTILINE)
    assert text.endswith("    raise ValueError(why)\nValueError: a root\n")  # line by line, at the end


def test_a_running_job_shows_its_stack_and_its_progress_live(installation: Installation, tmp_path: Path) -> None:
    with lingering(installation, tmp_path) as job_id:
        assert "linger" in installation.text("job", job_id, "--stack")
        assert "file_tasks.py" in installation.json("job", job_id, "--stack")["stack"]
        assert re.search(rf"^errand_lock +{job_id} ", installation.text("locks"), re.MULTILINE)
        assert re.search(r"^progress +1 of 2: begun$", installation.text("job", job_id), re.MULTILINE)
        with subprocess.Popen(
            command("job", job_id, "--wait"), env=installation.environ, stdout=subprocess.PIPE, text=True
        ) as waiting:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "begun\n"
            go(tmp_path)
            rest = waiting.stdout.read()
        assert waiting.returncode == 0
        assert re.search(r"^result +waited$", rest, re.MULTILINE)


def test_a_running_job_is_cancelled_and_its_lock_is_free(installation: Installation, tmp_path: Path) -> None:
    with lingering(installation, tmp_path) as job_id:
        asked = installation.json("cancel-task", job_id, "--reason", "enough")
        assert asked["cancel_requested"] == "cancel"
        ended = installation.json("job", job_id, "--wait", code=1)
        assert (ended["state"], ended["reason"]) == ("cancelled", "enough")
        assert installation.json("locks")["items"] == []


def test_a_lock_is_released(installation: Installation, tmp_path: Path) -> None:
    with lingering(installation, tmp_path) as job_id:
        view = installation.json("release-lock", "errand_lock", "--reason", "stuck")
        assert (view["name"], view["job_id"], view["released"]) == ("errand_lock", job_id, True)
        installation.json("cancel-task", job_id)
        go(tmp_path)


def test_queues_and_schedules_are_paused_resumed_and_resized(installation: Installation) -> None:
    assert installation.text("pause", "slow", "--note", "repair") == "queue slow: paused\n"
    assert re.search(r"^slow .* yes +repair$", installation.text("queues"), re.MULTILINE)
    assert installation.text("resume", "slow") == "queue slow: resumed\n"
    assert installation.text("pause", "nightly") == "schedule nightly: paused\n"
    assert installation.json("resume", "nightly")["paused"] is False
    resized = installation.json("resize", "slow", "--concurrency", "3", "--rate", "30/m")
    assert (resized["concurrency"], resized["rate"]) == (3, "30/m")
    assert re.search(r"^slow +2 +30/m", installation.text("resize", "slow", "--concurrency", "2"), re.MULTILINE)


def test_a_backfill_makes_a_job_for_each_past_fire_and_the_ledger_has_them(installation: Installation) -> None:
    span = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-03T23:00:00Z"]
    done = installation.launchd("backfill", "nightly", *span)
    ids = done.stdout.split()
    assert len(ids) == 3
    assert "3 jobs created" in done.stderr
    ledger = installation.json("fires", "nightly")["items"]
    assert {one["job_id"] for one in ledger if one["outcome"] == "backfilled"} == set(ids)
    assert installation.json("backfill", "nightly", *span)["ids"] == []
    assert "backfilled" in installation.text("fires", "nightly", "--limit", "1")


def test_a_refresh_of_an_unreachable_source_fails_and_names_it(installation: Installation) -> None:
    assert UUID.match(installation.text("refresh", "--sources", "nasa_tv,gcat", code=1)) is None
    replayed = installation.launchd("replay", "gcat", code=1)
    assert "refresh it first" in replayed.stderr


# --- errors ---


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trigger", "greets"], "did you mean greet?"),
        (["pause", "slwo"], "did you mean slow?"),
        (["resize", "slo", "--concurrency", "2"], "did you mean slow?"),
        (["backfill", "nightl", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z"], "mean nightly?"),
        (["backfill", "nightly", "--from", "yesterday", "--to", "today"], "2026-01-31T06:00:00Z"),
        (["refresh", "--sources", "nasa_tv"], "known: launch_library"),
        (["release-lock", "nothing"], "nobody holds a lock nothing"),
        (["job", "none"], "none"),
        (["preview", "61 * * * *"], "61"),
        (["preview", "* * * * *", "--timezone", "Mars/Base"], "Mars/Base"),
    ],
)
def test_a_refusal_exits_with_1_and_says_what_is_allowed(
    installation: Installation, words: list[str], told: str
) -> None:
    plain = installation.launchd(*words, code=1)
    assert plain.stderr.startswith("launchd: ")
    assert told in plain.stderr
    assert plain.stdout == ""
    refused = installation.launchd(*words, "--json", code=1)
    assert told in json.loads(refused.stderr)["detail"]
    assert refused.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["trigger"],
        ["trigger", "greet", "name"],
        ["resize", "slow"],
        ["launches", "--upcoming", "--past"],
        ["job", "x", "--logs", "--stack"],
        ["jobs", "--limit", "0"],
        ["jobs", "--state", "lost"],
        ["run", "--no-scheduler", "--scheduler-only"],
        ["restore", "/nowhere/at/all"],
    ],
)
def test_wrong_usage_exits_with_2(idle: Installation, words: list[str]) -> None:
    done = idle.launchd(*words, code=2)
    assert done.stdout == ""
    assert "Usage: launchd" in done.stderr or "Error" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["launches", "--provider", "x\udcff"],
        ["launches", "--search", "\udc80"],
        ["next", "--place", "x\udcff"],
        ["job", "x\udcff"],
        ["pause", "x\udcff", "--note", "y"],
        ["trigger", "greet", "name=x\udcff"],
        ["feeds", "add", "x\udcff"],
    ],
    ids=lambda words: words[0],
)
def test_an_argument_that_is_not_utf_8_is_refused_in_words(installation: Installation, words: list[str]) -> None:
    """The shell hands over any bytes; Python reads those that are not UTF-8 as lone surrogates."""
    done = installation.launchd(*words, code=1)
    assert done.stdout == ""
    assert "not UTF-8 text" in done.stderr


NEED_A_DAEMON = [
    *(["status"], ["health"], ["stats"], ["jobs"], ["job", "x"], ["tasks"], ["queues"], ["schedules"], ["locks"]),
    *(
        ["fires", "x"],
        ["preview", "* * * * *"],
        ["monitor"],
        ["dashboard"],
        ["alerts"],
        ["refresh"],
        ["replay", "gcat"],
    ),
    *(["trigger", "greet"], ["cancel-task", "x"], ["retry", "x"], ["pause", "x"], ["resume", "x"]),
    *(["resize", "x", "--rate", "1/s"], ["backfill", "x", "--from", "a", "--to", "b"], ["release-lock", "x"]),
    *(
        ["next"],
        ["launches"],
        ["feeds"],
        ["launch", "x"],
        ["sources"],
        ["conflicts"],
        ["slips"],
        ["scorecards"],
        ["override", "x", "a=b"],
        ["take-back", "x"],
    ),
    ["backup", "x.tar.gz"],
]


@pytest.mark.parametrize("words", NEED_A_DAEMON, ids=lambda words: words[0])
def test_without_a_daemon_a_command_exits_with_3_and_says_how_to_start_one(
    idle: Installation, words: list[str]
) -> None:
    plain = idle.launchd(*words, code=3)
    assert f"there is no socket {idle.socket}" in plain.stderr
    assert "launchd run" in plain.stderr
    assert plain.stdout == ""
    assert not list(idle.directory.glob("*x.tar.gz*"))


def test_every_command_that_needs_a_daemon_is_tried_without_one() -> None:
    here = {"run", "check", "demo", "completion", "restore"}
    assert {words[0] for words in NEED_A_DAEMON} == set(cli.commands) - here


def test_the_socket_of_a_daemon_that_has_ended_has_an_error_of_its_own(idle: Installation, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left.sock"))
    done = idle.launchd("--socket", str(tmp_path / "left.sock"), "status", code=3)
    assert "no daemon listens" in done.stderr


def test_a_user_without_access_gets_the_group_that_has_it() -> None:
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as served:
        Path(name).chmod(0o755)
        path = Path(name) / "admin.sock"
        served.bind(str(path))
        served.listen()
        path.chmod(0o660 if os.geteuid() == 0 else 0o060)
        done = subprocess.run(
            [sys.executable, "-c", _REQUEST_AS_NOBODY, str(path)], capture_output=True, text=True, cwd=ROOT, check=False
        )
    assert "may not use" in done.stdout
    assert "usermod -aG" in done.stdout or "in its group" in done.stdout


_REQUEST_AS_NOBODY = """
import os, sys
from pathlib import Path
from launchd.admin.client import AdminClient
from launchd.errors import UnreachableError
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
try:
    AdminClient(Path(sys.argv[1])).request("GET", "/v1/status")
except UnreachableError as error:
    print(error.detail)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as somebody else")
def test_an_operator_gets_a_hint_on_commands_for_admins() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        open_to_all = Installation(Path(name), "")
        with open_to_all.running():
            group = open_to_all.socket.stat().st_gid
            words = ["--socket", str(open_to_all.socket), "backup", "/tmp/never.tar.gz"]
            done = subprocess.run(
                [sys.executable, "-c", _RUN_AS_MEMBER, str(group), *words],
                env=open_to_all.environ,
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
    assert done.returncode == 1
    assert "this needs an admin" in done.stderr
    assert "sudo launchd" in done.stderr
    assert not Path("/tmp/never.tar.gz").exists()


# everything is imported before: the interpreter may lie where nobody else may read
_RUN_AS_MEMBER = """
import os, sys
import launchd.backup.backup
from launchd.cli import main
group = int(sys.argv.pop(1))
os.setgroups([])
os.setresgid(group, group, group)
os.setresuid(65534, 65534, 65534)
main()
"""


def test_a_name_beyond_the_first_page_of_a_list_is_known(installation: Installation) -> None:
    assert installation.text("pause", "spare_59") == "schedule spare_59: paused\n"
    paused = {one["name"] for one in installation.json("schedules")["items"] if one["paused"]}
    assert paused == {"spare_59"}
    assert "spare_59" in installation.text("schedules")
    installation.launchd("resume", "spare_59")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["job", "none"], "`launchd jobs` lists them"),
        (["launch", "none"], "`launchd launches` lists them"),
        (["release-lock", "none"], "`launchd locks` lists those that are held"),
        (["pause", "nightyl"], "did you mean nightly?"),
        (["resize", "slwo", "--concurrency", "2"], "did you mean slow?"),
        (["backfill", "nightyl", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"], "nightly?"),
        (["jobs", "--since", "yesterday"], "is not a time such as"),
        (["launches", "--status", "odd"], "expected one of cancelled, failure, go"),
    ],
)
def test_a_refusal_says_what_to_do_next(installation: Installation, words: list[str], says: str) -> None:
    assert says in installation.launchd(*words, code=1).stderr


def test_a_misspelt_command_gets_the_nearest_one(idle: Installation) -> None:
    assert "no command helth; did you mean health?" in idle.launchd("helth", code=2).stderr


def test_a_file_that_is_not_a_socket_has_an_error_of_its_own(idle: Installation) -> None:
    assert "is not a socket" in idle.launchd("status", "--socket", str(idle.config), code=3).stderr


def test_a_list_with_more_rows_says_so_on_standard_error(installation: Installation) -> None:
    for _ in range(2):
        installation.json("trigger", "greet")
    done = installation.launchd("jobs", "--limit", "1")
    assert len(done.stdout.splitlines()) == 2
    assert "--limit takes up to 1000" in done.stderr


def test_the_json_of_a_refusal_has_its_code(installation: Installation) -> None:
    refused = installation.launchd("job", "none", "--json", code=1)
    assert json.loads(refused.stderr)["code"] == "not_found"


def test_control_characters_in_values_never_reach_the_terminal(installation: Installation) -> None:
    made = installation.json("trigger", "echo", "value=\x1b]0;owned\x07\x1b[2J")
    installation.json("job", made["id"], "--wait")
    text = installation.text("job", made["id"])
    assert "\x1b" not in text
    assert "owned" in text


# --- without a daemon ---


def test_check_reports_every_error_with_its_table_and_key(idle: Installation, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('[queues.default]\nconcurrency = 0\n[daemon]\nlog_levle = "info"\n', "utf-8")
    plain = idle.launchd("check", "--config", str(broken), code=1)
    assert "[queues.default] concurrency" in plain.stderr
    assert "did you mean log_level?" in plain.stderr
    view = json.loads(idle.launchd("check", "--config", str(broken), "--json", code=1).stdout)
    assert view["valid"] is False
    assert {one["path"] for one in view["errors"]} == {"queues.default.concurrency", "daemon.log_levle"}
    assert idle.json("check")["valid"] is True


def test_a_second_daemon_on_a_directory_is_refused_with_the_pid_of_the_first(installation: Installation) -> None:
    done = installation.launchd("run", code=1)
    pid = installation.json("status")["pid"]
    assert f"in use by launchd with pid {pid}" in done.stderr


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o"), ("zsh", "#compdef launchd"), ("fish", "complete")]
)
def test_completion_prints_the_script_of_the_shell(idle: Installation, shell: str, word: str) -> None:
    script = idle.text("completion", shell)
    assert word in script
    assert "_LAUNCHD_COMPLETE" in script


def test_words_are_completed(idle: Installation) -> None:
    done = idle.launchd(_LAUNCHD_COMPLETE="bash_complete", COMP_WORDS="launchd re", COMP_CWORD="1")
    completed = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert completed == {"refresh", "replay", "resize", "restore", "resume", "retry", "release-lock"}


def test_the_demonstration_runs_to_its_end(tmp_path: Path) -> None:
    idle = Installation(tmp_path, "")
    text = idle.text("demo")
    assert "slipped once" in text
    assert "gcat, launch_library" in text
    assert any(line.startswith("disk") for line in text.splitlines())


def test_the_command_line_starts_without_the_engine() -> None:
    heavy = {"aiohttp", "structlog", "rich", "sqlite3", "croniter", "launchd.config", "launchd.daemon"}
    probe = f"import sys, launchd.cli; print(sorted({heavy} & set(sys.modules)))"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it uses sqlite3
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


# --- the table of commands ---


def documented() -> dict[str, set[str]]:
    """The commands in the table of command-line.md, each with the options that it names there."""
    section = (ROOT / "etc" / "docs" / "command-line.md").read_text("utf-8")
    found: dict[str, set[str]] = {}
    for row in re.findall(r"^\| (`.*?) \| .* \|$", section, re.MULTILINE):
        for words in re.findall(r"`([^`]+)`", row):
            name, _, rest = words.removeprefix("launchd ").partition(" ")
            found.setdefault(name, set()).update(re.findall(r"--[a-z-]+", rest))
    return found


def test_the_table_names_every_command_that_help_lists_and_no_other(idle: Installation) -> None:
    listed = set(re.findall(r"^  ([a-z][a-z-]+)  ", idle.text("--help"), re.MULTILINE))
    assert set(documented()) == listed == set(cli.commands)


def test_each_option_that_the_table_names_exists() -> None:
    for name, options in documented().items():
        command = cli.commands[name]
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        known: set[Any] = {option for one in (command, *inner) for parameter in one.params for option in parameter.opts}
        assert options <= known, name
