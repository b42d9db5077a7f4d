"""Events that somebody leaves who looks for a cause: what all packets were, what the acquirer's back office says."""

from __future__ import annotations

from typing import Literal

from harness.history.base import Event, Moment


class WireLooked(Event):
    """What passed the terminal's port from ``since`` to ``t`` (ns), counted from the capture; ``first`` and ``last``
    packet in ``wire.pcapng``.

    ``counts``: packets (of the terminal's), arp_asked, arp_answered, dhcp_asked, dhcp_offered, dhcp_granted,
    dhcp_refused, dns_asked, dns_answered, dns_unknown, dns_failed, syn, syn_answered, syn_refused, icmp_refused, sent
    (segments with data to the host), sent_again, got, got_again, acknowledged, reset_by_host; ``slowest_ms``: of a SYN
    and its answer. ``asked_for``: addresses that the terminal looked for by ARP and got no answer; ``names`` that it
    asked a name server for; ``peers``: address:port of each connection that it tried.
    """

    kind: Literal["wire.looked"] = "wire.looked"
    since: Moment
    first: int
    last: int
    counts: dict[str, int]
    slowest_ms: float = 0.0
    asked_for: list[str] = []
    names: list[str] = []
    peers: list[str] = []


class HostLookedUp(Event):
    """What the acquirer's back office says of the identity that the terminal has, and of itself.

    ``merchant``: active, suspended, closed, missing. ``terminal``: active, suspended, pending, rejected, approved,
    removed, unbound, dormant, missing. ``sign_state``: signed_in, signed_out, closed, "". ``bound``: the unit's serial
    number, "" any. ``elsewhere``: other merchants that have this TID. ``others``: terminal numbers of the same
    merchant. ``heard``: requests of this TID in the journal since ``since``. ``ways``: how the host may be reached
    (address:port, name), ``line``: the line's own addresses (router, name server), as on its sheet.
    """

    kind: Literal["host.looked_up"] = "host.looked_up"
    since: Moment
    mid: str
    tid: str
    merchant: str
    terminal: str
    sign_state: str = ""
    bound: str = ""
    elsewhere: list[str] = []
    others: list[str] = []
    heard: int = 0
    ways: list[str] = []
    line: list[str] = []


class Asked(Event):
    """Somebody asked the terminal something, to see what it says. ``answered`` False: nothing that could be read, in
    time; the terminal's answer itself is in other events."""

    kind: Literal["asked"] = "asked"
    question: str
    answered: bool


DiagnosisEvent = WireLooked | HostLookedUp | Asked
