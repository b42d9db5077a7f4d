"""The pages: each can be reached, and the files that they name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#]+)\)")
PATH = re.compile(r"(?<![\w./-])((?:harness|suites|fixtures|lab_config|benchmarks|docs)/[\w./-]*[\w/])")
BARE_PAGE = re.compile(r"(?<![\w./(\[-])([a-z-]+\.md)\b")


def test_every_page_is_linked_from_the_index() -> None:
    linked = set(LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages - linked == set(), "docs/README.md does not name these"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name if page.parent == ROOT else f"docs-{page.name}")
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if "://" not in link and not (page.parent / link).exists()]
    missing += [path for path in PATH.findall(text) if not any(ROOT.glob(path)) and not any(ROOT.glob(f"{path}*"))]
    missing += [name for name in BARE_PAGE.findall(text) if not (ROOT / "docs" / name).exists()]
    assert missing == [], f"{page.name} names what is not there"
