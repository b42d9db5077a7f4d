"""A connection goes silent: nothing of it passes any more, and nobody is told."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.wire.faults.base import Fault


class Timeout(Fault):
    """From the moment on, for connections that stood then; new ones are not touched."""

    known_as: ClassVar[tuple[str, ...]] = ("silence",)
    fault: Literal["timeout"] = "timeout"
