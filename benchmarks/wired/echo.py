"""The far end of a measurement, a process of its own: ``python echo.py LISTENER...``, descriptors that it inherited.

The first byte of a connection says what it is: ``E`` answers every 200 bytes with 200, ``S`` swallows all and answers
one byte when the sender has finished.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys

SIZE = 200


def main() -> None:
    watched = selectors.DefaultSelector()
    for fd in map(int, sys.argv[1:]):
        listener = socket.socket(fileno=fd)
        listener.setblocking(True)
        watched.register(listener, selectors.EVENT_READ, None)
    print("ready", flush=True)
    while True:
        for key, _ in watched.select():
            end = key.fileobj
            assert isinstance(end, socket.socket)
            if key.data is None:
                made, _ = end.accept()
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                watched.register(made, selectors.EVENT_READ, [b"", 0])
                continue
            try:
                data = end.recv(262144)
            except OSError:
                data = b""
            if not data:
                if key.data[0] == b"S":
                    with contextlib.suppress(OSError):
                        end.sendall(b"!")
                watched.unregister(end)
                end.close()
                continue
            if not key.data[0]:
                key.data[0], data = data[:1], data[1:]
            if key.data[0] == b"E":
                key.data[1] += len(data)
                while key.data[1] >= SIZE:
                    key.data[1] -= SIZE
                    end.sendall(bytes(SIZE))


if __name__ == "__main__":
    main()
