"""Packets come more than once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.wire.faults.base import Fault, Milliseconds


class Duplicate(Fault):
    """``copies`` more of each, ``gap_ms`` apart."""

    fault: Literal["duplicate"] = "duplicate"
    copies: int = Field(default=1, ge=1, le=100)
    gap_ms: Milliseconds = 0.0
