"""The first acts of a process: only those that its command line needs."""

import pytest

from launchd.system import startup


@pytest.mark.parametrize(
    ("command", "acts"),
    [
        ("/opt/launchd/bin/python /opt/launchd/bin/launchd run", ["own", "prepare"]),
        ("python -m launchd run", ["own", "prepare"]),
        ("python -I -m launchd --json --config /etc/launchd.toml run --queues a", ["own", "prepare"]),
        ("python -m launchd --config=/srv/run/launchd.toml check", ["own", "ignore"]),
        ("python -m launchd --config run trigger", ["own"]),
        ("python -m launchd trigger run", ["own"]),
        ("python -m launchd", ["own"]),
        ("python -m launchd.engine.attempts.child 3 4 run", []),
        ("python -m pytest run", []),
        ("python", []),
    ],
)
def test_a_command_line_gets_the_acts_that_it_needs(
    command: str, acts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(startup, "own_standard_descriptors", lambda: done.append("own"))
    monkeypatch.setattr(startup, "prepare", lambda: done.append("prepare"))
    monkeypatch.setattr(startup, "ignore_input", lambda: done.append("ignore"))
    startup.begin(command.split())
    assert done == acts
