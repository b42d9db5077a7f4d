# SPDX-License-Identifier: GPL-2.0-only
"""Fault ``reset``: both ends of the terminal's connection get a RST that looks as if the other had sent it.

A receiver obeys only a reset whose sequence number is exactly the one it expects (RFC 5961), and resetting one end
would leave the other ESTABLISHED; so both are reset, and again whenever a packet under way moved the number.
"""

from __future__ import annotations

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness.wire.injector.flows import ACQUIRER, TERMINAL, Flow

OTHER = {TERMINAL: ACQUIRER, ACQUIRER: TERMINAL}
MOMENTS = ("now", "after_request", "response_begins")


def reset_frame(flow: Flow, victim: str) -> bytes:
    """The whole Ethernet frame that resets ``victim``, in the name of the other side."""
    sender = OTHER[victim]
    (source, sport), (destination, dport) = flow.endpoints[sender], flow.endpoints[victim]
    packet = (
        Ether(src=flow.mac[sender].hex(":"), dst=flow.mac[victim].hex(":"))
        / IP(src=source, dst=destination, id=0, flags="DF")
        / TCP(sport=sport, dport=dport, seq=flow.next[sender], ack=flow.next[victim], flags="RA", window=0)
    )
    return bytes(packet)


def strikes(moment: str, sender: str, payload: bytes) -> bool:
    """Whether a passing segment is the moment that was waited for."""
    if not payload:
        return False
    return sender == (TERMINAL if moment == "after_request" else ACQUIRER)
