"""The name server of the line: it knows a few names and is sure that there are no others. Messages by ``dnslib``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dnslib import QTYPE, RCODE, RR, SOA, A, DNSError, DNSRecord

ZONE = "hil97.test"  # RFC 6761: never a name of the real world
NO_S = 5  # for how long a "no such name" may be believed


@dataclass(frozen=True)
class Reply:
    """What goes back, and in words what it says to which question."""

    data: bytes
    name: str
    says: str


def answer(data: bytes, names: Mapping[str, str], ttl: int) -> Reply | None:
    """The reply to a question; ``names``: in small letters, to addresses. None where these bytes are no question."""
    try:
        asked = DNSRecord.parse(data)
    except (DNSError, ValueError, IndexError, UnicodeError):
        return None
    if asked.header.qr or len(asked.questions) != 1:
        return None
    reply = asked.reply(aa=1, ra=1)
    name = str(asked.q.qname).rstrip(".").lower()
    address = names.get(name)
    if address is None:
        reply.header.rcode = RCODE.NXDOMAIN
    elif asked.q.qtype == QTYPE.A:
        reply.add_answer(RR(asked.q.qname, QTYPE.A, ttl=ttl, rdata=A(address)))
    if not reply.rr:
        times = (1, NO_S, NO_S, NO_S, NO_S)
        reply.add_auth(RR(ZONE, QTYPE.SOA, ttl=NO_S, rdata=SOA(f"ns.{ZONE}", f"hostmaster.{ZONE}", times)))
    return Reply(reply.pack(), name, str(address) if reply.rr else "no such name" if address is None else "no address")
