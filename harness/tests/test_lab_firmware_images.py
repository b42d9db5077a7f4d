"""The images of a run: versions to update from are found, built once, and reach every bench."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.campaigns.launch import Request
from harness.campaigns.launch import check as launch_check
from harness.campaigns.plan import RunPlan, open_lab
from harness.emulator.build import build
from harness.emulator.image_set import flawed
from harness.emulator.nor import LARGEST_IMAGE
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY
from harness.errors import BadInput
from harness.lab.firmware_images import (
    check_fits,
    check_from,
    existing,
    make_from,
    make_image,
    released,
    split,
    version_key,
)

LAB = Path(harness.__file__).resolve().parents[1] / "lab_config" / "emulated.yaml"
numbers = st.integers(min_value=0, max_value=65535)


def test_what_from_says_is_taken_apart() -> None:
    assert split(None) == split("") == split(" , ") == ()
    assert split("1.0.0, old.img,1.0.0") == ("1.0.0", "old.img")


@given(st.tuples(numbers, numbers, numbers, numbers), st.tuples(numbers, numbers, numbers, numbers))
def test_versions_are_compared_as_numbers(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    said = ["{}.{}.{}+{}".format(*version) for version in (one, other)]
    assert (version_key(said[0]) < version_key(said[1])) == (one < other)


@given(st.text(alphabet="0123456789.+ v-", max_size=12))
def test_what_is_no_version_is_refused_in_one_message(text: str) -> None:
    try:
        assert len(version_key(text)) == 4
    except BadInput as error:
        assert "MAJOR.MINOR.REVISION" in str(error)


def test_they_reach_every_bench_and_every_worker(tmp_path: Path) -> None:
    image = tmp_path / "old.img"
    build(REFERENCE_SOURCE, "0.9.0", TEST_KEY, image)
    released_one = next(iter(released()))
    plan = RunPlan.make(open_lab(LAB), tmp_path / "results", from_versions=(released_one, str(image)))
    versions = [one.version for one in plan.from_images.values()]
    assert versions == [released_one, "0.9.0"]
    again = RunPlan.unpacked(plan.packed())
    assert again.from_images == plan.from_images
    bench = again.bench_plan("bench-1")
    assert [one.version for one in bench.from_images] == versions
    assert all(Path(one.path).is_file() for one in bench.from_images)
    assert RunPlan.make(open_lab(LAB), tmp_path / "results").bench_plan("bench-1").from_images == ()


def test_without_from_a_firmware_is_updated_from_every_released_version_below_it(tmp_path: Path) -> None:
    plan = RunPlan.make(open_lab(LAB), tmp_path / "results")
    below = [version for version in released() if version_key(version) < version_key("1.0.0")]
    assert below and list(plan.from_versions("reference")) == below
    assert plan.bench_plan("bench-3").from_versions == tuple(below)
    assert plan.bench_plan("bench-1").from_versions == ()  # it runs no tests of updates
    first = plan.from_image(below[0])
    assert (first.version, plan.from_image(below[0])) == (below[0], first)


def test_a_version_that_there_is_not_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    damaged = tmp_path / "bad.img"
    damaged.write_bytes(b"\0" * 100)
    with pytest.raises(BadInput, match=r"'7\.7\.7' is neither a released version nor an image file"):
        check_from(["7.7.7"])
    with pytest.raises(BadInput, match="offset 0"):
        check_from([str(damaged)])
    with pytest.raises(BadInput, match="neither a released version"):
        RunPlan.make(open_lab(LAB), tmp_path / "results", from_versions=("7.7.7",))
    assert not list((tmp_path / "results").glob("*"))
    assert make_from((), tmp_path / "firmware") == {}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "sound.img"
    build(REFERENCE_SOURCE, "1.0.1", TEST_KEY, path)
    return path


def test_bytes_behind_an_image_are_refused(image: Path, tmp_path: Path) -> None:
    """The hash that results name is that of the image: no other file is released under it."""
    data = image.read_bytes()
    tail = tmp_path / "tail.img"
    tail.write_bytes(data + b"7")
    for asked in (existing, lambda path: make_image(str(path), tmp_path / "run"), lambda path: check_from([str(path)])):
        with pytest.raises(BadInput, match=rf"tail\.img: offset {len(data)}: .*bytes after the end of the image"):
            asked(tail)
    assert existing(image).version == "1.0.1"


def test_an_image_that_no_slot_holds_is_refused(image: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.img"
    assert flawed(image, "oversized", large) is not None
    with pytest.raises(BadInput, match=rf"large\.img: offset {LARGEST_IMAGE}: .*do not fit into the {LARGEST_IMAGE}"):
        existing(large)


def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(BadInput, match=r"^/proc/self/mem: the firmware image can't be read: "):
        existing(Path("/proc/self/mem"))


def test_an_image_for_another_model_is_refused_before_a_run(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.img"
    assert flawed(image, "wrong_model", other) is not None
    monkeypatch.chdir(LAB.parents[1])
    said = r"other\.img: offset \d+: the firmware image does not fit HT-[123]00: for "
    with pytest.raises(BadInput, match=said):
        launch_check(Request(str(LAB), ["suites"], str(tmp_path / "results"), firmware=str(other)))
    with pytest.raises(BadInput, match=said):
        launch_check(Request(str(LAB), ["suites"], str(tmp_path / "results"), from_versions=str(other)))
    with pytest.raises(BadInput, match="--cases: '500' is no part of all cases"):
        launch_check(Request(str(LAB), ["suites"], str(tmp_path / "results"), part="500"))


def test_an_image_for_another_python_is_refused(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.emulator.image.PYTHON_TAG", "cpython-399")
    with pytest.raises(BadInput, match=r"sound\.img: offset \d+: .*does not fit HT-100: .*this is cpython-399"):
        check_fits(image, "HT-100")
