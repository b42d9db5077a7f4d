"""A vendor's folder of images: what a good ``images.yaml`` gives, and where a bad one is pointed at."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.campaigns.choosing import drop_without_image
from harness.errors import BadInput
from harness.lab.image_set import FLAWS, open_image_set
from harness.lab.inventory import Lab, load_lab
from harness.lab.vendor_images import ImagesDocument, VendorImages, load_images

GOOD = """\
images:
  - file: pos-2.4.0.bin
    name: pos
    version: "2.4.0"
    installs_over: ["2.3.0", "2.2.1"]
    models: [HX-9]
    data_format: 4
    counter: 12
  - file: pos-2.4.1.bin
    name: pos
    version: "2.4.1"
    installs_over: ["2.3.0", "2.4.0"]
    resets: true
  - file: bad/corrupt.bin
    name: pos
    version: "2.4.2"
    installs_over: ["2.3.0"]
    flaw: corrupt
  - file: bad/empty.bin
    name: pos
    version: "2.4.2"
    installs_over: ["2.3.0", "2.4.0"]
    flaw: empty
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad").mkdir()
    for name in ("pos-2.4.0.bin", "pos-2.4.1.bin", "bad/corrupt.bin", "bad/empty.bin"):
        (tmp_path / name).write_bytes(b"" if "empty" in name else name.encode())
    (tmp_path / "images.yaml").write_text(GOOD, "utf-8")
    return tmp_path


def refusal(folder: Path, text: str) -> str:
    (folder / "images.yaml").write_text(text, "utf-8")
    with pytest.raises(BadInput) as caught:
        load_images(folder)
    return str(caught.value)


def test_what_may_be_given_to_a_version(folder: Path) -> None:
    images = open_image_set(version="2.3.0", images=folder, running=None, scratch=folder)
    assert isinstance(images, VendorImages)
    first, second = images.releases
    assert images.successor() == first
    assert (first.path, first.firmware.version, first.models) == (folder / "pos-2.4.0.bin", "2.4.0", ("HX-9",))
    assert (first.data_format, first.counter, first.resets, second.resets) == (4, 12, False, True)
    assert first.firmware.sha256 == hashlib.sha256(b"pos-2.4.0.bin").hexdigest()
    corrupt, empty = images.flawed("corrupt"), images.flawed("empty")
    assert corrupt is not None and (corrupt.path.name, corrupt.flaw) == ("corrupt.bin", "corrupt")
    assert empty is not None and empty.path.read_bytes() == b""
    assert {flaw for flaw in FLAWS if images.flawed(flaw)} == {"corrupt", "empty"}


def test_another_version_gets_other_images(folder: Path) -> None:
    later = VendorImages(folder, "2.4.0").successor()
    assert later is not None and later.firmware.version == "2.4.1"
    assert VendorImages(folder, "2.4.0").flawed("corrupt") is None
    assert VendorImages(folder, "9").releases == ()
    assert VendorImages(folder, "9").successor() is None


@pytest.mark.parametrize(("old", "new", "line", "reason"), [
    ("flaw: corrupt", "flaw: bent", 18, "there is no flaw bent"),
    ("file: pos-2.4.1.bin", "file: pos-2.4.9.bin", 9, "there is no file pos-2.4.9.bin"),
    ("file: pos-2.4.1.bin", "file: ../pos.bin", 9, "outside the folder"),
    ("file: pos-2.4.1.bin", "file: pos-2.4.0.bin", 9, "for the second time"),
    ("file: bad/corrupt.bin", "file: bad/empty.bin", 14, "an image with the flaw empty has no bytes"),
    ("flaw: empty", "flaw: corrupt", 19, "an image with the flaw empty has no bytes"),
    ('["2.3.0", "2.4.0"]\n    resets', '["2.4.1"]\n    resets', 12, "can't be installed over itself"),
    ("installs_over: [\"2.3.0\", \"2.2.1\"]", "installs_over: []", 5, "at least 1 item"),
    ("counter: 12", "counter: -1", 8, "counter"),
    ("name: pos\n    version: \"2.4.0\"", "nmae: pos\n    version: \"2.4.0\"", 3, "did you mean `name`"),
    ("version: \"2.4.0\"", "version: 2.4", 4, "put it in quotes"),
])
def test_a_wrong_file_is_pointed_at(folder: Path, old: str, new: str, line: int, reason: str) -> None:
    assert old in GOOD
    shown = refusal(folder, GOOD.replace(old, new))
    assert reason in shown
    assert f"images.yaml:{line}:" in shown, shown


def test_one_flaw_has_one_image_for_a_version(folder: Path) -> None:
    (folder / "bad" / "again.bin").write_bytes(b"?")
    corrupt = GOOD[GOOD.index("  - file: bad/corrupt") : GOOD.index("  - file: bad/empty")]
    assert "already: bad/corrupt.bin" in refusal(folder, GOOD + corrupt.replace("corrupt.bin", "again.bin"))


def test_a_folder_without_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"images\.yaml: can't be read"):
        load_images(tmp_path)


@given(st.text(max_size=200))
def test_wild_text_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "images.yaml").write_text(text.encode("utf-8", "replace").decode(), "utf-8")
    with pytest.raises(BadInput):
        load_images(folder)


def test_an_inventory_names_the_folder(folder: Path, tmp_path: Path) -> None:
    lab_config = Path(__file__).parents[2] / "lab_config"
    text = (f"catalogue: {lab_config}\nbenches:\n  - {{name: a, kind: emulated, model: HT-100, "
            "profile: unionpay-direct, images: IMAGES}\n")
    lab = tmp_path / "lab.yaml"
    lab.write_text(text.replace("IMAGES", "."), "utf-8")
    (entry,) = load_lab(lab).benches
    assert entry.images == str(folder)
    assert Lab.unpacked(load_lab(lab).packed()).benches[0].images == str(folder)
    lab.write_text(text.replace("IMAGES", "bad"), "utf-8")
    with pytest.raises(BadInput, match=r"lab\.yaml:3:.*there is no images\.yaml"):
        load_lab(lab)
    lab.write_text(text.replace("IMAGES", "."), "utf-8")
    (folder / "images.yaml").write_text("images: []\n", "utf-8")
    with pytest.raises(BadInput, match=r"images\.yaml:1:"):
        load_lab(lab)


def test_every_key_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "firmware-update.md").read_text("utf-8")
    image = ImagesDocument.model_fields["images"]
    assert image.is_required()
    for key in ("file", "name", "version", "installs_over", "flaw", "models", "data_format", "counter", "resets"):
        assert f"`{key}`" in page, key
    for flaw in FLAWS:
        assert f"`{flaw}`" in page, flaw


def test_tests_for_which_nobody_made_an_image_are_taken_out_before_the_run(folder: Path) -> None:
    """Whichever image they ask for: by name, by an argument, or one that resets; benches without a folder keep all but
    what asks for a released version that resets, where there is none above theirs."""
    asked = {
        "successor": ("successor", {}), "reset": ("resets", {}), "made": ("flaw", {"flaw": "corrupt"}),
        "not made": ("flaw", {"flaw": "unsigned"}), "nothing": ("", {}),
    }  # fmt: skip

    def item(name: str, label: str) -> Any:
        image, params = asked[name]
        marks = [SimpleNamespace(args=(image,))] if image else []
        return SimpleNamespace(
            nodeid=f"x.py::test_y[{name}-@{label}]", iter_markers=lambda _mark: marks,
            callspec=SimpleNamespace(params=params),
        )

    def left(version: str) -> list[str]:
        plan: Any = SimpleNamespace(
            labels=lambda: {"V": SimpleNamespace(images=str(folder), label="V"), "OURS": SimpleNamespace(images="")},
            version_of=lambda _entry: version,
        )
        told: list[Any] = []
        config: Any = SimpleNamespace(hook=SimpleNamespace(pytest_deselected=lambda items: told.extend(items)))
        items = [item(name, label) for name in asked for label in ("V", "OURS")]
        gone = drop_without_image(config, items, plan)
        ours = [one.nodeid.partition("[")[2].partition("-@")[0] for one in items if "OURS" in one.nodeid]
        assert gone == told and ours == [one for one in asked if one != "reset" or version < "3.0.0"]
        return [one.nodeid.partition("[")[2].partition("-@")[0] for one in items if "@V" in one.nodeid]

    assert left("2.3.0") == ["successor", "reset", "made", "nothing"]
    assert left("2.2.1") == ["successor", "nothing"]
    assert left("9.9.9") == ["nothing"]
