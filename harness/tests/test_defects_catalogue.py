"""The shipped defective firmwares as data: each is one small change of the reference that breaks one known rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api as mypy

import harness
from harness.campaigns.selftest import source_of
from harness.emulator.build import build_source
from harness.emulator.image import public_key_bytes, read
from harness.emulator.shipped import DEFECTS, REFERENCE_SOURCE, TEST_KEY, TEST_PUBLIC_KEY, defect_sources
from harness.emulator.source import Source, load_source
from harness.requirements import catalogue
from harness.tests.defects_table import table

ROOT = Path(harness.__file__).resolve().parents[1]
DECIDED = {rule for rule, requirement in catalogue().items() if requirement.decided}
NOT_BROKEN: dict[str, str] = {}  # decided requirement -> why no shipped firmware breaks it
LONGEST_CHANGE = 12  # lines: a programmer's mistake, not another firmware
NAMES = sorted(defect_sources())


@pytest.fixture(scope="module")
def reference() -> Source:
    return load_source(REFERENCE_SOURCE)


def defect(name: str) -> Source:
    return load_source(defect_sources()[name])


def test_there_are_defects() -> None:
    assert len(NAMES) >= len(DECIDED)
    assert sorted(path.name for path in DEFECTS.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_reference_with_a_small_change(name: str, reference: Source) -> None:
    """Loading has already made sure that each edit fits exactly once. ``base``: another version than the reference."""
    source = defect(name)
    base = re.search(r"^base: (.+)$", (defect_sources()[name] / "defect.yaml").read_text("utf-8"), re.MULTILINE)
    reference = load_source((defect_sources()[name] / base[1]).resolve()) if base else reference
    assert source.name == name
    assert source.files.keys() == reference.files.keys()
    changed = [path for path, (text, _origin) in source.files.items() if text != reference.files[path][0]]
    assert changed
    for path in changed:
        before, after = (set(one.files[path][0].splitlines()) for one in (reference, source))
        assert len(after - before) <= LONGEST_CHANGE, path
    assert (source.models, source.data_format) == (reference.models, reference.data_format)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_breaks_is_a_rule_that_is_decided(name: str) -> None:
    source = defect(name)
    assert source.breaks in DECIDED
    assert set(source.consequences) <= DECIDED - {source.breaks}
    assert set(source.elsewhere) <= set(source.consequences)
    for words in (source.title, *source.consequences.values(), *source.elsewhere.values()):
        assert words.strip() == words
        assert 10 < len(words) < 160
        assert not words.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_it_builds_and_its_image_is_sound(name: str, tmp_path: Path) -> None:
    image = tmp_path / "defect.img"
    info = build_source(defect(name), "1.0.0", TEST_KEY, image)
    application = read(image.read_bytes(), public_key_bytes(TEST_PUBLIC_KEY.read_text(encoding="ascii")))
    assert (application.name, application.version, application.sha256) == (name, "1.0.0", info.sha256)


def test_it_is_no_crash_that_it_breaks_its_rule_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The types of each one's sources are right: an edit that has grown stale fails otherwise, for another reason."""
    for name in NAMES:
        for path, (text, _origin) in defect(name).files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        monkeypatch.chdir(tmp_path / name)
        said, trouble, status = mypy.run(["--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "app"])
        assert status == 0, f"{name}: {said}{trouble}"


@pytest.mark.parametrize("name", NAMES)
def test_the_self_test_can_show_it(name: str) -> None:
    """Its cases and its model are such as there are."""
    assert source_of(name) == defect(name)


def test_every_requirement_that_is_decided_is_broken_by_one() -> None:
    broken = {defect(name).breaks for name in NAMES}
    assert sorted(DECIDED - broken - set(NOT_BROKEN)) == []
    assert not broken & set(NOT_BROKEN), "no longer an exception"


def test_the_documentation_lists_them_as_they_are() -> None:
    text = (ROOT / "docs" / "defects.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- table -->\n(.*?)\n<!-- end of table -->", text, re.DOTALL)
    assert found is not None
    assert found[1] == table([defect(name) for name in NAMES]), "run: python -m harness.tests.defects_table"
