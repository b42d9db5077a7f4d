"""Images for firmware tests: each flaw is what it says, to the boot loader, to imgtool and on a real board."""

from __future__ import annotations

from pathlib import Path

import pytest
from imgtool import keys
from imgtool.image import Image, VerifyResult

from harness.emulator import slots
from harness.emulator.build import build, generate_key
from harness.emulator.flash import Flash
from harness.emulator.image import ImageRefused, public_key_bytes, read
from harness.emulator.image_set import MadeImages, flawed, successor
from harness.emulator.nor import BLOCK, LARGEST_IMAGE, FlashViolation, MemoryNor
from harness.emulator.services import Services
from harness.emulator.shipped import REFERENCE_SOURCE, version_sources
from harness.emulator.slots import Verifier, start
from harness.errors import BadInput
from harness.lab.image_set import FLAWS, TURNED_BACK, NoImages, open_image_set
from harness.tests.emulator_bench import BOOT_KEY, PROBE, SIGNING_KEY, Terminal

KEY = public_key_bytes(BOOT_KEY.read_text("ascii"))
REFUSED = {  # flaw -> word of the boot loader
    "corrupt": "damaged", "truncated": "damaged", "empty": "empty", "wrong_model": "model", "unsigned": "signature",
    "foreign_key": "signature", "older_counter": "old", "older_version": "old",
}
SOUND_TO_THE_BOOT_LOADER = {"wrong_data_format", *TURNED_BACK}
GOOD_TO_IMGTOOL = SOUND_TO_THE_BOOT_LOADER | {"older_counter", "older_version", "wrong_model", "oversized"}


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "image"
    build(REFERENCE_SOURCE, "", SIGNING_KEY, path)
    return path


@pytest.fixture(scope="session")
def made(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> MadeImages:
    return MadeImages(reference, tmp_path_factory.mktemp("made"))


def services(image: Path) -> Services:
    """A terminal from the factory that runs ``image``."""
    nor = MemoryNor()
    nor.write_in_factory(slots.REGIONS["A"], slots.factory_slot(image.read_bytes()))
    verifier = Verifier(KEY, "HT-100")
    return Services(nor, start(nor, verifier), verifier, fatal=False)


def load(boot: Services, image: Path) -> None:
    data = image.read_bytes()
    for block in range(-(-len(data) // BLOCK)):
        boot.spare.program(block, 0, data[block * BLOCK : (block + 1) * BLOCK])


def test_a_successor_is_the_same_application_under_the_next_version(reference: Path, made: MadeImages) -> None:
    later = made.successor()
    old, new = (read(path.read_bytes(), KEY) for path in (reference, later.path))
    assert (old.version, new.version, later.firmware.version) == ("1.0.0", "1.0.1", "1.0.1")
    assert new.modules == old.modules and new.counter == old.counter == later.counter
    assert (later.firmware.sha256, later.models, later.flaw) == (new.sha256, new.models, "")
    boot = services(reference)
    load(boot, later.path)
    assert boot.check_spare()["refused"] == ""
    assert made.releases == (later,)


@pytest.mark.parametrize("version", list(version_sources()))
def test_every_shipped_version_has_a_successor_and_all_flaws(tmp_path: Path, version: str) -> None:
    build(version_sources()[version], "", SIGNING_KEY, tmp_path / "image")
    images = MadeImages(tmp_path / "image", tmp_path / "made")
    assert images.successor().firmware.version > version
    found = read(images.successor().path.read_bytes(), KEY)
    assert not found.resets and not images.successor().resets
    for flaw in FLAWS:
        assert images.flawed(flaw) is not None, flaw


def test_all_flaws_are_covered_here() -> None:
    assert set(FLAWS) == {*REFUSED, *SOUND_TO_THE_BOOT_LOADER, "oversized"}


@pytest.mark.parametrize("flaw", list(FLAWS))
def test_a_flaw_is_what_it_says(reference: Path, made: MadeImages, flaw: str) -> None:
    image = made.flawed(flaw)
    assert image is not None and image.flaw == flaw and image == made.flawed(flaw)
    boot = services(reference)
    if flaw == "oversized":
        assert image.path.stat().st_size > LARGEST_IMAGE
        read(image.path.read_bytes(), KEY)  # sound but for its size
        with pytest.raises(FlashViolation):
            load(boot, image.path)
        return
    load(boot, image.path)
    found = boot.check_spare()
    assert found["refused"] == REFUSED.get(flaw, ""), found
    if flaw == "wrong_data_format":
        assert found["data_format"] == image.data_format == 0


@pytest.mark.parametrize("flaw", list(FLAWS))
def test_imgtool_thinks_of_it_what_it_must(made: MadeImages, flaw: str) -> None:
    image = made.flawed(flaw)
    assert image is not None
    try:
        good = Image.verify(str(image.path), keys.load(str(BOOT_KEY)))[0] == VerifyResult.OK
    except Exception:  # it stumbles over what is cut short: struct.error and others
        good = False
    assert good == (flaw in GOOD_TO_IMGTOOL)


def test_what_can_not_be_made_is_none(tmp_path: Path) -> None:
    """A counter of 0 has none below; the probe has no self-test."""
    source = tmp_path / "source"
    (source / "app").mkdir(parents=True)
    (source / "firmware.yaml").write_text("name: a\nmodels: [HT-100]\ndata_format: 1\nsecurity_counter: 0\n")
    for name in ("__init__", "main"):
        (source / "app" / f"{name}.py").write_text("")
    build(source, "1.0.0", SIGNING_KEY, tmp_path / "image")
    assert flawed(tmp_path / "image", "older_counter", tmp_path / "made") is None
    assert flawed(tmp_path / "image", "self_test", tmp_path / "made") is None
    assert not (tmp_path / "made").exists()
    with pytest.raises(BadInput, match="no flaw 'bent'"):
        flawed(tmp_path / "image", "bent", tmp_path / "made")


@pytest.mark.parametrize(("version", "later"), [
    ("1.0.0", "1.0.1"), ("1.0", "1.0.1"), ("1.2.3+9", "1.2.4"), ("1.2.65535", "1.3.0"), ("1.255.65535", "2.0.0"),
    ("255.255.65535", ""),
])
def test_the_next_version(tmp_path: Path, version: str, later: str) -> None:
    build(PROBE, version, SIGNING_KEY, tmp_path / "image")
    if later:
        assert successor(tmp_path / "image", tmp_path / "made").firmware.version == later
        assert read((tmp_path / "made").read_bytes(), KEY).version == later
    else:
        with pytest.raises(BadInput, match="no version is above"):
            successor(tmp_path / "image", tmp_path / "made")


def test_another_key_signs_what_is_made(tmp_path: Path) -> None:
    generate_key(tmp_path / "key", tmp_path / "key.pub", "ecdsa-p256")
    build(PROBE, "1.0.0", tmp_path / "key", tmp_path / "image")
    public = public_key_bytes((tmp_path / "key.pub").read_text("ascii"))
    later = successor(tmp_path / "image", tmp_path / "made", key=tmp_path / "key", version="7.0.0")
    assert read(later.path.read_bytes(), public).version == "7.0.0"
    foreign = flawed(tmp_path / "image", "foreign_key", tmp_path / "foreign", key=tmp_path / "key")
    assert foreign is not None
    with pytest.raises(ImageRefused, match="another key"):
        read(foreign.path.read_bytes(), public)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be read"):
        successor(tmp_path / "none", tmp_path / "made")
    (tmp_path / "image").write_bytes(b"hello")
    with pytest.raises(BadInput, match="refused"):
        flawed(tmp_path / "image", "hangs", tmp_path / "made")


def test_which_set_a_bench_has(reference: Path, tmp_path: Path) -> None:
    made = open_image_set(version="1.0.0", images=None, running=reference, scratch=tmp_path)
    assert isinstance(made, MadeImages)
    none = open_image_set(version="1.0.0", images=None, running=None, scratch=tmp_path)
    assert isinstance(none, NoImages) and not none.releases
    assert none.successor() is None and none.flawed("hangs") is None


@pytest.mark.parametrize("flaw", TURNED_BACK)
def test_the_terminal_comes_back_from_it_by_itself(
    reference: Path, made: MadeImages, tmp_path: Path, flaw: str,
) -> None:
    """On a real board: the boot loader starts it on trial, and the old version comes up again."""
    with Terminal(tmp_path, reference):
        pass
    image = made.flawed(flaw)
    assert image is not None
    flash = Flash(tmp_path / "flash.bin")
    flash.write_in_factory(slots.image_region("B"), image.path.read_bytes())
    slots.mark_wanted(flash, "B")
    flash.close()
    with Terminal(tmp_path, None) as terminal:
        terminal.panel.request("power", state="on")
        terminal.wait_power("on", "watchdog", timeout=30)
        back = terminal.screen.wait(lambda seen: any("更新失败" in line for line in seen.lines), 20)
        assert back is not None, terminal.screen.read().lines
        halts = [str(event["detail"]) for event in terminal.events if event["ev"] == "halt"]
        why = {"self_test": None, "hangs": "watchdog not fed", "crashes": "this image was made so"}[flaw]
        assert [why in halt for halt in halts if why] == ([True] if why else []), halts
    flash = Flash(tmp_path / "flash.bin")
    assert flash.read(slots.REGIONS["B"]) == b"\xff" * slots.REGIONS["B"].size
    flash.close()
