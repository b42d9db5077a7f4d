"""What the factory does to a new terminal: formats the file system and programs slot A with a confirmed image."""

from __future__ import annotations

from pathlib import Path

from harness.emulator.flash import Flash
from harness.emulator.nor import FILE_SYSTEM, LARGEST_IMAGE, SLOT_A, Region
from harness.emulator.slots import factory_slot
from harness.errors import BadInput


def open_flash(path: Path, image: Path | None) -> Flash:
    """The flash in ``path``. A new one gets an empty littlefs and, if given, ``image``; an old one stays as it is."""
    content = b""
    if image is not None:
        try:
            content = image.read_bytes()
        except OSError as error:
            raise BadInput(f"the image can't be read: {error.strerror}", where=str(image)) from error
    flash = Flash(path)
    if flash.new:
        format_file_system(flash)
        if content:
            program_slot(flash, SLOT_A, content)
    return flash


def program_slot(flash: Flash, slot: Region, image: bytes) -> None:
    """Puts an image into a slot, confirmed, whatever it is: the boot loader judges it."""
    if len(image) > LARGEST_IMAGE:
        raise BadInput(f"{len(image)} bytes do not fit into the {LARGEST_IMAGE} of the slot")
    flash.write_in_factory(slot, factory_slot(image))


def format_file_system(flash: Flash) -> None:
    """An empty littlefs of the whole partition."""
    from littlefs import LittleFS

    flash.write_in_factory(FILE_SYSTEM, b"")
    partition = flash.partition(FILE_SYSTEM, fatal=True)
    LittleFS(context=partition.littlefs_context(), mount=False, block_size=partition.block_size,
             block_count=partition.block_count).format()
    flash.forget_operations()
