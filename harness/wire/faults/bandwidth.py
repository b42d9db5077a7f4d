"""The link carries only so much."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.wire.faults.base import Fault


class Bandwidth(Fault):
    """``kbit_s`` in each direction, ``burst_bytes`` at once; what does not fit into ``queue_bytes`` is dropped."""

    known_as: ClassVar[tuple[str, ...]] = ("rate",)
    fault: Literal["bandwidth"] = "bandwidth"
    kbit_s: float = Field(default=9.6, gt=0)
    burst_bytes: int = Field(default=1600, ge=64)
    queue_bytes: int = Field(default=65536, ge=1600)
