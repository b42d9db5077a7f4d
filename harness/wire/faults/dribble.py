"""A message comes in small pieces."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.wire.faults.base import MessageFault, Milliseconds


class Dribble(MessageFault):
    """Pieces of ``size`` bytes, give or take ``variation``, ``gap_ms`` apart. One byte at a time: the default."""

    known_as: ClassVar[tuple[str, ...]] = ("slicer",)
    fault: Literal["dribble"] = "dribble"
    size: int = Field(default=1, ge=1)
    variation: int = Field(default=0, ge=0)
    gap_ms: Milliseconds = 1.0
