"""Files that somebody names: a pipe, a device, a folder or a huge one is refused at once, and read by nobody."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.acquirer.cards import read_cards
from harness.acquirer.download_data import read_downloads
from harness.campaigns.gate import Wanted
from harness.campaigns.gate import check as check_gate
from harness.campaigns.sweep.run import Job, sweep
from harness.cli import main
from harness.emulator.build import build
from harness.emulator.nor import LARGEST_IMAGE
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY, TEST_PUBLIC_KEY
from harness.errors import BadInput
from harness.given_file import LARGEST, head, whole
from harness.instruments.emulated.plan import read_plan
from harness.lab.catalogue import load_model
from harness.lab.firmware_images import check_firmware, check_from, existing, make_from, make_image
from harness.lab.inventory import load_lab
from harness.tests.system_helpers import ROOT

Taker = Callable[[Path, Path], object]
HUGE = 3 << 30
IMAGES: dict[str, Taker] = {
    "existing": lambda path, _: existing(path),
    "run --firmware": lambda path, _: check_firmware(str(path)),
    "run": lambda path, folder: make_image(str(path), folder),
    "--from": lambda path, _: check_from([str(path)]),
    "sweep": lambda path, folder: make_from([str(path)], folder),
    "gate": lambda path, _: check_gate(Wanted(path, "1.0.0", "lab.yaml")),
}
OTHERS: dict[str, Taker] = {
    "--key": lambda path, folder: build(REFERENCE_SOURCE, "1.0.0", path, folder / "x.img"),
    "inventory": lambda path, _: load_lab(path),
    "--cards": lambda path, _: read_cards(path),
    "--downloads": lambda path, _: read_downloads(path),
    "--plan": lambda path, _: read_plan(path),
}


@pytest.fixture(autouse=True)
def no_memory_for_it() -> Iterator[None]:
    """A reader that goes on fails instead of filling the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (512 << 20), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "fifo.img"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    end = threading.Timer(60, os.close, [writer])  # for who waits for it
    end.start()
    yield path
    if end.is_alive():
        end.cancel()
        os.close(writer)


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


def refusal(take: Taker, path: Path, folder: Path) -> str:
    began = time.monotonic()
    with pytest.raises(BadInput) as told:
        take(path, folder)
    assert time.monotonic() - began < 50
    return str(told.value)


@pytest.mark.parametrize("name", [*IMAGES, *(name for name in OTHERS if name != "--key")])
def test_what_is_no_regular_file(pipe: Path, tmp_path: Path, name: str) -> None:
    assert refusal((IMAGES | OTHERS)[name], pipe, tmp_path).startswith(f"{pipe}: is no regular file")
    assert refusal((IMAGES | OTHERS)[name], Path("/dev/zero"), tmp_path).startswith("/dev/zero: is no regular file")


def test_the_flash_of_a_sweep_is_no_pipe(pipe: Path, tmp_path: Path) -> None:
    model = load_model(ROOT / "lab_config" / "models" / "HT-200.yaml")
    image = tmp_path / "new.img"
    build(REFERENCE_SOURCE, "2.0.0", TEST_KEY, image)
    job = Job(model, TEST_PUBLIC_KEY, image, None, pipe)
    assert refusal(lambda _path, _folder: sweep(job), pipe, tmp_path) == f"{pipe}: is no regular file"


def test_a_key_may_come_through_a_pipe(tmp_path: Path) -> None:
    """From a vault, say, and never be on a disk."""
    path = tmp_path / "key"
    os.mkfifo(path)
    threading.Thread(target=lambda: path.write_bytes(TEST_KEY.read_bytes()), daemon=True).start()
    build(REFERENCE_SOURCE, "1.0.0", path, tmp_path / "x.img")
    assert (tmp_path / "x.img").stat().st_size > 0


@pytest.mark.parametrize("name", ["existing", "--from", "gate", *OTHERS])
def test_a_folder(tmp_path: Path, name: str) -> None:
    assert refusal((IMAGES | OTHERS)[name], tmp_path, tmp_path) == f"{tmp_path}: is a folder"


@pytest.mark.parametrize("take", IMAGES.values(), ids=IMAGES)
def test_an_image_file_that_no_slot_holds(huge: Path, tmp_path: Path, take: Taker) -> None:
    told = f"{HUGE} bytes do not fit into the {LARGEST_IMAGE} of the slot"
    assert told in refusal(take, huge, tmp_path)


@pytest.mark.parametrize("take", OTHERS.values(), ids=OTHERS)
def test_another_file_that_is_too_large(huge: Path, tmp_path: Path, take: Taker) -> None:
    assert f"has {HUGE} bytes, more than " in refusal(take, huge, tmp_path)


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "there is no such image" in refusal(IMAGES["gate"], tmp_path / "none.img", tmp_path)
    assert "neither a released version nor an image file" in refusal(IMAGES["--from"], tmp_path / "none", tmp_path)


def test_firmware_check(pipe: Path, huge: Path, capsys: pytest.CaptureFixture[str]) -> None:
    too_large = f"offset {LARGEST_IMAGE}: {HUGE} bytes do not fit into the {LARGEST_IMAGE} of the slot\n"
    for path, told in (
        (pipe, "is no regular file\n"), (Path("/dev/zero"), "is no regular file\n"), (huge, too_large),
        (pipe.parent, "is a folder\n"), (pipe.parent / "none", "No such file or directory\n"),
    ):
        assert main(["--lang", "en", "firmware", "check", str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"hil97: {path}: {told}")
        assert main(["--lang", "en", "firmware", "check", str(TEST_KEY), "--boot-key", str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"hil97: {path}: ")


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * LARGEST)
    assert head(path, 3) == b"xxx" and len(whole(path)) == LARGEST
    with pytest.raises(FileNotFoundError):
        head(tmp_path / "none", 1)


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "[\n" * 5000, "a: " + "{a: " * 3000, "- " * 5000, "".join(" " * n + "a:\n" for n in range(300))],
    ids=["in a line", "in lines", "mappings", "by dashes", "by indentation"],
)
def test_what_is_nested_too_deep_is_refused_at_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    told = refusal(OTHERS["inventory"], path, tmp_path)
    assert "lists and mappings are nested more than 32 deep" in told and len(told) < 1000
