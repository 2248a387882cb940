"""The children that tasks in processes leave behind: `sleep BROOD.LIFE`, found in /proc by their command."""

from pathlib import Path


def brood(name: str) -> dict[int, str]:
    """Those of this brood that live: the life in which each was born, by its pid."""
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
