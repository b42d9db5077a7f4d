"""A terminal that gives up an exchange takes back what is not acknowledged; what arrived is closed in order."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from harness.emulator.firmware.app.link_stream import Stream


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A terminal's end and a host's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        terminal = socket.create_connection(server.getsockname())
        host, _ = server.accept()
        host.settimeout(10)
        with terminal, host:
            yield terminal, host


def test_what_arrived_is_closed_in_order(ends: tuple[socket.socket, socket.socket]) -> None:
    terminal, host = ends
    terminal.sendall(b"0200")
    assert host.recv(100) == b"0200"
    Stream(terminal).close()
    assert host.recv(100) == b""  # a FIN, no reset


def test_what_waits_is_forgotten(ends: tuple[socket.socket, socket.socket]) -> None:
    """The host's window is full: the rest of a message waits in the terminal's system, and must not come later."""
    terminal, host = ends
    terminal.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += terminal.send(bytes(65536))
    Stream(terminal).close()
    got = 0
    with pytest.raises(ConnectionResetError):
        while data := host.recv(1 << 20):
            got += len(data)
    assert got < sent


def test_a_connection_that_is_gone_is_closed_all_the_same(ends: tuple[socket.socket, socket.socket]) -> None:
    terminal, _host = ends
    terminal.close()
    Stream(terminal).close()
