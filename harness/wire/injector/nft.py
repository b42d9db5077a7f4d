# SPDX-License-Identifier: GPL-2.0-only
"""Commands for nftables: through its library in our own process, or through an ``nft -i`` that stays alive.

Both keep one netlink socket open, which is what owns a table with ``flags owner``: when the process that holds it dies,
the kernel removes the table.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import itertools
import os
import select
import shutil
import signal
import subprocess
import time
from typing import Protocol

from harness.lab.kernel import die_with_parent

_REPLY_S = 5.0
_LIBRARIES = ("libnftables.so.1", "libnftables.so")


class Nft(Protocol):
    def run(self, commands: str) -> None:
        """One transaction: all of it or nothing. Raises :class:`OSError` with what nft said."""

    def close(self) -> None: ...


def open_nft() -> Nft:
    """The library, else the program. Raises :class:`OSError` where there is neither."""
    try:
        return Library()
    except OSError:
        return Program()


class Library:
    """libnftables by ctypes. Raises :class:`OSError` where it can't be loaded."""

    def __init__(self) -> None:
        self._library = _loaded()
        self._library.nft_ctx_new.restype = ctypes.c_void_p
        self._library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        context = self._library.nft_ctx_new(0)
        if not context:
            raise OSError("libnftables gives no context")
        self._context: ctypes.c_void_p | None = ctypes.c_void_p(context)
        self._library.nft_ctx_buffer_error(self._context)
        self._library.nft_ctx_buffer_output(self._context)

    def run(self, commands: str) -> None:
        if self._context is None:
            raise OSError("nft is closed")
        if self._library.nft_run_cmd_from_buffer(self._context, commands.encode()):
            said = (self._library.nft_ctx_get_error_buffer(self._context) or b"").decode("utf-8", "replace")
            raise OSError(said.strip().splitlines()[0] if said.strip() else "nft refused")

    def close(self) -> None:
        if self._context is not None:
            self._library.nft_ctx_free(self._context)
            self._context = None


class Program:
    """``nft -i``, which dies with us. Each transaction is a line, and is followed by a wrong one: its echo among the
    errors says that everything before it has been done.
    """

    def __init__(self) -> None:
        path = shutil.which("nft", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
        if path is None:
            raise OSError("there is no nft, neither as a library nor as a program")
        self._marks = itertools.count(1)
        self._process = subprocess.Popen(
            [path, "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        )
        assert self._process.stderr is not None and self._process.stdin is not None
        self._stdin, self._errors = self._process.stdin, self._process.stderr
        os.set_blocking(self._errors.fileno(), False)

    def run(self, commands: str) -> None:
        mark = f"hil97_mark_{next(self._marks)}"
        line = "; ".join(filter(None, (command.strip() for command in commands.splitlines())))
        try:
            self._stdin.write(f"{line}\nlist table netdev {mark}\n".encode())
            self._stdin.flush()
        except (OSError, ValueError) as error:
            raise OSError(f"nft ended: {error}") from error
        said = self._until(mark)
        if said:
            raise OSError(said.splitlines()[0])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _until(self, mark: str) -> str:
        """What stood among the errors before the mark's."""
        said, deadline = b"", time.monotonic() + _REPLY_S
        waiting = select.poll()
        waiting.register(self._errors, select.POLLIN)
        while mark.encode() not in said or said.count(b"\n", said.index(mark.encode())) < 2:
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise OSError(f"nft did not answer within {_REPLY_S:.0f} s")
            part = os.read(self._errors.fileno(), 65536)
            if not part:
                raise OSError("nft ended")
            said += part
        text = said.decode("utf-8", "replace")
        before = text[: text.index(mark)].splitlines()
        return "\n".join(before[:-2])  # without the first two lines of the mark's own error


def _loaded() -> ctypes.CDLL:
    for name in (*_LIBRARIES, ctypes.util.find_library("nftables")):
        if name:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
    raise OSError("there is no libnftables")
