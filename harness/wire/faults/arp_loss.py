"""ARP is not answered: neighbours are not found."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import Fault


class ArpLoss(Fault):
    """Requests and answers are lost by ``percent``."""

    fault: Literal["arp_loss"] = "arp_loss"
