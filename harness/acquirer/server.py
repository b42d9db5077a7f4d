"""The acquirer's TCP ports: messages in, answers out, wild bytes journalled and the connection closed.

What lies between TCP and the messages is the link's business (``harness.acquirer.links``). A connection may carry one
message or many, and stand as long as it likes between messages; an unfinished message gets ``PARTIAL_S`` seconds.
Messages of a connection are decided in their order; only an answer that is told to be late may be overtaken, and over
HTTP not even that.

What comes on several connections in one turn of the event loop is decided in one database transaction, each message in
a part of its own that may fail alone, and every answer leaves after its commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import cast

from harness.acquirer.host import Host, Outcome
from harness.acquirer.journal import JournalRow
from harness.acquirer.links import PLAIN, LinkSettings, Tls, TlsFault
from harness.errors import BadInput
from harness.protocol.stream import Piece

PARTIAL_S = 30.0
AT_A_TIME = 16  # connections that are accepted in one turn of the loop, and may come before the first is counted

Push = Callable[[JournalRow], None]


class Server:
    """Listens, and numbers the connections (also over restarts)."""

    def __init__(
        self, host: Host, push: Push, *, partial_s: float = PARTIAL_S, link: LinkSettings = PLAIN,
        room: int = sys.maxsize,
    ) -> None:
        """``room``: how many connections there may be at a time."""
        self.host, self.push, self.partial_s, self.link, self.room = host, push, partial_s, link, room
        self.connections: set[Connection] = set()
        self._last_connection = host.journal.last_connection()
        self._servers: list[asyncio.Server] = []
        self._waiting: list[tuple[Connection, Piece]] = []

    async def listen(self, address: str, port: int) -> tuple[str, int]:
        """Returns the address and port (port 0: one that was free). Raises :class:`BadInput`.

        May be called again for another address; the journal tells which, where it is not the first.
        """
        loop = asyncio.get_running_loop()
        at = f"at {address}:{port}" if self._servers else ""
        try:
            server = await loop.create_server(lambda: Connection(self, at), address, port, backlog=AT_A_TIME)
        except OSError as error:
            raise BadInput(
                f"can't listen: {error.strerror or error}", where=f"{address}:{port}",
                remedy="Give --listen an address of this machine (or namespace) and a port that nobody uses.",
            ) from error
        for listener in server.sockets:
            with listener.dup() as same:
                same.listen(512)  # the kernel's queue; asyncio has one number for it and for what it accepts at a time
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    def next_connection(self) -> int:
        self._last_connection += 1
        return self._last_connection

    def close(self) -> None:
        """Stops listening and closes every connection; answers still held back are journalled as withheld."""
        for server in self._servers:
            server.close()
        self.decide()
        for connection in tuple(self.connections):
            connection.give_up("the acquirer was shut down before it could be sent")

    def take(self, connection: Connection, piece: Piece) -> None:
        """A message or garbage to be decided: in the next turn of the loop, which begins with it, together with what
        the other connections have brought in this one; with :meth:`decide` at once."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.decide)
        self._waiting.append((connection, piece))

    def decide(self) -> None:
        """Whatever waits: decided, committed, then answered, each in the order in which it came."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        done: list[tuple[Connection, Piece, Outcome]] = []
        try:
            with self.host.store.messages() if len(waiting) > 1 else contextlib.nullcontext():
                for connection, piece in waiting:
                    if not connection.done:
                        outcome = connection.decide(piece)
                        connection.done = outcome.close
                        done.append((connection, piece, outcome))
        except Exception as error:  # the journal itself failed: these terminals lose their connections, no others
            self.host.troubles.note(error)
            for connection, _ in waiting:
                connection.hang_up()
            return
        for connection, piece, outcome in done:
            connection.carry_out(piece, outcome)


class Connection(asyncio.Protocol):
    """One terminal's connection."""

    def __init__(self, server: Server, at: str) -> None:
        self._server, self._number, self._at = server, server.next_connection(), at
        self._framing = server.link.framing()
        self._tls = None if server.link.tls is None else Tls(server.link.tls)
        self._transport: asyncio.Transport
        self._held_back: dict[int, tuple[asyncio.TimerHandle, Outcome]] = {}  # by the jid of the request
        self._partial: asyncio.TimerHandle | None = None
        self._in_step = server.link != PLAIN  # what TLS or HTTP say depends on what was answered
        self.done = False  # nothing more is read
        self._half_closed = False  # the terminal has closed its side

    # -- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        server = self._server
        server.connections.add(self)
        self._name_link()
        if len(server.connections) > server.room:
            why = f"{server.room} connections are open, and the limit on open files leaves no room for more"
            try:
                self._carry_out(server.host.garbage(self._number, b"", why))
            except Exception as error:  # it could not be journalled
                self._server.host.troubles.note(error)
                self.hang_up()

    def data_received(self, data: bytes) -> None:
        if self._partial is not None:
            self._stop_waiting()
        try:
            self._divide(data if self._tls is None else self._decrypt(self._tls, data))
        except Exception as error:  # a fault of the link could not be journalled
            self._server.host.troubles.note(error)
            self.hang_up()
        if not self.done and self._unfinished:
            loop = asyncio.get_running_loop()
            self._partial = loop.call_later(self._server.partial_s, self._cut_short, "no rest came in time")
        if self._tls is not None and self._tls.ended and not self._half_closed and not self.eof_received():
            self.hang_up()

    def eof_received(self) -> bool:
        """The terminal sends nothing more. Open for answers still held back, else closed."""
        self._server.decide()
        self._cut_short("the terminal closed in the middle of a message")
        self._half_closed = True
        return bool(self._held_back) and not self.done

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.decide()
        self._cut_short("the connection ended in the middle of a message")
        self.give_up("the connection was gone before it could be sent")
        self._server.connections.discard(self)
        self._server.host.journal.name_link(self._number, "")

    def pause_writing(self) -> None:
        """It does not read our answers: don't read its requests."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    # -- what is done -------------------------------------------------------------------------------------------------

    def give_up(self, problem: str) -> None:
        """Hangs up; answers held back are journalled with ``problem``."""
        held_back, self._held_back = self._held_back, {}
        for timer, outcome in held_back.values():
            timer.cancel()
            self._server.push(self._server.host.delivered(self._number, outcome, problem))
        self.hang_up()

    def decide(self, piece: Piece) -> Outcome:
        """In a transaction for messages."""
        host = self._server.host
        if piece.reason:
            return host.garbage(self._number, piece.data, piece.reason)
        return host.receive(self._number, piece.data)

    def carry_out(self, piece: Piece, outcome: Outcome) -> None:
        """What was decided, and is committed."""
        try:
            if piece.reason:
                self._write(self._framing.refusal())
            self._carry_out(outcome)
        except Exception as error:
            self._server.host.troubles.note(error)
            self.hang_up()

    def _carry_out(self, outcome: Outcome) -> None:
        for row in outcome.rows:
            self._server.push(row)
        if outcome.send is not None:
            if outcome.delay_s is None:
                self._answer(outcome.send)
            else:
                self._hold_back(outcome, outcome.delay_s)
        if outcome.close:
            self.hang_up()

    def _hold_back(self, outcome: Outcome, delay_s: float) -> None:
        request = outcome.rows[0].jid

        def send() -> None:
            del self._held_back[request]
            assert outcome.send is not None
            problem = "the connection was closed before it could be sent" if self._transport.is_closing() else ""
            seen = "; the terminal had closed its side" if self._half_closed else ""
            self._server.push(self._server.host.delivered(self._number, outcome, problem, seen))
            if not problem:
                self._answer(outcome.send)
                if self._half_closed and not self._held_back:
                    self.hang_up()
                self._divide(b"")  # what waited for this answer

        self._held_back[request] = asyncio.get_running_loop().call_later(delay_s, send), outcome

    def _divide(self, data: bytes) -> None:
        server = self._server
        for piece in self._framing.split(data):
            if self.done:
                return
            server.take(self, piece)
            if self._in_step:
                server.decide()
        if len(server.connections) == 1:  # there is nobody whose messages could come with these
            server.decide()

    def _decrypt(self, tls: Tls, data: bytes) -> bytes:
        """The plain bytes; none after a fault of TLS, which is garbage."""
        if self.done:
            return b""
        begins = not tls.established
        try:
            plain = tls.receive(data)
        except TlsFault as fault:
            self._write(b"")
            self._carry_out(self._server.host.garbage(self._number, data, f"TLS: {fault}"))
            return b""
        self._write(b"")
        if begins and tls.established:
            self._name_link()
        return plain

    def _name_link(self) -> None:
        """What the journal says of it; nothing where it is plain TCP at the first address."""
        words = [] if self._tls is None else [self._tls.version or "TLS"]
        if self._server.link.http_path is not None:
            words.append("HTTP")
        self._server.host.journal.name_link(self._number, ", ".join([*words, self._at] if self._at else words))

    def _answer(self, message: bytes) -> None:
        self._write(self._framing.answer(message))
        if self._framing.over:
            self.hang_up()

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            data = self._tls.seal(data)
        if data:
            self._transport.write(data)

    @property
    def _unfinished(self) -> bool:
        return bool(self._framing.rest) or (self._tls is not None and self._tls.begun > self._tls.established)

    def _cut_short(self, why: str) -> None:
        self._stop_waiting()
        if self.done or not self._unfinished:
            return
        rest = self._framing.rest
        what = f"{len(rest)} bytes of a message" if rest else "a TLS handshake"
        self._carry_out(self._server.host.garbage(self._number, rest, f"{what}: {why}"))

    def _stop_waiting(self) -> None:
        if self._partial is not None:
            self._partial.cancel()
            self._partial = None

    def hang_up(self) -> None:
        """Closes; nothing more is read."""
        self.done = True
        self._stop_waiting()
        if not self._transport.is_closing():
            if self._tls is not None:
                self._transport.write(self._tls.end())
            self._transport.close()
