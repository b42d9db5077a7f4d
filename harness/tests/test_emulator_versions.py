"""version.yaml: another release of a source, as edits and added files; what is wrong in it is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.emulator.shipped import version_sources
from harness.emulator.source import load_source
from harness.errors import BadInput

VERSION = """name: base
version: 2.0.0
title: another one
security_counter: 3
data_format: 2
resets: true
files:
  - app/added.py
edits:
  - file: app/main.py
    old: LIMIT = 3
    new: LIMIT = 4
"""
DEFECT = """name: no-limit
title: retries without limit
base: ../versions/2.0.0
breaks: STA-05
edits:
  - file: app/added.py
    old: ADDED
    new: CHANGED
"""


def version(folder: Path, text: str = VERSION) -> Path:
    (folder / "app").mkdir()
    (folder / "firmware.yaml").write_text("name: base\nmodels: [HT-100]\ndata_format: 1\n", "utf-8")
    (folder / "app" / "__init__.py").write_text("", "utf-8")
    (folder / "app" / "main.py").write_text("def start(board):\n    LIMIT = 3\n", "utf-8")
    place = folder / "versions" / "2.0.0"
    (place / "app").mkdir(parents=True)
    (place / "app" / "added.py").write_text("ADDED = 1\n", "utf-8")
    (place / "version.yaml").write_text(text, "utf-8")
    return place


def test_a_version_is_its_base_with_edits_and_more_files(tmp_path: Path) -> None:
    place = version(tmp_path)
    found, base = load_source(place), load_source(tmp_path)
    assert (found.name, found.version, found.title, found.counter) == ("base", "2.0.0", "another one", 3)
    assert (found.data_format, found.resets, found.models) == (2, True, base.models)
    assert (base.data_format, base.resets) == (1, False)
    assert found.files["app/main.py"][0] == "def start(board):\n    LIMIT = 4\n"
    assert found.files["app/added.py"] == ("ADDED = 1\n", place / "app" / "added.py")
    assert found.files.keys() - base.files.keys() == {"app/added.py"}


def test_a_defect_may_be_one_of_a_version(tmp_path: Path) -> None:
    version(tmp_path)
    (tmp_path / "defect").mkdir()
    (tmp_path / "defect" / "defect.yaml").write_text(DEFECT, "utf-8")
    found = load_source(tmp_path / "defect")
    assert found.files["app/added.py"][0] == "CHANGED = 1\n"
    assert (found.name, found.version, found.counter) == ("no-limit", "2.0.0", 3)
    assert (found.data_format, found.resets) == (2, True)


@pytest.mark.parametrize(("change", "line", "reason"), [
    (("version: 2.0.0", "version: two"), 2, "version"),
    (("security_counter: 3", "security_counter: -3"), 4, "security_counter"),
    (("security_counter: 3", "security_counter: high"), 4, "security_counter"),
    (("data_format: 2", "data_format: 0"), 5, "data_format"),
    (("data_format: 2\n", ""), 1, "data_format"),
    (("resets: true", "resets: maybe"), 6, "resets"),
    (("resets: true", "restes: true"), 6, "restes"),
    (("  - app/added.py", "  - app/main.py"), 8, "can't be added"),
    (("  - app/added.py", "  - added.py"), 8, "can't be added"),
    (("  - app/added.py", "  - app/../../../app/main.py"), 8, "can't be added"),
    (("old: LIMIT = 3", "old: LIMIT = 5"), 10, "stands 0 times"),
    (("app/main.py", "app/other.py"), 10, "no file of the base"),
])
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, reason: str) -> None:
    place = version(tmp_path, VERSION.replace(*change))
    with pytest.raises(BadInput) as caught:
        load_source(place)
    assert caught.value.where == f"{place / 'version.yaml'}:{line}", caught.value
    assert reason in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_an_added_file_that_can_not_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    place = version(tmp_path)
    added = place / "app" / "added.py"
    if content is None:
        added.unlink()
    else:
        added.write_bytes(content)
    with pytest.raises(BadInput, match="can't be read") as caught:
        load_source(place)
    assert caught.value.where == str(added)


def test_a_folder_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none of firmware\.yaml"):
        load_source(tmp_path)


def test_the_shipped_ones_are_in_order_of_their_age() -> None:
    numbers = [tuple(map(int, version.split("."))) for version in version_sources()]
    assert numbers == sorted(numbers) and len(numbers) >= 5
