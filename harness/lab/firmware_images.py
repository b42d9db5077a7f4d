"""The firmware images of a run: what is booted, and from which versions it is updated. Found, checked or built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulator.shipped import (
    REFERENCE_VERSION,
    TEST_KEY,
    TEST_PUBLIC_KEY,
    firmware_sources,
    version_sources,
)
from harness.errors import BadInput
from harness.given_file import head

if TYPE_CHECKING:
    from harness.emulator.image import Application

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:\+(\d+))?")


@dataclass(frozen=True)
class Image:
    """A firmware image of a run: where it is, and what it says of itself."""

    path: str
    name: str
    version: str
    sha256: str


def split(text: str | None) -> tuple[str, ...]:
    """What ``--from`` says: "1.0.0,old.img" -> ("1.0.0", "old.img"), each once."""
    return tuple(dict.fromkeys(one.strip() for one in (text or "").split(",") if one.strip()))


def version_key(version: str) -> tuple[int, int, int, int]:
    """MAJOR.MINOR.REVISION[+BUILD] in the order of the boot loader. BadInput where it is none."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise BadInput(f"{version!r} is no version MAJOR.MINOR.REVISION[+BUILD]")
    major, minor, revision, build = (int(part or 0) for part in found.groups())
    return major, minor, revision, build


def released() -> Mapping[str, Path]:
    """version -> source of each shipped reference version, oldest first: what units may run before an update."""
    return version_sources()


def resets_above(version: str) -> tuple[str, ...]:
    """The released versions above that one which begin with nothing stored, by design."""
    from harness.emulator.source import load_source

    above = (one for one in released() if version_key(one) > version_key(version))
    return tuple(one for one in above if load_source(released()[one]).resets)


def check_firmware(firmware: str) -> Image | None:
    """The image that ``firmware`` names, checked, or None where it is a source. BadInput where it is neither."""
    shipped = firmware_sources()
    source = shipped.get(firmware, Path(firmware))
    if not source.exists():
        raise BadInput(
            f"firmware {firmware!r} is neither a shipped one nor an image file nor a source folder",
            remedy=f"shipped: {', '.join(sorted(shipped))}; or see docs/firmware-images.md",
        )
    return None if source.is_dir() else existing(source)


def make_image(firmware: str, folder: Path) -> Image:
    """The inventory's ``firmware``: a shipped name (:func:`firmware_sources`), an image, or a source folder to build,
    in the version that the source says. A run has an image that is given as a file in a copy of its own, so that all
    its benches run what was checked, whatever becomes of the file.

    Raises BadInput for what is none of these, can't be built, or is a damaged image (with the offset).
    """
    shipped = firmware_sources()
    image = check_firmware(firmware)
    if image is not None:
        return _copied(image, folder)
    return _built(shipped.get(firmware, Path(firmware)), "", folder, Path(firmware).name)


def check_from(names: Iterable[str]) -> None:
    """Versions to update from: each a released one, or an image file. BadInput for what is neither."""
    known = released()
    for name in names:
        if name in known:
            continue
        if not Path(name).exists():
            raise BadInput(
                f"{name!r} is neither a released version nor an image file, so nothing can be updated from it",
                remedy=f"released: {', '.join(known)}; or name the image of a version of yours",
            )
        existing(Path(name))


def make_from(names: Iterable[str], folder: Path) -> dict[str, Image]:
    """name -> image of each version to update from, in their order. BadInput as :func:`check_from`."""
    names = list(dict.fromkeys(names))
    check_from(names)
    known = released()
    return {
        name: (
            _built(known[name], name, folder, f"from-{name}") if name in known
            else _copied(existing(Path(name)), folder)
        )
        for name in names
    }


def existing(path: Path) -> Image:
    """An image file, checked with the test key: sound, nothing behind it, no larger than a slot holds. BadInput with
    the offset where it is not, and where it can't be read."""
    application = _application(path)
    return Image(str(path.resolve()), application.name, application.version, application.sha256)


def check_fits(path: Path, model: str) -> None:
    """That an image file is for that model and for this Python. BadInput where not, or as :func:`existing`."""
    from harness.emulator.image import ImageRefused, check_fit

    try:
        check_fit(_application(path), model)
    except ImageRefused as error:
        raise BadInput(
            f"the firmware image does not fit {model}: {error.reason}",
            where=f"{path}: offset {error.offset}",
            remedy="build it for that model and with this Python, or name an inventory without that model",
        ) from error


def image_bytes(path: Path) -> bytes:
    """What is in an image file. BadInput where it is no regular file, ImageRefused where no slot holds it, OSError."""
    from harness.emulator.image import ImageRefused
    from harness.emulator.nor import LARGEST_IMAGE

    data = head(path, LARGEST_IMAGE + 1)
    if len(data) > LARGEST_IMAGE:
        size = max(len(data), path.stat().st_size)
        raise ImageRefused(f"{size} bytes do not fit into the {LARGEST_IMAGE} of the slot", LARGEST_IMAGE)
    return data


def _application(path: Path) -> Application:
    from harness.emulator.image import ImageRefused, public_key_bytes, read

    try:
        data = image_bytes(path)
        application = read(data, public_key_bytes(TEST_PUBLIC_KEY.read_text(encoding="ascii")))
        if application.size != len(data):
            raise ImageRefused("bytes after the end of the image", application.size)
    except OSError as error:
        raise BadInput(f"the firmware image can't be read: {error.strerror or error}", where=str(path)) from error
    except ImageRefused as error:
        raise BadInput(
            f"the firmware image is refused: {error.reason}",
            where=f"{path}: offset {error.offset}",
            remedy="build it again: hil97 firmware build --help",
        ) from error
    return application


def _copied(image: Image, folder: Path) -> Image:
    """The same in ``folder``, checked there."""
    from harness.emulator.nor import LARGEST_IMAGE

    kept = folder / image.sha256[:12] / Path(image.path).name
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        kept.write_bytes(head(Path(image.path), LARGEST_IMAGE + 1))
    except OSError as error:
        raise BadInput(f"the image can't be copied: {error.strerror}", where=image.path) from error
    copied = existing(kept)
    if copied.sha256 != image.sha256:
        raise BadInput("the image was changed while it was read", where=image.path, remedy="let its build end first")
    return copied


def _built(source: Path, version: str, folder: Path, name: str) -> Image:
    from harness.emulator.build import build_source
    from harness.emulator.source import load_source

    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{name}.img"
    loaded = load_source(source)
    info = build_source(loaded, version or loaded.version or REFERENCE_VERSION, TEST_KEY, output)
    return Image(str(output), info.name, info.version, info.sha256)
