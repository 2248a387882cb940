"""Gives a test a box: this machine's own systemd, booted as PID 1 over a temporary overlay of `/`, without a network.

All changes in a box are gone with it. Needs root, systemd, and control groups of version 1 (hybrid).
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
BOOT = Path(__file__).parent / "boot.sh"
PATIENCE_SECONDS = 60.0
_ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb", "SYSTEMD_PAGER": "", "LANG": "C.UTF-8"}


def missing() -> str | None:
    """The reason why no box can be booted here; None if one can."""
    if os.geteuid() != 0:
        return "booting systemd needs root"
    if not (GROUPS / "systemd").is_dir() or not (GROUPS / "unified").is_dir():
        return "booting systemd in a box needs the hybrid control groups"
    wanted = ("/lib/systemd/systemd", shutil.which("unshare"), shutil.which("nsenter"), shutil.which("setpriv"))
    return None if all(path and Path(path).exists() for path in wanted) else "systemd or util-linux is not installed"


class Box:
    """A booted box. `leader` is the pid of its systemd, as seen from outside."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def run(self, *command: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside; returns its output, or raises with the output if the command fails."""
        inside = ["nsenter", "-t", str(self.leader), "-a", *command]
        done = subprocess.run(inside, env=_ENVIRON | environ, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def path(self, inside: str) -> Path:
        """A path of the box, from outside."""
        return Path(f"/proc/{self.leader}/root{inside}")

    def property(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def until(self, unit: str, name: str, *wanted: str) -> str:
        """Wait until a property begins with one of the wanted texts; returns its value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (value := self.property(unit, name)).startswith(wanted):
            if time.monotonic() > deadline:
                log = self.run("journalctl", "-u", unit, "-n", "30", "--no-pager", check=False).stdout
                raise AssertionError(f"{unit}: {name} is {value!r}, waited for {wanted}\n{log}")
            time.sleep(0.02)  # between two looks
        return value

    def journal(self, *matches: str) -> str:
        """The lines of the journal that match, as text."""
        self.run("journalctl", "--sync", check=False)
        return self.run("journalctl", "--no-pager", "-o", "cat", *matches).stdout


@contextmanager
def booted(work: Path) -> Iterator[Box]:
    """A box whose overlay gets a copy of `work`/inject; taken down with all that runs in it."""
    (work / "inject").mkdir(exist_ok=True)
    (work / "ns").mkdir()
    groups = [hierarchy / f"launchd-lab-{os.getpid()}" for hierarchy in GROUPS.iterdir() if hierarchy.is_dir()]
    for group in groups:
        group.mkdir()
        if group.parent.name == "cpuset":
            for file in ("cpuset.cpus", "cpuset.mems"):
                (group / file).write_text((group.parent / file).read_text())

    join = " ".join(f"echo $$ >{group}/cgroup.procs;" for group in groups)
    spaces = "--mount --propagation private --cgroup --pid --fork --uts --ipc --net --kill-child"
    script = f"{join} exec unshare {spaces} bash {BOOT} {work}"
    with (work / "boot.log").open("wb") as log:
        outer = subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield Box(_leader(outer, work / "boot.log"))
    finally:
        outer.send_signal(signal.SIGKILL)  # --kill-child takes the box's systemd with it, and so all within
        outer.wait()
        for group in groups:
            _remove(group)


def _leader(outer: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until the box's systemd reports that it has booted; returns its pid."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    while time.monotonic() < deadline and outer.poll() is None:
        pids = children.read_text().split()
        if pids:
            state = Box(int(pids[0])).run("systemctl", "is-system-running", check=False).stdout
            if state.startswith(("running", "degraded")):
                return int(pids[0])
        time.sleep(0.05)  # between two looks
    raise AssertionError(f"no systemd booted:\n{log.read_text()}")


def _remove(group: Path) -> None:
    """Remove a control group and its subgroups, once their killed processes have left."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while group.exists():
        for inner, _, _ in os.walk(group, topdown=False):
            try:
                Path(inner).rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(0.01)  # the kernel reaps what was killed
