"""Links, files and modules that a page names are there, and README leads to every page."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from tests.docs.pages import DOCS, PAGES, README, anchors, codes, every_page, fences, prose, table
from tests.docs.picture import MOST_BYTES
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


def test_every_file_that_a_page_links_to_is_installed_with_it() -> None:
    listed = re.search(r"^for page in (.+); do$", (ROOT / "etc" / "install.sh").read_text("utf-8"), re.MULTILINE)
    assert listed is not None
    installed = {file for pattern in listed[1].split() for file in ROOT.glob(pattern)}
    for page in PAGES:
        links = [urlsplit("".join(pair)) for pair in _LINK.findall(prose(page))]
        files = {(page.parent / link.path).resolve() for link in links if link.path and not link.scheme}
        assert files <= installed, f"{page.name}: {files - installed}"


def test_the_pictures_are_small() -> None:
    pictures = list((DOCS / "pictures").glob("*.png"))
    assert {file.name for file in pictures} == {"dashboard-light.png", "dashboard-dark.png"}
    assert [file.name for file in pictures if file.stat().st_size > MOST_BYTES] == []


def test_the_layers_of_the_architecture_are_those_that_lint_checks() -> None:
    """Each row of the page holds packages of one line of pyproject.toml, and the rows are in its order."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    place = {
        name: number for number, line in enumerate(contract["layers"]) for name in re.split(r"\W+", line.strip("[]"))
    }
    rows = [
        {place[re.split(r"[/.]", path)[1]] for path in codes(cells[0]) if path.startswith("launchd/")}
        for cells in table(DOCS / "architecture.md", "layer")
    ]
    order = [layer for row in rows for layer in sorted(row)]
    assert order == sorted(order)
    assert set(order) == set(place.values())
