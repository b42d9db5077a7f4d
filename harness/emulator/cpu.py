"""A running CPU process as the board sees it: our ends of its wires, and the last that it said."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable

from harness.emulator import bus
from harness.lab.kernel import die_with_parent

_LAST_WORDS = 8192


class Cpu:
    """``words``: the end of its stderr. ``hangs``: it was stopped by a disturbance, and its watchdog with it."""

    def __init__(self, pid: int, wires: socket.socket, reader: socket.socket, stderr: int) -> None:
        self.pid, self.wires, self.reader, self.stderr = pid, wires, reader, stderr
        self.pidfd = os.pidfd_open(pid)
        self.since = time.monotonic()
        self.words = b""
        self.hangs = False

    @classmethod
    def start(cls, run: Callable[[socket.socket, socket.socket], object]) -> Cpu:
        """Forks it. In it ``run`` gets its ends of the wires and of the reader's line; when that ends, so does it."""
        ours, theirs = bus.socket_pair()
        reader, reader_inside = bus.socket_pair()
        read_end, write_end = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        board = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            ours.close()
            reader.close()
            _be_the_cpu(board, write_end, lambda: run(theirs, reader_inside))
        theirs.close()
        reader_inside.close()
        os.close(write_end)
        os.set_blocking(read_end, False)
        return cls(pid, ours, reader, read_end)

    def descriptors(self) -> tuple[int, ...]:
        return self.wires.fileno(), self.reader.fileno(), self.stderr, self.pidfd

    def close(self) -> None:
        self.wires.close()
        self.reader.close()
        os.close(self.stderr)
        os.close(self.pidfd)

    def listen(self) -> bool:
        """What it says on its stderr, which is copied into ours; False: nothing more will come."""
        try:
            while data := os.read(self.stderr, 65536):
                self.words = (self.words + data)[-_LAST_WORDS:]
                with contextlib.suppress(OSError):
                    os.write(2, data)
        except BlockingIOError:
            return True
        return False

    def say_where_it_hangs(self) -> None:
        """It prints its stack, and is listened to."""
        os.kill(self.pid, signal.SIGUSR1)
        with selectors.DefaultSelector() as quiet:
            quiet.register(self.stderr, selectors.EVENT_READ)
            before = None
            while before != self.words and quiet.select(0.2):
                before = self.words
                self.listen()


def _be_the_cpu(board: int, stderr: int, run: Callable[[], object]) -> None:
    """Never returns. ``board``: the process that has to live on."""
    try:
        die_with_parent(signal.SIGKILL)
        if os.getppid() != board:  # it died before the line above: no signal will come
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
        os.close(stderr)
        import faulthandler

        faulthandler.register(signal.SIGUSR1, file=2)
        run()
    except BaseException:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
    finally:
        os._exit(1)
