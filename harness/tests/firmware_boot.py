"""The boot loader's services for the pure tests of the application: the real ones, over a chip in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.emulator import slots
from harness.emulator.image import PYTHON_TAG, Application, public_key_bytes, version_order
from harness.emulator.nor import MemoryNor
from harness.emulator.services import Services
from harness.emulator.shipped import TEST_PUBLIC_KEY
from harness.emulator.slots import Choice, Returned, Verifier

_KEY = public_key_bytes(TEST_PUBLIC_KEY.read_text("ascii"))


class FakeBoot(Services):
    """``version`` runs in slot A as the boot loader would have started it; no image is there, and slot B is spare.

    Images made with the test key are checked in earnest; a test without images sets ``verdict``, which is then what
    :meth:`check_spare` says. ``nor.operations`` holds every program and erase of the slots. ``wanted``: a trial was
    asked for; ``confirmed``: the one that runs was confirmed since this start.
    """

    def __init__(
        self, *, model: str = "HT-100", version: str = "1.0.0", data_format: int = 1, trial: bool = False,
        returned: Returned = "", counter: int = 0, nor: MemoryNor | None = None,
        verdict: Mapping[str, Any] | None = None,
    ) -> None:
        order = version_order(version)
        assert order is not None
        running = Application(
            "reference", version, order, 1, False, PYTHON_TAG, (model,), data_format, {}, frozenset(), 0, "",
        )
        self.nor = nor or MemoryNor()
        self.verdict = verdict
        choice = Choice("A", running, trial, returned, (), (), counter)
        super().__init__(self.nor, choice, Verifier(_KEY, model), fatal=False)
        self._was_on_trial = trial

    def check_spare(self) -> dict[str, Any]:
        return super().check_spare() if self.verdict is None else {"size": 0, **self.verdict}

    def load(self, image: bytes) -> None:
        """As if the application had programmed ``image`` into the spare slot."""
        self.nor.write_in_factory(slots.image_region("B"), image)

    @property
    def loaded(self) -> bytes:
        """The spare slot without its trailer."""
        return self.nor.read(slots.image_region("B"))

    @property
    def wanted(self) -> bool:
        return slots.read_trailer(self.nor, "B").magic

    @property
    def confirmed(self) -> bool:
        return self._was_on_trial and not self.trial
