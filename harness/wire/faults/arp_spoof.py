"""Somebody else answers for the peer: its packets go to another card."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.wire.faults.base import Fault


class ArpSpoof(Fault):
    """Every ARP answer carries ``mac`` (default: one that nobody has); ``to_terminal``: those about the peer. When it
    is healed, or the injector dies, whoever was lied to is told the truth.
    """

    fault: Literal["arp_spoof"] = "arp_spoof"
    mac: str = Field(default="02:97:97:97:97:97", pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")
