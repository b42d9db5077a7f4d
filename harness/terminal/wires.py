"""A serial line of an emulated terminal, carried to a TCP port: one caller at a time, bytes as they are."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Callable

from harness.errors import BadInput

_CHUNK = 4096


class TcpWire:
    """Serves the pty at ``path`` on 127.0.0.1. What the terminal sends while nobody is connected is lost, as on a cable
    without an end; a second caller takes the place of the first."""

    def __init__(self, path: str, port: int, bind: str = "127.0.0.1") -> None:
        self._pty = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            self._listener = socket.create_server((bind, port))
        except OSError as error:
            os.close(self._pty)
            raise BadInput(f"can't listen on TCP port {port}: {error.strerror}") from error
        self._listener.setblocking(False)
        self.address = "{}:{}".format(*self._listener.getsockname()[:2])
        self._caller: socket.socket | None = None
        self._to_terminal, self._to_caller = bytearray(), bytearray()
        self._wake, self._end = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._serve, name=f"wire {self.address}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the service; the line itself stays the board's."""
        self._end.close()
        self._thread.join()
        self._hang_up()
        self._listener.close()
        self._wake.close()
        os.close(self._pty)
        self._selector.close()

    def _serve(self) -> None:
        while True:
            self._watch()
            ready = {key.fd: events for key, events in self._selector.select()}
            if self._wake.fileno() in ready:
                return
            if self._listener.fileno() in ready:
                self._answer()
                continue
            if ready.get(self._pty, 0) & selectors.EVENT_READ:
                with contextlib.suppress(BlockingIOError):
                    data = os.read(self._pty, _CHUNK)
                    self._to_caller += data if self._caller else b""
            if self._caller and ready.get(self._caller.fileno(), 0) & selectors.EVENT_READ:
                self._hear(self._caller)
            self._pass_on(self._to_terminal, lambda data: os.write(self._pty, data))
            if self._caller:
                self._pass_on(self._to_caller, self._caller.send)

    def _watch(self) -> None:
        """Read only what there is room for; write only what is there."""
        events: dict[socket.socket | int, int] = dict.fromkeys((self._wake, self._listener), selectors.EVENT_READ)
        events[self._pty] = _interest(not self._to_caller, bool(self._to_terminal))
        if self._caller:
            events[self._caller] = _interest(not self._to_terminal, bool(self._to_caller))
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
        for source, mask in events.items():
            if mask:
                self._selector.register(source, mask)

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            caller, _address = self._listener.accept()
            caller.setblocking(False)
            self._hang_up()
            self._caller = caller

    def _hear(self, caller: socket.socket) -> None:
        try:
            data = caller.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._to_terminal += data
        else:
            self._hang_up()

    def _pass_on(self, held: bytearray, write: Callable[[bytes], int]) -> None:
        if held:
            try:
                del held[: write(bytes(held))]
            except BlockingIOError:
                pass
            except OSError:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._caller is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._caller)
            self._caller.close()
            self._caller = None
        self._to_caller.clear()


def _interest(readable: bool, writable: bool) -> int:
    return (selectors.EVENT_READ if readable else 0) | (selectors.EVENT_WRITE if writable else 0)
