"""The table of parsed rows: a row counts as lost if it was refused whole; the recorded files keep enough rows."""

import pytest

from launchd.launches.launch import Parsed, Rejection
from tests.bench import parsed_rows
from tests.support.paths import SHARED


def said(count: int, *fields: str | None) -> Parsed:
    refused = (Rejection(source="gcat", record="r", field=field, reason="odd") for field in fields)
    return Parsed((), tuple(refused), count)


def test_a_row_is_lost_when_it_was_refused_whole_and_not_when_a_field_was() -> None:
    found = parsed_rows.judged("launches.tsv", said(200, None, "net", "pad"))
    assert (found.lost, found.share, found.enough) == (1, 0.995, True)
    assert not parsed_rows.judged("launches.tsv", said(199, None)).enough
    assert parsed_rows.judged("list.html", said(199, None)).enough
    assert not parsed_rows.judged("list.html", said(199, None, None)).enough


def test_a_file_without_a_row_that_could_be_read_is_not_enough() -> None:
    assert not parsed_rows.judged("launches.tsv", said(0)).enough


@pytest.mark.recorded
@pytest.mark.skipif(not (SHARED / "sources").is_dir(), reason="the recorded payloads are not here")
def test_of_every_recorded_file_enough_rows_are_kept() -> None:
    found = parsed_rows.table(SHARED / "sources")
    assert [one.name for one in found if not one.enough] == []
    assert sum(one.rows for one in found) > 30_000
