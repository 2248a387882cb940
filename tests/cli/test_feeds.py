"""`launchd feeds` against a real daemon in a process of its own."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.daemon_process import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path, "", admin='tcp = "127.0.0.1:0"')
    with made.running():
        yield made


def test_a_feed_is_added_listed_read_and_revoked(installation: Installation) -> None:
    words = ("add", "team", "--provider", "SpaceX", "--when", "upcoming", "--formats", "ics, json", "--alarm", "60")
    done = installation.launchd("feeds", *words, "--filter", "q=starlink")
    ics, json = done.stdout.splitlines()
    assert "launchd feeds revoke team" in done.stderr
    with urlopen(ics) as response:  # noqa: S310 - http, from our own daemon
        assert response.read().startswith(b"BEGIN:VCALENDAR")
    with urlopen(json) as response:  # noqa: S310 - the same
        assert b'"items":[]' in response.read()
    listed = installation.text("feeds")
    assert "provider=SpaceX" in listed
    assert "q=starlink" in listed
    assert ics not in listed
    (one,) = installation.json("feeds")["items"]
    assert (one["requests"], one["alarm"], one["formats"]) == (2, 60, ["ics", "json"])
    assert "read 2 times" in installation.text("feeds", "revoke", "team")
    assert installation.json("feeds")["items"] == []


def test_a_wrong_feed_is_refused_with_what_is_allowed(installation: Installation) -> None:
    assert "filters.nonsense" in installation.launchd("feeds", "add", "x", "--filter", "nonsense=1", code=1).stderr
    assert "formats" in installation.launchd("feeds", "add", "x", "--formats", "pdf", code=1).stderr
    assert "no feed x" in installation.launchd("feeds", "revoke", "x", code=1).stderr
    added = installation.json("feeds", "add", "x")
    assert added["url"] == added["urls"]["ics"]
