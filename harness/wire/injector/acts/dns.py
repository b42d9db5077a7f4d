# SPDX-License-Identifier: GPL-2.0-only
"""Questions to a name server are answered in its name, come late, or are lost (RFC 1035)."""

from __future__ import annotations

from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRSOA
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from harness.wire.faults.base import Side
from harness.wire.faults.dns import Dns
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import OTHER, Packet, Sending

PORT = 53
_NO_SUCH_NAME, _SERVER_FAILURE = 3, 2
_S = 1_000_000_000


class Act(PacketAct[Dns]):
    kind = "udp"
    port = PORT

    def fits(self, frame: bytes, came: Side) -> bool:
        return came == "terminal" and question(frame) is not None

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        fault = self.fault
        if fault.answer == "drop":
            return [], "the question is lost"
        if fault.answer == "slow":
            at = now + int(fault.delay_s * _S)
            late = Sending(packet.frame, OTHER[packet.came], at=at, of=packet)
            return [late], f"the question comes {fault.delay_s:g} s late"
        asked = question(packet.frame)
        assert asked is not None
        name = asked.qd[0].qname.decode("ascii", "replace").rstrip(".")
        frame, said = _answer(fault, Ether(packet.frame), asked)
        return [Sending(frame, packet.came)], f"{name}: {said}"


def question(frame: bytes) -> DNS | None:
    """The question in an Ethernet frame; None where there is none that can be answered."""
    try:
        found = Ether(frame)
        if UDP not in found or DNS not in found:
            return None
        asked: DNS = found[DNS]
        return asked if not asked.qr and asked.qdcount == 1 and isinstance(asked.qd[0], DNSQR) else None
    except Exception:  # scapy raises whatever its layers raise on wild bytes
        return None


def _answer(fault: Dns, frame: Ether, asked: DNS) -> tuple[bytes, str]:
    """The frame that goes back, and what it says."""
    reply = DNS(id=asked.id, qr=1, rd=asked.rd, ra=1, qd=asked.qd[0], an=[], ns=[], ar=[])
    if fault.answer == "wrong":
        reply.aa = 1
        reply.an = [DNSRR(rrname=asked.qd[0].qname, type="A", ttl=int(fault.ttl_s), rdata=fault.address)]
        said = f"a wrong address, {fault.address}"
    elif fault.answer == "servfail":
        reply.rcode = _SERVER_FAILURE
        said = "the server fails"
    else:
        reply.rcode = _NO_SUCH_NAME
        ttl = int(fault.ttl_s)
        reply.ns = [DNSRRSOA(rrname=".", ttl=ttl, mname="ns.", rname="hostmaster.", serial=1, refresh=ttl, retry=ttl,
                             expire=ttl, minimum=ttl)]
        said = "no such name"
    sent = (
        Ether(src=frame.dst, dst=frame.src)
        / IP(src=frame[IP].dst, dst=frame[IP].src)
        / UDP(sport=frame[UDP].dport, dport=frame[UDP].sport)
        / reply
    )
    return bytes(sent), said
