"""The lines between the daemon and a task's process."""

from hypothesis import given
from hypothesis import strategies as st

from launchd.engine.attempts.wire import MAX_LINE_BYTES, Lines

NO_NEWLINE = st.binary(max_size=20).map(lambda data: data.replace(b"\n", b""))


@given(st.lists(NO_NEWLINE), st.integers(1, 7))
def test_lines_come_out_whole_however_they_are_cut(sent: list[bytes], size: int) -> None:
    data = b"".join(line + b"\n" for line in sent)
    lines = Lines()
    heard: list[bytes] = []
    for start in range(0, len(data), size):
        heard += lines.feed(data[start : start + size])
    assert heard == sent


def test_a_line_that_never_ends_takes_no_memory_and_the_next_one_is_read() -> None:
    lines = Lines()
    chunk = b"x" * 65_536
    for _ in range(2 * MAX_LINE_BYTES // len(chunk)):
        assert list(lines.feed(chunk)) == []
        assert sum(map(len, lines._parts)) <= MAX_LINE_BYTES
    assert list(lines.feed(b"tail\nnext\n")) == [b"next"]
