"""Nothing passes, ARP included: one way or both, between the terminal and all or one of its peers."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import Fault


class Partition(Fault):
    """``match.address``: the peer; None: all."""

    fault: Literal["partition"] = "partition"
