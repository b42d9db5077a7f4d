"""The acquirer's TCP port: messages in, answers out, wild bytes journalled and the connection closed.

A connection may carry one message or many, and stand as long as it likes between messages; an unfinished message gets
``PARTIAL_S`` seconds. Messages of a connection are decided in their order; only an answer that is told to be late may
be overtaken.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable
from typing import cast

from harness.acquirer.host import Host, Outcome
from harness.acquirer.journal import JournalRow
from harness.errors import BadInput
from harness.protocol.stream import FrameSplitter

PARTIAL_S = 30.0
LARGEST_MESSAGE = 8192  # the largest that all fields together can make is smaller

Push = Callable[[JournalRow], None]


class Server:
    """Listens, and numbers the connections (also over restarts)."""

    def __init__(self, host: Host, push: Push, *, partial_s: float = PARTIAL_S) -> None:
        self.host, self.push, self.partial_s = host, push, partial_s
        self.connections: set[Connection] = set()
        self._last_connection = host.journal.last_connection()
        self._server: asyncio.Server | None = None

    async def listen(self, address: str, port: int) -> tuple[str, int]:
        """Returns the address and port (port 0: one that was free). Raises :class:`BadInput`."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self), address, port, backlog=512)
        except OSError as error:
            raise BadInput(
                f"can't listen: {error.strerror or error}", where=f"{address}:{port}",
                remedy="Give --listen an address of this machine (or namespace) and a port that nobody uses.",
            ) from error
        name = self._server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    def next_connection(self) -> int:
        self._last_connection += 1
        return self._last_connection

    def close(self) -> None:
        """Stops listening and closes every connection; answers still held back are journalled as withheld."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.give_up("the acquirer was shut down before it could be sent")


class Connection(asyncio.Protocol):
    """One terminal's connection."""

    def __init__(self, server: Server) -> None:
        self._server, self._number = server, server.next_connection()
        self._splitter = FrameSplitter(LARGEST_MESSAGE)
        self._transport: asyncio.Transport
        self._held_back: dict[int, tuple[asyncio.TimerHandle, Outcome]] = {}  # by the jid of the request
        self._partial: asyncio.TimerHandle | None = None
        self._done = False  # nothing more is read
        self._half_closed = False  # the terminal has closed its side

    # -- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._stop_waiting()
        try:
            for piece in self._splitter.split(data):
                if self._done:
                    return
                host = self._server.host
                if piece.reason:
                    self._carry_out(host.garbage(self._number, piece.data, piece.reason))
                else:
                    self._carry_out(host.receive(self._number, piece.data))
        except Exception:  # the journal itself failed: this terminal loses its connection, the others live on
            traceback.print_exc(file=sys.stderr)
            self._hang_up()
        if self._splitter.rest and not self._done:
            loop = asyncio.get_running_loop()
            self._partial = loop.call_later(self._server.partial_s, self._cut_short, "no rest came in time")

    def eof_received(self) -> bool:
        """The terminal sends nothing more. Open for answers still held back, else closed."""
        self._cut_short("the terminal closed in the middle of a message")
        self._half_closed = True
        return bool(self._held_back) and not self._done

    def connection_lost(self, exc: Exception | None) -> None:
        self._cut_short("the connection ended in the middle of a message")
        self.give_up("the connection was gone before it could be sent")
        self._server.connections.discard(self)

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
        self._hang_up()

    def _carry_out(self, outcome: Outcome) -> None:
        for row in outcome.rows:
            self._server.push(row)
        if outcome.send is not None:
            if outcome.delay_s is None:
                self._transport.write(outcome.send)
            else:
                self._hold_back(outcome, outcome.delay_s)
        if outcome.close:
            self._hang_up()

    def _hold_back(self, outcome: Outcome, delay_s: float) -> None:
        request = outcome.rows[0].jid

        def send() -> None:
            del self._held_back[request]
            assert outcome.send is not None
            problem = "the connection was closed before it could be sent" if self._transport.is_closing() else ""
            seen = "; the terminal had closed its side" if self._half_closed else ""
            self._server.push(self._server.host.delivered(self._number, outcome, problem, seen))
            if not problem:
                self._transport.write(outcome.send)
                if self._half_closed and not self._held_back:
                    self._hang_up()

        self._held_back[request] = asyncio.get_running_loop().call_later(delay_s, send), outcome

    def _cut_short(self, why: str) -> None:
        self._stop_waiting()
        if self._splitter.rest and not self._done:
            rest = self._splitter.rest
            self._carry_out(self._server.host.garbage(self._number, rest, f"{len(rest)} bytes of a message: {why}"))

    def _stop_waiting(self) -> None:
        if self._partial is not None:
            self._partial.cancel()
            self._partial = None

    def _hang_up(self) -> None:
        self._done = True
        self._stop_waiting()
        if not self._transport.is_closing():
            self._transport.close()
