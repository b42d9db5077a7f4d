# SPDX-License-Identifier: GPL-2.0-only
"""Our end of the guardian: it is started before anything is diverted, and told what to undo when we are gone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import BenchError
from harness.wire.faults.base import Side
from harness.wire.injector.contract import Sending

_PROGRAM = Path(__file__).with_name("guardian.py")


class Guarded:
    """``undo``: rtnetlink messages in their order. ``lock``: a descriptor that the guardian holds as long as it lives.

    Raises :class:`BenchError` when the guardian can't be started.
    """

    def __init__(self, undo: Sequence[bytes], lock: int, ports: dict[Side, str]) -> None:
        self._undo, self._lock, self._ports = [*undo], lock, ports
        self._told: list[tuple[Side, bytes]] = []
        self._start()

    def fileno(self) -> int:
        """Readable when the guardian has ended."""
        return self._pidfd

    @property
    def pid(self) -> int:
        return self._process.pid

    def parting(self, sendings: Sequence[Sending]) -> None:
        """Frames that the guardian sends last, instead of those told before."""
        frames = [(one.to, one.frame) for one in sendings]
        if frames == self._told:
            return
        self._told = frames
        for side, port in self._ports.items():
            hexed = " ".join(frame.hex() for to, frame in frames if to == side)
            self._write(f"frames {port} {hexed}\n")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def renew(self) -> None:
        """Another one in place of one that died. Raises :class:`BenchError`."""
        self._close()
        self._process.wait()
        self._start()

    def close(self, seconds: float = 2.0) -> None:
        """Everything is undone already: it may go."""
        self._close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        ours = os.pidfd_open(os.getpid())
        try:
            # a session of its own: a signal to the group of the tests is not for it
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM), str(ours), str(self._lock)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(ours, self._lock), start_new_session=True,
            )
        except OSError as error:
            raise BenchError(f"the injector's guardian can't be started: {error}") from error
        finally:
            os.close(ours)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._told = []
        lines = [f"netlink {message.hex()}\n" for message in self._undo]
        assert self._process.stdout is not None
        if not self._write("".join(lines) + "ready?\n") or self._process.stdout.readline() != b"ready\n":
            raise BenchError("the injector's guardian did not start")

    def _write(self, text: str) -> bool:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def _close(self) -> None:
        os.close(self._pidfd)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                continue
