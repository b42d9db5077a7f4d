"""Images for a firmware test that only who can sign them can make: sound ones, and ones that a terminal must refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.history.base import Firmware

FLAWS: Mapping[str, str] = {
    "corrupt": "a bit in the middle is changed, the hash no longer fits",
    "truncated": "the end is missing",
    "oversized": "longer than a slot",
    "empty": "no bytes at all",
    "wrong_model": "made for another model, and signed",
    "unsigned": "without a signature",
    "foreign_key": "signed with a key that the terminal does not know",
    "older_counter": "its security counter is below the terminal's",
    "older_version": "its version is not above the one that runs",
    "wrong_data_format": "it can't take over what is stored: its data format is older than the terminal's",
    "self_test": "sound to look at; its self-test fails at the first start",
    "hangs": "sound to look at; it hangs at the first start, before it is confirmed",
    "crashes": "sound to look at; it ends with an error at the first start, before it is confirmed",
}
TURNED_BACK = ("self_test", "hangs", "crashes")  # these may be installed; the terminal has to come back by itself


@dataclass(frozen=True)
class ImageFile:
    """An image and what the bench knows of it, as :class:`harness.history.update_events.ImageOffered` tells it.

    ``flaw``: one of :data:`FLAWS`, "" sound. What a vendor does not say of an image is () or 0.
    """

    path: Path
    firmware: Firmware
    models: tuple[str, ...] = ()
    data_format: int = 0
    counter: int = 0
    resets: bool = False
    flaw: str = ""


class ImageSet(Protocol):
    """What can be given to a terminal that runs a certain version. None: nobody has made it, and the test can't tell.

    ``releases``: the sound images that may be installed over that version; ``successor``: the first of them.
    """

    @property
    def releases(self) -> tuple[ImageFile, ...]: ...
    def successor(self) -> ImageFile | None: ...
    def flawed(self, flaw: str) -> ImageFile | None: ...


class NoImages:
    """The set of a bench whose images nobody gave."""

    releases: tuple[ImageFile, ...] = ()

    def successor(self) -> ImageFile | None:
        return None

    def flawed(self, flaw: str) -> ImageFile | None:
        return None


def open_image_set(*, version: str, images: Path | None, running: Path | None, scratch: Path) -> ImageSet:
    """The set for a terminal that runs ``version``: the vendor's folder ``images`` if the bench names one, otherwise
    made in ``scratch`` from the image ``running``, if that was signed with the test key. Raises :class:`BadInput`."""
    if images is not None:
        from harness.lab.vendor_images import VendorImages

        return VendorImages(images, version)
    if running is not None:
        from harness.emulator.image_set import MadeImages

        return MadeImages(running, scratch)
    return NoImages()
