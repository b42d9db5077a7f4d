"""Requests and what became of them, from the frames and connections that the tap saw.

An :class:`Exchange` is one request of the terminal and the response that answers it, if one does
(``harness.protocol.codes.answers``). Whether the terminal can have got the answer is read from the connection (who
ended it, when), the link and the power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.checkers.decoding import decoded
from harness.checkers.tables import STORED
from harness.checkers.timeline import END, SECOND, Span, span_at
from harness.history.events import WireConnection, WireFrame
from harness.protocol.codes import answers, transaction_name
from harness.protocol.frames import Frame
from harness.protocol.profile import Profile

MACED_REQUESTS = frozenset({"0100", "0200", "0220", "0400"})
FINANCIAL_REQUESTS = frozenset({"0100", "0200", "0220"})
CROSSING_NS = SECOND // 20  # a response and the terminal's FIN nearer than this: either may have come first to it

Mac = Literal["ok", "bad", "absent", "unverifiable"]
Outcome = Literal["answered", "late", "bad_mac", "mismatch", "none"]


@dataclass
class Connection:
    """One TCP connection of the terminal. Event fields are None where the tap saw no such thing."""

    stream: int
    opening: WireConnection | None = None
    opened: WireConnection | None = None
    refused: WireConnection | None = None
    ended: WireConnection | None = None  # the first FIN or RST, from whichever side
    given_up: WireConnection | None = None  # the first FIN or RST from the terminal
    reset: WireConnection | None = None  # the first RST from the terminal
    frames: list[WireFrame] = field(default_factory=list)

    @property
    def t(self) -> int:
        """When it was first seen (ns)."""
        states = (self.opening, self.opened, self.refused, self.ended)
        return min([e.t for e in states if e] + [f.t for f in self.frames[:1]])

    @property
    def last(self) -> int:
        """When it was last seen in use (ns)."""
        states = (self.opening, self.opened, self.refused, self.ended)
        return max([e.t for e in states if e] + [f.t for f in self.frames[-1:]])

    @property
    def peer(self) -> str:
        """Address and port of the host, "" where the log does not tell."""
        return next((e.peer for e in (self.opening, self.opened, self.refused, self.ended) if e and e.peer), "")

    @property
    def fate(self) -> Literal["used", "open", "refused", "no_answer"]:
        """used: frames went over it. open: connected, no frame. refused: RST to the SYN. no_answer: only a SYN."""
        if self.frames:
            return "used"
        if self.refused:
            return "refused"
        return "open" if self.opened else "no_answer"


@dataclass(frozen=True)
class Exchange:
    """One request of the terminal, and what became of it.

    ``outcome``: answered (in time, MAC acceptable: the only one that says anything about ``code``), late, bad_mac,
    mismatch (something came, but nothing that answers), none. ``definite_97`` is the rule's own term. ``mac_key`` and
    ``response_mac_key`` are the ``seq`` of the sign-in response whose key verified the MAC.
    """

    request: WireFrame
    sent: Frame
    response: WireFrame | None
    answer: Frame | None
    strays: tuple[WireFrame, ...]  # frames to the terminal meanwhile which answer nothing
    connection: Connection
    delivered: bool  # False: sent while the link was down
    lost: str  # why the response can't have reached the terminal ("link down", "power off"), or ""
    late: bool  # the terminal had given up before the response came
    request_mac: Mac = "absent"
    response_mac: Mac = "absent"
    mac_key: int | None = None
    response_mac_key: int | None = None
    outcome: Outcome = "none"
    definite_97: bool = False

    @property
    def t(self) -> int:
        """When the request was sent."""
        return self.request.t

    @property
    def answered_at(self) -> int | None:
        """When the last byte of the response passed the terminal's port."""
        return self.response.t if self.response else None

    @property
    def mti(self) -> str:
        return self.sent.mti

    @property
    def trace(self) -> str | None:
        return self.sent.fields.get(11)

    @property
    def mid(self) -> str:
        return self.sent.fields.get(42, "")

    @property
    def tid(self) -> str:
        return self.sent.fields.get(41, "")

    @property
    def amount(self) -> int | None:
        """F4 in cents."""
        value = self.sent.fields.get(4)
        return int(value) if value is not None and value.isdigit() else None

    @property
    def message_type(self) -> str:
        """60.1, two digits, or ""."""
        return self.sent.message_type

    @property
    def batch(self) -> str:
        """60.2, six digits, or ""."""
        return self.sent.batch

    @property
    def network_code(self) -> str:
        """60.3, three digits, or ""."""
        return self.sent.network_code

    @property
    def transaction(self) -> str:
        """sign_in, echo, sale, void, reversal, settlement, batch_upload, batch_end... (``codes.transaction_name``)."""
        return transaction_name(self.sent)

    @property
    def code(self) -> str | None:
        """F39 of the response that answers, whether or not it counts (see ``outcome``)."""
        return self.answer.fields.get(39) if self.answer else None

    @property
    def financial(self) -> bool:
        """A new financial request: 0100, 0200, 0220."""
        return self.mti in FINANCIAL_REQUESTS

    @property
    def asks(self) -> bool:
        """A new financial request that asks the host: not the advice of what was accepted offline before."""
        return self.financial and self.transaction not in STORED

    @property
    def name(self) -> str:
        """For people: "sale 000012", "sign_in"."""
        return f"{self.transaction} {self.trace}" if self.trace else self.transaction

    @property
    def events(self) -> tuple[WireFrame, ...]:
        """Request and, where there is one, response."""
        return (self.request, self.response) if self.response else (self.request,)

    def is_sign_in(self, profile: Profile) -> bool:
        return self.mti == "0800" and self.network_code == profile.sign_in_network_code

    def approved(self, profile: Profile) -> bool:
        """Answered with a success code (of a 0400: one that means delivered; of a 0500: one that settles)."""
        accepted = {"0400": profile.reversal_success, "0500": profile.settlement_success}.get(self.mti, profile.success)
        return self.outcome == "answered" and self.code in accepted

    def declined(self, profile: Profile) -> bool:
        """Answered, and not approved."""
        return self.outcome == "answered" and not self.approved(profile)


def connections_of(frames: Sequence[WireFrame], states: Sequence[WireConnection]) -> tuple[Connection, ...]:
    """Connections in order of their beginning. A stream number that opens again is another connection."""
    current: dict[int, Connection] = {}
    found: list[Connection] = []
    events: list[WireFrame | WireConnection] = [*frames, *states]
    for event in sorted(events, key=lambda e: (e.t, e.seq)):
        connection = current.get(event.stream)
        again = (
            isinstance(event, WireConnection) and event.state == "opening" and connection is not None
            and connection.ended is not None
        )
        if connection is None or again:
            connection = current[event.stream] = Connection(event.stream)
            found.append(connection)
        if isinstance(event, WireFrame):
            connection.frames.append(event)
        elif event.state == "opening":
            connection.opening = connection.opening or event
        elif event.state == "open":
            connection.opened = connection.opened or event
        elif event.state == "refused":
            connection.refused = connection.refused or event
        else:
            connection.ended = connection.ended or event
            if event.by == "terminal":
                connection.given_up = connection.given_up or event
                if event.state == "reset":
                    connection.reset = connection.reset or event
    return tuple(found)


def exchanges_of(
    connections: Sequence[Connection], link_down: Sequence[Span], power_off: Sequence[Span]
) -> list[Exchange]:
    """The exchanges of all connections by time of request; MACs not yet judged (``harness.checkers.keyring`` does)."""
    found = [e for connection in connections for e in _exchanges_of_one(connection, link_down, power_off)]
    return sorted(found, key=lambda e: (e.request.t, e.request.seq))


@dataclass
class _Pending:
    request: WireFrame
    sent: Frame
    response: WireFrame | None = None
    answer: Frame | None = None
    strays: list[WireFrame] = field(default_factory=list)


def _exchanges_of_one(
    connection: Connection, link_down: Sequence[Span], power_off: Sequence[Span]
) -> list[Exchange]:
    pending: list[_Pending] = []
    for frame in connection.frames:
        decoded_frame = decoded(frame.hex)
        if frame.direction == "to_acquirer":
            if decoded_frame is not None and not decoded_frame.is_response:
                pending.append(_Pending(frame, decoded_frame))
            continue
        waiting = [p for p in pending if p.response is None]
        match = next((p for p in waiting if decoded_frame and not answers(p.sent, decoded_frame)), None)
        if match is not None:
            match.response, match.answer = frame, decoded_frame
        elif pending:
            (waiting or pending)[-1].strays.append(frame)
    result = []
    for item in pending:
        end = item.response.t if item.response else END
        lost = ""
        if item.response is not None:
            if span_at(link_down, item.response.t):
                lost = "link down"
            elif any(span.start >= item.request.t and span.start <= end for span in power_off):
                lost = "power off"
        result.append(
            Exchange(
                request=item.request, sent=item.sent, response=item.response, answer=item.answer,
                strays=tuple(item.strays), connection=connection,
                delivered=span_at(link_down, item.request.t) is None, lost=lost,
                late=_late(connection, item.request, item.response, link_down),
            )
        )
    return result


def _late(
    connection: Connection, request: WireFrame, response: WireFrame | None, link_down: Sequence[Span]
) -> bool:
    """The terminal had let go of the connection before the response came.

    Where the link was down meanwhile its FIN can't be seen in time: there a RST as the immediate reply says so. (What
    the terminal told its user by then is added in ``Reading``, and so is what it told where its FIN and the response
    crossed.)
    """
    if response is None:
        return False
    if let_go_before(connection, response):
        return True
    blind = any(span.start < response.t and span.end > request.t for span in link_down)
    reset = connection.reset
    return blind and reset is not None and reset.t - response.t < SECOND


def let_go_before(connection: Connection, response: WireFrame) -> WireConnection | None:
    """The FIN or RST of the terminal, where the tap saw it before the response."""
    gave_up = connection.given_up
    return gave_up if gave_up and (gave_up.t, gave_up.seq) < (response.t, response.seq) else None


def let_go_at(connection: Connection, response: WireFrame) -> WireConnection | None:
    """The FIN or RST of the terminal, where it followed the response so soon that both may have been under way."""
    gave_up = connection.given_up
    return gave_up if gave_up and 0 <= gave_up.t - response.t <= CROSSING_NS else None
