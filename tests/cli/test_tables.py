"""Tables of the command line: ids and states are never cut, however narrow the terminal; free text gives way."""

from typing import Any

import pytest

from launchd.cli.output import columns, print_table, table

ID = "01a21823-2d80-7001-82c2-3fbd0118b3f0"
ROWS: list[dict[str, Any]] = [
    {"id": ID, "state": "queued", "created_at": "2026-11-26T13:54:48.123456Z", "reason": "one " * 40 + "end"},
    {"id": ID, "state": "failed", "created_at": "2026-11-26T13:54:49Z", "reason": "first\nsecond"},
]
SHOWS = columns("id", "state", "created_at", "reason")


@pytest.mark.parametrize("room", [20, 80, 100, 140])
def test_short_values_are_never_cut_and_text_gets_the_room_that_is_left(room: int) -> None:
    heading, *lines = table(ROWS, SHOWS, room)
    text = "\n".join(lines)
    assert text.count(ID) == 2
    assert text.count("2026-11-26T13:54:4") == 2
    assert "…" not in text
    assert text.count("one") == 40
    assert text.split().count("end") == 1
    longest = max(map(len, (heading, *lines)))
    assert longest <= max(room, len(f"{ID}  queued  2026-11-26T13:54:48Z  ") + 24)


def test_on_one_line_a_long_text_is_cut() -> None:
    _, first, second = table(ROWS, SHOWS, 100, one_line=True)
    assert len(first) == 100
    assert first.endswith("…")
    assert second.endswith("first second")


def test_a_pipe_gets_each_whole_row_on_a_line() -> None:
    _, first, second = table(ROWS, SHOWS, None)
    assert first.endswith("one end")
    assert second.endswith("first second")
    assert "2026-11-26T13:54:48Z" in first


def test_wide_characters_count_by_their_width() -> None:
    lines = table([{"name": "天問一号", "state": "go"}, {"name": "abc", "state": "hold"}], columns("name", "state"), 80)
    assert lines == ["name      state", "天問一号  go", "abc       hold"]


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([], SHOWS)
    assert capsys.readouterr().out == "(none)\n"
