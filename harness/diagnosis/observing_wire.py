"""Signs on the wire: what the host answered, what became of connections, what all packets were."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from harness.checkers.exchanges import Exchange, exchanges_of
from harness.checkers.reading import Reading
from harness.diagnosis.judging import Seen
from harness.history.diagnosis_events import WireLooked
from harness.history.events import WireBytes
from harness.protocol.profile import Profile

TROUBLE = frozenset({"06", "09", "22", "68", "90", "91", "92", "96", "98"})
REFUSED = frozenset({"30", "40", "94"})
KEYS = frozenset({"99", "A0", "A7"})
MERCHANT, SUSPENDED = "03", "58"
SLOW_MS = 400.0
AGAIN = 2  # so often sent again is more than chance


def sign_of_code(code: str, profile: Profile, *, card: bool) -> str | None:
    """The sign that a declining response code is. ``card``: it answers a request that presents one; None: this code
    says nothing of the terminal."""
    if code in profile.not_registered:
        return "code_not_registered"
    if code == MERCHANT:
        return "code_merchant"
    if code == SUSPENDED:
        return "code_suspended"
    if code in KEYS:
        return "code_keys"
    if code in profile.force_sign_in:
        return "code_sign_in"
    if code in TROUBLE:
        return "code_trouble"
    if code in REFUSED:
        return "code_refused"
    return "code_card" if card else None


def answers(reading: Reading) -> Iterator[Seen]:
    """What answered each request. A MAC is not looked at: nobody outside has the key."""
    for exchange in exchanges_of(reading.connections, (), ()):
        if exchange.code is None or exchange.response is None:
            continue
        sign = _sign_of(exchange, reading.profile)
        if sign is not None:
            about = "" if exchange.code in reading.profile.success else exchange.code
            of = whose(reading, exchange.mid, exchange.tid)
            yield Seen(sign, (exchange.request.seq, exchange.response.seq), exchange.response.t, about, of)


def whose(reading: Reading, mid: str, tid: str) -> str:
    """Which merchant that is, MID and TID, where several share the terminal; a blank number is nobody's."""
    return f"{mid.strip()}/{tid.strip()}" if reading.model.identities > 1 and mid.strip() and tid.strip() else ""


def askers(reading: Reading) -> list[tuple[int, str]]:
    """When (ns) which merchant asked the host, in order; none where the terminal is one merchant's."""
    if reading.model.identities < 2:
        return []
    return [(one.t, whose(reading, one.mid, one.tid)) for one in exchanges_of(reading.connections, (), ())]


def last_asker(asked: Sequence[tuple[int, str]], start: int, end: int) -> str:
    """The last of them in that time, "" where none did."""
    index = bisect_right(asked, end, key=lambda pair: pair[0])
    return asked[index - 1][1] if index and asked[index - 1][0] >= start else ""


def _sign_of(exchange: Exchange, profile: Profile) -> str | None:
    code = exchange.code or ""
    if exchange.mti in ("0400", "0320", "0500", "0620"):
        return None if code not in profile.not_registered or code in profile.settlement_success else (
            "code_not_registered"
        )
    if code in profile.success:
        if exchange.is_sign_in(profile):
            return "sign_in_approved"
        return "echo_approved" if exchange.transaction == "echo" else None
    return sign_of_code(code, profile, card=exchange.financial)


def connections(reading: Reading) -> Iterator[Seen]:
    for one in reading.connections:
        if one.refused is not None:
            yield Seen("wire_refused", (one.refused.seq,), one.refused.t, one.peer)
        if one.opened is not None:
            yield Seen("wire_connected", (one.opened.seq,), one.opened.t, one.peer)
        ended = one.ended
        if ended is not None and ended.by == "acquirer" and one.frames:
            yield Seen("wire_reset" if ended.state == "reset" else "wire_closed", (ended.seq,), ended.t)
    begun = {one.stream for one in reading.connections if one.opening or one.opened}
    for event in reading.all(WireBytes):
        if event.direction == "to_terminal" and event.stream in begun:
            yield Seen("wire_garbage", (event.seq,), event.t)


def packets(reading: Reading) -> Iterator[Seen]:
    """What the capture held while somebody looked."""
    for look in reading.all(WireLooked):
        for sign, about in _of_counts(look):
            yield Seen(sign, (look.seq,), look.t, about)


def _of_counts(look: WireLooked) -> Iterator[tuple[str, str]]:
    def count(name: str) -> int:
        return look.counts.get(name, 0)

    peers = ", ".join(look.peers)
    if not count("packets"):
        yield "packets_none", ""
    if look.asked_for:
        yield "arp_unanswered", ", ".join(look.asked_for)
    if count("dhcp_refused"):
        yield "dhcp_refused", ""
    elif count("dhcp_asked") and not count("dhcp_granted"):
        yield "dhcp_unanswered", ""
    if count("dns_unknown"):
        yield "name_unknown", ", ".join(look.names)
    elif count("dns_failed") or (count("dns_asked") and not count("dns_answered")):
        yield "name_failed", ""
    if count("icmp_refused"):
        yield "icmp_refused", peers
    elif count("syn") and not count("syn_answered") and not count("syn_refused"):
        yield "syn_unanswered", peers
    if count("sent_again") >= AGAIN:
        yield "sent_again", ""
    if count("got_again") >= AGAIN:
        yield "got_again", ""
    if count("sent") and not count("got") and count("acknowledged") and not count("sent_again"):
        yield "unanswered", ""
    if look.slowest_ms >= SLOW_MS:
        yield "slow", f"{look.slowest_ms:.0f} ms"
