"""The measure of the matching: pairs that count as right, wrong and missed."""

from pathlib import Path

import pytest

from tests.bench import quality

LAUNCHES = {("a", "1"): "X", ("b", "1"): "X", ("a", "2"): "Y", ("b", "2"): "Y", ("a", "3"): "Z"}


def test_a_merge_of_two_launches_is_wrong_and_a_launch_left_apart_is_missed() -> None:
    groups = [[("a", "1"), ("b", "2")], [("a", "2")], [("b", "1")]]
    found = quality.measured(groups, ("a", "b"), LAUNCHES)
    assert (found.right, len(found.wrong), len(found.missed)) == (0, 1, 2)
    assert (found.precision(), found.recall()) == (0.0, 0.0)


def test_an_unknown_record_is_wrong_only_in_the_place_of_a_known_one() -> None:
    groups = [[("a", "1"), ("b", "unknown")], [("b", "1")], [("a", "3"), ("b", "other")], [("a", "2"), ("b", "2")]]
    found = quality.measured(groups, ("a", "b"), LAUNCHES)
    assert found.right == 1
    assert found.wrong == [(("a", "1"), ("b", "unknown"))]
    assert found.missed == [(("a", "1"), ("b", "1"))]


def test_without_payloads_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCES", str(tmp_path / "none"))
    assert quality.main() == 0
    assert "skipped" in capsys.readouterr().out


def test_a_recording_that_cannot_be_read_is_reported_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ll2" / "flat_all_launches").mkdir(parents=True)
    (tmp_path / "ll2" / "flat_all_launches" / "odd.json").write_bytes(b"{")
    (tmp_path / "gcat").mkdir()
    (tmp_path / "gcat" / "a_launchlog.tsv").write_bytes(b"<html>")
    assert list(quality.parsed(tmp_path)) == []
    said = capsys.readouterr()
    assert "odd.json cannot be read" in said.err
    assert "a_launchlog.tsv cannot be read" in said.out
