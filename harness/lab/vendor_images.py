"""A vendor's images for firmware tests: a folder with ``images.yaml``, described in docs/firmware-update.md."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.history.base import Firmware
from harness.lab.documents import Document, Problem, read_document
from harness.lab.image_set import FLAWS, ImageFile

FILE = "images.yaml"
_STRICT = ConfigDict(extra="forbid", frozen=True)
_Text = Annotated[str, Field(min_length=1, max_length=200)]
_U32 = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]


class ImageDocument(BaseModel):
    """One image as written. ``installs_over``: the versions that run when it is given, word for word as the terminal
    tells them."""

    model_config = _STRICT
    file: _Text
    name: _Text
    version: _Text
    installs_over: Annotated[list[_Text], Field(min_length=1)]
    flaw: str = ""
    models: list[_Text] = []
    data_format: _U32 = 0
    counter: _U32 = 0
    resets: bool = False


class ImagesDocument(BaseModel):
    """The whole file."""

    model_config = _STRICT
    title: str = ""
    images: Annotated[list[ImageDocument], Field(min_length=1)]


def load_images(folder: Path) -> tuple[ImageDocument, ...]:
    """Reads and checks ``images.yaml`` of ``folder``. Raises :class:`BadInput` that points at every problem."""
    document = read_document(folder / FILE, ImagesDocument)
    count = len(document.value.images)
    problems = [problem for index in range(count) for problem in _problems(document, folder, index)]
    if problems:
        document.refuse(problems)
    return tuple(document.value.images)


class VendorImages:
    """The :class:`harness.lab.image_set.ImageSet` of a vendor's ``folder`` for a terminal that runs ``version``."""

    def __init__(self, folder: Path, version: str) -> None:
        self._folder = folder
        self._fitting = [one for one in load_images(folder) if version in one.installs_over]

    @property
    def releases(self) -> tuple[ImageFile, ...]:
        return tuple(self._described(one) for one in self._fitting if not one.flaw)

    def successor(self) -> ImageFile | None:
        return self._first("")

    def flawed(self, flaw: str) -> ImageFile | None:
        return self._first(flaw)

    def _first(self, flaw: str) -> ImageFile | None:
        return next((self._described(one) for one in self._fitting if one.flaw == flaw), None)

    def _described(self, image: ImageDocument) -> ImageFile:
        path = (self._folder / image.file).resolve()
        firmware = Firmware(name=image.name, version=image.version, sha256=_digest(path))
        return ImageFile(path, firmware, tuple(image.models), image.data_format, image.counter, image.resets,
                         image.flaw)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _problems(document: Document[ImagesDocument], folder: Path, index: int) -> list[Problem]:
    images = document.value.images
    image, place = images[index], ("images", index)
    found = []
    if image.flaw and image.flaw not in FLAWS:
        found.append(Problem((*place, "flaw"), f"there is no flaw {image.flaw}; there are {', '.join(FLAWS)}"))
    path = (folder / image.file).resolve()
    if not path.is_relative_to(folder.resolve()):
        found.append(Problem((*place, "file"), f"{image.file} is outside the folder of {FILE}"))
    elif not path.is_file():
        found.append(Problem((*place, "file"), f"there is no file {image.file} in the folder of {FILE}"))
    elif (path.stat().st_size == 0) != (image.flaw == "empty"):
        found.append(Problem((*place, "file"), "an image with the flaw empty has no bytes, every other has some"))
    for other in images[:index]:
        if other.file == image.file:
            found.append(Problem((*place, "file"), f"{image.file} is here for the second time"))
        shared = [version for version in image.installs_over if version in other.installs_over]
        if image.flaw and other.flaw == image.flaw and shared:
            text = f"for {shared[0]} there is an image with the flaw {image.flaw} already: {other.file}"
            found.append(Problem((*place, "installs_over"), text))
    if not image.flaw and image.version in image.installs_over:
        found.append(Problem((*place, "installs_over"), f"{image.version} can't be installed over itself"))
    return found
