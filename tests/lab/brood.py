"""Finds the children that tasks in processes leave behind: `sleep BROOD.LIFE`, by their commands in /proc."""

from pathlib import Path


def brood(name: str) -> dict[int, str]:
    """The living children of this brood: by pid, the life of the daemon in which each was started."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if len(command) > 1 and command[0].endswith(b"sleep") and command[1].startswith(f"{name}.".encode()):
            found[int(entry.name)] = command[1].decode().partition(".")[2]
    return found
