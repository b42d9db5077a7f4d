"""A packet is overtaken by later ones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.wire.faults.base import Fault, Milliseconds


class Reorder(Fault):
    """It is delivered after ``gap`` later packets of its direction, or ``wait_ms``, whichever comes first."""

    fault: Literal["reorder"] = "reorder"
    gap: int = Field(default=1, ge=1)
    wait_ms: Milliseconds = 200.0
