"""The name server fails."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.wire.faults.base import Fault, Ipv4, Level, Seconds


class Dns(Fault):
    """``answer``: no such name, the server fails, a wrong address, the right one ``delay_s`` late, or none."""

    level: ClassVar[Level] = "service"
    fault: Literal["dns"] = "dns"
    answer: Literal["nxdomain", "servfail", "wrong", "slow", "drop"] = "nxdomain"
    address: Ipv4 = "10.97.0.97"
    delay_s: Seconds = 5.0
