"""The boot loader's services to the application that it started: ``board.boot`` (app/hardware.py: ``Boot``).

They work on any chip (:class:`harness.emulator.nor.Nor`), so that tests of the application use the same ones.
"""

from __future__ import annotations

from typing import Any

from harness.emulator import slots
from harness.emulator.image import Application, ImageRefused
from harness.emulator.nor import BLOCK, Nor, Partition, Region
from harness.emulator.slots import OTHER, Choice, Returned, Slot, Verifier


class Services:
    """``choice``: what was started. ``fatal``: as of :class:`Partition`, for the spare slot."""

    def __init__(self, nor: Nor, choice: Choice, verifier: Verifier, *, fatal: bool) -> None:
        if choice.slot is None or choice.application is None:
            raise ValueError("nothing was started")
        self._nor, self._verifier = nor, verifier
        self._slot: Slot = choice.slot
        self._running: Application = choice.application
        self.trial: bool = choice.trial
        self.returned: Returned = choice.returned
        self._counter = choice.counter
        self.spare = Spare(self, nor, OTHER[self._slot], fatal=fatal)

    @property
    def counter(self) -> int:
        """The lowest that is accepted: that of what runs, once that is confirmed."""
        return self._counter if self.trial else max(self._counter, self._running.counter)

    def check_spare(self) -> dict[str, Any]:
        """As the boot loader would check it at the next reset. ``refused``: "", or empty, damaged, signature, model or
        old; then ``reason`` in words."""
        try:
            found = self._verifier.check(self._nor.read(slots.image_region(OTHER[self._slot])))
            if found.counter < self.counter:
                raise ImageRefused(f"security counter {found.counter} is below {self.counter}", 0, "old")
            if found.order <= self._running.order:
                raise ImageRefused(f"version {found.version} is not above {self._running.version}", 0, "old")
        except ImageRefused as refusal:
            return {"refused": refusal.kind, "reason": refusal.reason}
        return {"refused": "", "reason": "", "name": found.name, "version": found.version, "models": found.models,
                "data_format": found.data_format, "counter": found.counter, "resets": found.resets, "size": found.size,
                "sha256": found.sha256}

    def request_trial(self) -> None:
        """Marks the spare slot: one program; none if it is marked already."""
        if not slots.read_trailer(self._nor, OTHER[self._slot]).magic:
            slots.mark_wanted(self._nor, OTHER[self._slot])

    def confirm(self) -> None:
        """Marks what runs: one program; none if it is confirmed already."""
        if self.trial:
            slots.mark_confirmed(self._nor, self._slot)
            self.trial = False


class Spare(Partition):
    """The slot that does not run, without its trailer, as a block device.

    The first change of it takes its marks away (one erase, if there are any), so that half an image can never pass for
    the one that was confirmed there. While the image that runs is on trial the spare slot is the way back: changing it
    then is a violation.
    """

    def __init__(self, services: Services, nor: Nor, slot: Slot, *, fatal: bool) -> None:
        super().__init__(nor, slots.image_region(slot), fatal=fatal)
        self._services, self._trailer = services, Region(slots.trailer_at(slot), BLOCK)

    def program(self, block: int, offset: int, data: bytes) -> None:
        self._before_change()
        super().program(block, offset, data)

    def erase(self, block: int) -> None:
        self._before_change()
        super().erase(block)

    def _before_change(self) -> None:
        if self._services.trial:
            self._violated("the spare slot is the way back while what runs is on trial")
        if self._nor.read(self._trailer) != b"\xff" * BLOCK:
            self._nor.erase(self._trailer.offset)


