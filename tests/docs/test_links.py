"""Links, files and modules that a page names are there, and README leads to every page."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from tests.docs.pages import DOCS, PAGES, README, anchors, codes, every_page, fences, prose
from tests.support.paths import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
# A path of this repository, as opposed to one of an installed machine (/etc/launchd/...).
_PATH = re.compile(r"(?<![\w./*-])(?:launchd|tests|etc)/[\w./-]*\w/?(?![\w*{])")


@every_page
def test_every_relative_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for link in ("".join(pair) for pair in _LINK.findall(prose(page))):
        target = urlsplit(link)
        if target.scheme:
            continue
        file = (page.parent / target.path).resolve() if target.path else page
        assert file.exists(), f"{page.name}: {link}"
        if target.fragment:
            assert target.fragment in anchors(file), f"{page.name}: {link}"


def test_the_readme_links_to_every_page_and_is_short() -> None:
    text = README.read_text("utf-8")
    linked = {(README.parent / link).resolve() for link, _ in _LINK.findall(text)}
    assert set(PAGES) - {README} <= linked
    assert len(text.splitlines()) <= 150


def made_by(page: Path) -> set[str]:
    """The files that the reader of a page makes: they are not here, and a block of the page is their text."""
    return {one.file for one in fences(page) if one.file and not (ROOT / one.file).exists()}


@every_page
def test_every_file_and_module_of_the_repository_that_is_named_is_there(page: Path) -> None:
    named = [path for text in codes(prose(page)) for path in _PATH.findall(text)]
    named += [path for fence in fences(page) for path in _PATH.findall(fence.text)]
    missing = {path for path in named if not (ROOT / path).exists()} - made_by(page)
    assert not missing, f"{page.name}: {sorted(missing)}"


def test_every_folder_of_the_package_is_in_the_architecture() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    folders = {file.parent.relative_to(ROOT) for file in (ROOT / "launchd").rglob("__init__.py")}
    assert not {str(folder) for folder in folders if f"{folder}/" not in text}
