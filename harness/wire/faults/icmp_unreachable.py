"""Packets are refused with an ICMP message to their sender."""

from __future__ import annotations

from typing import Literal

from harness.wire.faults.base import Fault


class IcmpUnreachable(Fault):
    """``code``: what the router says (RFC 792, RFC 1812)."""

    fault: Literal["icmp_unreachable"] = "icmp_unreachable"
    code: Literal["net", "host", "protocol", "port", "net_prohibited", "host_prohibited", "admin_prohibited"] = "host"
