"""The end of a connection is late: the FIN is kept back."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import Fault, Seconds


class SlowClose(Fault):
    """``delay_s`` between a FIN and its delivery."""

    fault: Literal["slow_close"] = "slow_close"
    delay_s: Seconds = 5.0
