"""The pictures of the README can be taken again: of a healthy daemon, without an error in the page, and small."""

import asyncio
from pathlib import Path

import pytest

from tests.docs import picture
from tests.support.browser import needs_browser


@pytest.mark.lab
@pytest.mark.browser
def test_both_pictures_are_taken_and_small(tmp_path: Path) -> None:
    needs_browser()
    asyncio.run(picture.take(tmp_path))
    sizes = {file.name: file.stat().st_size for file in tmp_path.glob("*.png")}
    assert sizes.keys() == {"dashboard-light.png", "dashboard-dark.png"}
    assert max(sizes.values()) <= picture.MOST_BYTES
