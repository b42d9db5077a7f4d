# SPDX-License-Identifier: GPL-2.0-only
"""What is left to be done when the injector was killed: ``python -I -S guardian.py PIDFD LOCKFD``, started by it.

A tc filter whose divert device is gone keeps the link dead, and veths outlive their maker. So this process, which
imports next to nothing and does nothing else, waits for the injector's end, however it comes, and then sends the
messages that it was given ready made. Lines on stdin, each but the first replacing the one of its kind:

    ready?                  answered ``ready``
    netlink HEX             an rtnetlink message to be sent (in the order given)
    frames INTERFACE HEX... Ethernet frames to be sent there at last (neighbours that must be told the truth again)

It holds LOCKFD, so that no other injector works on the same interfaces before everything is undone.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys


def main() -> int:
    pidfd = int(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    messages: list[bytes] = []
    frames: dict[str, list[bytes]] = {}
    rest = b""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(0, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        data = os.read(0, 65536) if 0 in ready else b""
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            word, *values = line.decode("ascii").split()
            if word == "netlink":
                messages.append(bytes.fromhex(values[0]))
            elif word == "frames":
                frames[values[0]] = [bytes.fromhex(value) for value in values[1:]]
            else:
                os.write(1, b"ready\n")
        if pidfd in ready or (0 in ready and not data):
            break
    for message in messages:
        try:
            route.send(message)
            route.recv(65536)  # whatever it says: what is gone already need not be removed
        except OSError:
            pass
    for interface, last in frames.items():
        for frame in last:
            try:
                sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                sender.bind((interface, 0))
                sender.send(frame)
            except OSError:
                pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
