"""Packets above a size disappear."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.wire.faults.base import Fault


class MtuBlackHole(Fault):
    """IP packets longer than ``mtu`` bytes; ``silent``: without the ICMP message that path MTU discovery lives by, in
    which Linux believes no less than 552."""

    known_as: ClassVar[tuple[str, ...]] = ("mtu",)
    fault: Literal["mtu_black_hole"] = "mtu_black_hole"
    mtu: int = Field(default=576, ge=68, le=65535)
    silent: bool = True
