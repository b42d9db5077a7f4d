"""Bits of a packet are turned over."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.wire.faults.base import Fault


class Corrupt(Fault):
    """``bits`` of them, behind the TCP or UDP header, at ``offset`` (bytes into the payload) or wherever the seed says.
    Where ``fix_checksum`` is set, the receiver's TCP can't tell, and the damage reaches the application; otherwise TCP
    drops the packet, and repeats it. Under TLS too: the record is found out.
    """

    fault: Literal["corrupt"] = "corrupt"
    bits: int = Field(default=1, ge=1, le=64)
    offset: int | None = Field(default=None, ge=0)
    fix_checksum: bool = False
