"""For the tests of lab and wire: an ordinary user's process, sockets in namespaces, waiting with a deadline."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from harness.lab import kernel, rootless
from harness.lab.kernel import CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN, has_capabilities
from harness.wire import netns
from harness.wire.topology import ACQUIRER_ADDRESS, Topology

T = TypeVar("T")
PORT = 8583
_NOBODY = 65534
_PR_SET_DUMPABLE = 4


def make_sure_of_a_lab() -> None:
    """The right to make namespaces: root has it, an ordinary user's process moves into a lab (or is in one)."""
    if not has_capabilities(CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW):
        rootless.enter_in_place()


def as_ordinary_user(action: Callable[[], T]) -> T:
    """What ``action`` returns or raises in a forked child that has no privilege (whoever runs the tests).

    Whatever it imports should be imported before: the ordinary user may not be able to read this Python.
    """
    import pyroute2  # noqa: F401

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            try:
                _drop_privileges()
                answer: tuple[bool, object] = (True, action())
            except BaseException as error:
                answer = (False, error)
            os.write(writer, pickle.dumps(answer))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        data = answers.read()
    os.waitpid(child, 0)
    assert data, "the child died without an answer"
    well, value = pickle.loads(data)
    if not well:
        raise value
    result: T = value
    return result


def _drop_privileges() -> None:
    """Another user where that is possible (as root), and in any case no capabilities, wherever they came from."""
    os.environ.pop(rootless.MARK, None)
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    give_up_all_capabilities()
    # after such changes /proc/self belongs to root; a login shell's exec would have undone that
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def give_up_all_capabilities() -> None:
    header, sets = kernel._capabilities()
    for half in sets:
        half.effective = half.permitted = half.inheritable = 0
    assert kernel._libc.capset(ctypes.byref(header), sets) == 0


def tcp_socket(fd: int, seconds: float = 10.0) -> socket.socket:
    """A TCP socket that lives in the namespace ``fd``."""
    with netns.inside(fd):
        made = socket.socket()
    made.settimeout(seconds)
    return made


@contextlib.contextmanager
def connection(topology: Topology, port: int = PORT) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection through the wire: (terminal's end, acquirer's end)."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(tcp_socket(topology.acquirer_fd))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ACQUIRER_ADDRESS, port))
        listener.listen()
        terminal = stack.enter_context(tcp_socket(topology.terminal_fd))
        terminal.connect((ACQUIRER_ADDRESS, port))
        acquirer, _ = listener.accept()
        stack.enter_context(acquirer)
        acquirer.settimeout(10.0)
        yield terminal, acquirer


def receive(source: socket.socket, size: int) -> bytes:
    """Exactly ``size`` bytes, or whatever came before the other end closed."""
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            break
        data += part
    return data


def eventually(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Waits for something that only shows when asked. Fails naming ``what``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def all_writers_gone(reader: int, seconds: float = 10.0) -> bool:
    """Whether every process that held the other end of a pipe is gone within ``seconds`` (zombies hold nothing)."""
    deadline = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        if not os.read(reader, 4096):
            return True
