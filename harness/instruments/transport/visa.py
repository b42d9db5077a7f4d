"""SCPI over whatever VISA reaches, through PyVISA with pyvisa-py: TCP sockets and serial lines out of the box, USB and
GPIB where pyvisa-py finds their drivers.

    TCPIP::10.1.2.3::5025::SOCKET      raw socket: most instruments, and the emulated ones
    ASRL/dev/ttyUSB0::INSTR            serial line; ``baud_rate``, 8 bits, no parity

pyvisa-py opens a port where nobody listens without any error, takes a closed connection for a slow one, and waits anew
after each byte that a socket gives; all three are looked for here.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol, cast

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import answers, troubles

TIMEOUT_S = 2.0
BAUD_RATE = 9600
_LAST_PORT = 65535
_LARGEST = 65536  # of an answer
_SAYS_WHY_S = 0.3
_MAKING = threading.Lock()


class _Resource(Protocol):
    """What is used of a :class:`pyvisa.resources.MessageBasedResource`."""

    session: Any
    visalib: Any
    timeout: float

    def write_raw(self, message: bytes) -> int: ...

    def read_bytes(self, count: int, chunk_size: int, break_on_termchar: bool) -> bytes: ...

    def close(self) -> None: ...


class Scpi:
    """A line to one instrument. Made by nobody's leave: it connects when first asked, and again after a failure.

    ``identify``: the query for its identity, which is asked after each connect, "" where it knows none; another answer
    than the first one is an error. ``errors``: the query for its errors, asked after each command, "" for none.
    Not for several threads at once.
    """

    def __init__(
        self, address: str, *, timeout_s: float = TIMEOUT_S, baud_rate: int = BAUD_RATE,
        identify: str = "*IDN?", errors: str = "SYST:ERR?", termination: str = "\n",
    ) -> None:
        self.address, self._timeout_s, self._baud_rate = address, timeout_s, baud_rate
        self._identify, self._errors, self._end = identify, errors, termination.encode("ascii")
        self._resource: _Resource | None = None
        self._known = ""

    def identity(self) -> str:
        """What it says of itself, as asked after the last connect."""
        self._connected()
        return self._known

    def ask(self, query: str) -> str:
        """The answer to a query, without its end. Asks no ``SYST:ERR?``: who gets an answer has none."""
        return self._exchange(query)

    def tell(self, command: str) -> None:
        """A command, and whether it was taken: its errors are asked for afterwards."""
        # a command and a query in one go would be one message less, but then an error in it swallows the answer
        self.send(command)
        if not self._errors:
            return
        error = answers.error_of(self.address, self._exchange(self._errors))
        if error:
            self._drain_errors()
            raise troubles.said_no(self.address, command, error)

    def number(self, query: str) -> float:
        return answers.number(self.address, query, self.ask(query))

    def named(self, query: str, quantities: Sequence[str]) -> dict[str, float]:
        """The numbers of an answer, by name."""
        return answers.named(self.address, query, self.ask(query), quantities)

    def switch(self, query: str) -> bool:
        return answers.switch(self.address, query, self.ask(query))

    def close(self) -> None:
        """Idempotent; the next call would connect again."""
        resource, self._resource = self._resource, None
        if resource is not None:
            with contextlib.suppress(Exception):  # of a broken line, pyvisa raises what it likes
                resource.close()

    def _exchange(self, query: str) -> str:
        self.send(query)
        return self.receive(query)

    def send(self, text: str) -> None:
        """For who asks for the answer, or for errors, himself."""
        resource = self._connected()
        waiting = _peek(resource)
        if waiting is None:
            self.close()
            raise troubles.dropped(self.address, text)
        if waiting:
            self.close()
            raise troubles.unasked(self.address, waiting.decode("ascii", "replace"))
        try:
            resource.write_raw(text.encode("ascii") + self._end)
        except Exception as error:
            self.close()
            raise self._told(error, text) from error

    def receive(self, query: str) -> str:
        """The answer to what was sent."""
        resource = self._resource
        if resource is None:
            raise troubles.dropped(self.address, query)
        raw = bytearray()
        try:
            self._read(resource, self._timeout_s, raw)
        except Exception as error:
            try:
                raise self._told(error, query, begun=bool(raw)) from error
            finally:
                self.close()  # what comes late must not be taken for the answer to the next question
        if not raw.endswith(self._end):
            self.close()
            raise troubles.garbage(self.address, query, raw.decode("ascii", "replace"), "line")
        return raw.removesuffix(self._end).decode("ascii", "replace").strip()

    def _read(self, resource: _Resource, seconds: float, held: bytearray) -> None:
        """Adds an answer to ``held`` as its pieces come, to its end and within ``seconds`` as a whole: a byte now and
        then is no answer in time. Raises TimeoutError, ConnectionError and whatever PyVISA does."""
        end = time.monotonic() + seconds
        while not held.endswith(self._end[-1:]) and len(held) < _LARGEST:
            size = min(_await(resource, end - time.monotonic()), _LARGEST - len(held))
            held += resource.read_bytes(size, chunk_size=size, break_on_termchar=True)

    def _told(self, error: Exception, what: str, *, begun: bool = False) -> InstrumentError:
        """The error to raise for what PyVISA, pyserial or the system raised during an exchange. ``begun``: a part of
        the answer is there, and another one would be taken for its rest."""
        if _is_timeout(error):
            if self._resource is not None and _peek(self._resource) is None:
                return troubles.dropped(self.address, what)
            return troubles.slow(self.address, what, self._timeout_s, "" if begun else self._why(what))
        if isinstance(error, ConnectionRefusedError):
            return troubles.refused(self.address)
        if isinstance(error, UnicodeEncodeError):
            return InstrumentError(f"{what!r} can't be said to an instrument: it is no ASCII")
        return troubles.dropped(self.address, what)

    def _why(self, what: str) -> str:
        """What an instrument that did not answer has in its list of errors; "" where it says nothing at all."""
        if not self._errors or what in (self._errors, self._identify) or self._resource is None:
            return ""
        resource, raw = self._resource, bytearray()
        with contextlib.suppress(Exception):
            resource.write_raw(self._errors.encode("ascii") + self._end)
            self._read(resource, _SAYS_WHY_S, raw)
            return answers.error_of(self.address, raw.decode("ascii", "replace").strip())
        return ""

    def _drain_errors(self) -> None:
        """Reads the list of errors empty, so that the next command is not blamed for them. Twenty are a whole list."""
        for _ in range(20):
            if not answers.error_of(self.address, self._exchange(self._errors)):
                return

    def _connected(self) -> _Resource:
        if self._resource is None:
            self._resource = self._open()
            try:
                self._introduce()
            except InstrumentError:
                self.close()
                raise
        return self._resource

    def _introduce(self) -> None:
        if self._errors:
            self.send("*CLS")  # what stands in its list is not of our making
        if not self._identify:
            self._known = self.address
            return
        said = answers.identity(self.address, self._identify, self._exchange(self._identify))
        if self._known and said != self._known:
            raise troubles.other_identity(self.address, self._known, said)
        self._known = said

    def _open(self) -> _Resource:
        end = self._end.decode("ascii")
        milliseconds = int(self._timeout_s * 1000)
        settings: dict[str, Any] = {
            "read_termination": end, "write_termination": end, "timeout": milliseconds, "open_timeout": milliseconds,
        }
        if self.address.upper().startswith("ASRL"):
            settings["baud_rate"] = self._baud_rate
        try:
            opened = _manager().open_resource(self.address, **settings)
        except InstrumentError:
            raise
        except Exception as error:  # pyvisa-py raises bare Exception, with what happened as its text
            raise _not_opened(self.address, error) from error
        resource = cast(_Resource, opened)
        line = _socket_of(resource)
        if line is not None:
            status = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if status:
                with contextlib.suppress(Exception):
                    resource.close()
                raise troubles.unreachable(self.address, OSError(status, os.strerror(status)))
            # a command and the query for its errors are two messages: the second must not wait for the first's receipt
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return resource


def address_problem(address: str) -> str:
    """What is wrong with it as an address; "" nothing. Only its form is looked at, not who is there."""
    from pyvisa import rname

    try:
        found = rname.ResourceName.from_string(address)
    except rname.InvalidResourceName:
        return f"{address!r} is no VISA resource, such as TCPIP::10.1.2.3::5025::SOCKET"
    port = getattr(found, "port", "1")
    if not (port.isdecimal() and 0 < int(port) <= _LAST_PORT):
        return f"{address!r} has the port {port}: ports are 1 to {_LAST_PORT}"
    if getattr(found, "lan_device_name", "inst0")[:1].isdigit():  # taken for a name, and then not found
        return f"{address!r} is no VISA resource, such as TCPIP::10.1.2.3::5025::SOCKET"
    return ""


@functools.cache
def _manager_made() -> Any:
    import pyvisa

    return pyvisa.ResourceManager("@py")


def _manager() -> Any:
    with _MAKING:
        return _manager_made()


def _not_opened(address: str, error: Exception) -> InstrumentError:
    import pyvisa

    text = str(error)
    if isinstance(error, OSError):
        return troubles.unreachable(address, error)
    if text.startswith("could not connect: "):
        reason = text.removeprefix("could not connect: ")
        late = pyvisa.constants.StatusCode.error_timeout
        if reason in (str(late), repr(late), late.name):
            return troubles.no_connection(address)
        return InstrumentError(f"{address} can't be reached: {reason}", remedy=troubles.CABLE)
    return InstrumentError(
        f"{address} can't be opened: {troubles.shortened(text)}",
        remedy="see docs/instruments.md for the addresses that VISA takes",
    )


def _socket_of(resource: _Resource) -> socket.socket | None:
    """The socket below a TCP resource; None for a serial line and the rest."""
    session = resource.visalib.sessions.get(resource.session)
    line = getattr(session, "interface", None)
    return line if isinstance(line, socket.socket) else None


def _peek(resource: _Resource) -> bytes | None:
    """What has come that nobody has read yet; None: the connection has ended."""
    line = _socket_of(resource)
    if line is None:
        return b""
    session = resource.visalib.sessions[resource.session]
    held = bytes(session._pending_buffer)
    try:
        if held or not select.select([line], [], [], 0)[0]:
            return held
        return line.recv(_LARGEST, socket.MSG_PEEK | socket.MSG_DONTWAIT) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def _await(resource: _Resource, seconds: float) -> int:
    """Waits until something has come, at most so long: how many bytes can be read without waiting. Raises TimeoutError
    and, where the connection has ended, ConnectionError: pyvisa-py would spin until the time is up.

    What has no line to look at (USB, GPIB, a port behind a server) gets the time that is left for its message."""
    import serial

    if seconds <= 0:
        raise TimeoutError
    session = resource.visalib.sessions.get(resource.session)
    line = _socket_of(resource)
    if line is not None:
        if not session._pending_buffer and not select.select([line], [], [], seconds)[0]:
            raise TimeoutError
        there = _peek(resource)
        if not there:
            raise ConnectionResetError
        return len(there)
    port = getattr(session, "interface", None)
    if not isinstance(port, serial.Serial):
        resource.timeout = max(1.0, seconds * 1000)
        return _LARGEST
    if not port.in_waiting and not select.select([port], [], [], seconds)[0]:
        raise TimeoutError
    return int(port.in_waiting) or 1  # ready and none: it is gone, as reading it tells


def _is_timeout(error: Exception) -> bool:
    import pyvisa

    if isinstance(error, pyvisa.errors.VisaIOError):
        return error.error_code == pyvisa.constants.StatusCode.error_timeout
    return isinstance(error, TimeoutError)
