"""The boot loader's services in memory, for the tests of the reference firmware alone."""

from __future__ import annotations

from typing import Any

from harness.emulator.image import ImageRefused, check_fit, public_key_bytes, read
from harness.tests.emulator_bench import BOOT_KEY
from harness.tests.firmware_flash import BLOCK, BLOCKS, MemoryFlash

KEY = public_key_bytes(BOOT_KEY.read_text("ascii"))


class FakeBoot:
    """``spare`` is a slot; ``asked``: a trial was requested. ``found`` replaces parts of what the slot holds."""

    def __init__(self, model: str, spare: MemoryFlash | None = None) -> None:
        self.trial, self.returned, self.counter = False, "", 1
        self.spare = spare or MemoryFlash(b"\xff" * BLOCK * BLOCKS)
        self.spare.block_count = BLOCKS - 1
        self.asked = False
        self.found: dict[str, Any] = {}
        self._model = model

    def check_spare(self) -> dict[str, Any]:
        try:
            image = read(bytes(self.spare.content), KEY)
            check_fit(image, self._model)
        except ImageRefused as refusal:
            return {"refused": refused_as(refusal.reason), "reason": refusal.reason}
        return {
            "refused": "", "reason": "", "name": image.name, "version": image.version, "models": image.models,
            "data_format": image.data_format, "counter": 1, "resets": False, "size": image.size, "sha256": image.sha256,
        } | self.found

    def request_trial(self) -> None:
        self.asked = True

    def confirm(self) -> None:
        self.trial = False


def refused_as(reason: str) -> str:
    """The boot loader's word for it."""
    if "sign" in reason:
        return "signature"
    return "model" if "not for" in reason else "empty" if "empty" in reason else "damaged"
