"""What tests of updates need beside a bench: an engineer at the service port, an image on offer, a restart."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xmodem import XMODEM1k

from harness.emulator.firmware.app.main import Terminal
from harness.tests.firmware_acquirer import AcquirerBench
from harness.tests.firmware_bench import Bench, FakeBoot, Rebooted

SOFTWARE = "24"
Line = Any

SOUND: dict[str, Any] = {
    "refused": "", "reason": "", "name": "reference", "version": "2.0.0", "data_format": 1, "resets": False,
}


class Serial:
    """The engineer's end of the service port of a bench, for a sender in the same thread."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self.held = bench, bytearray()

    def getc(self, size: int, timeout: float = 1) -> bytes | None:
        for _ in range(int(timeout * 200)):
            self._pull()
            if len(self.held) >= size:
                got = bytes(self.held[:size])
                del self.held[:size]
                return got
        return None

    def putc(self, data: bytes, timeout: float = 1) -> int:
        while data:
            try:
                data = data[self._bench.board.engineer.send(data) :]
            except BlockingIOError:
                self._pull()
        return 0

    def line(self) -> str:
        """The next line that answers a command, whatever stands before it."""
        found = self._bench.run(self._line, 20)
        self.held.clear()
        return str(found)

    def _line(self) -> str:
        self._pull()
        found = re.search(rb"((OK|ERR) [ -~]*)\r\n", self.held)
        return found.group(1).decode("ascii") if found else ""

    def _pull(self) -> None:
        self._bench.settle_down(1)
        try:
            self.held += self._bench.board.engineer.recv(4096)
        except BlockingIOError:
            return


class Gone(Exception):
    pass


def load(bench: Bench, data: bytes, through: Callable[[Line], Line] = lambda line: line) -> str:
    """``LOAD`` and the transfer; what the terminal says at its end."""
    line = Serial(bench)
    line.putc(b"LOAD %d\r\n" % len(data))
    answer = line.line()
    if answer.startswith("ERR"):
        return answer
    noisy = through(line)
    with contextlib.suppress(Gone):
        XMODEM1k(noisy.getc, noisy.putc, pad=b"\xff").send(io.BytesIO(data), retry=16, timeout=5, quiet=True)
    return line.line()


def status(bench: Bench) -> dict[str, str]:
    words = bench.serve("UPDATE?").split()
    assert words[:2] == ["OK", "UPDATE"]
    return dict(word.split("=") for word in words[2:])


def power_cycle(bench: Bench, boot: FakeBoot | None = None) -> None:
    """With the slots as they are, or as the boot loader would then have it."""
    nor = bench.board.boot.nor
    bench.reboot()
    bench.board.boot = boot or FakeBoot(nor=nor)
    bench.terminal = Terminal(bench.board)


def install(bench: Bench) -> str:
    """``INSTALL``, again while the terminal is at work by itself; its refusal."""
    while (answer := bench.serve("INSTALL")).startswith("ERR 90"):
        bench.settle_down()
    return answer


def restarted(bench: Bench, act: Callable[[], object]) -> FakeBoot:
    """Does it, and the terminal restarts."""
    with pytest.raises(Rebooted):
        act()
        bench.run(lambda: False, 60)
    return bench.board.boot


def offer(bench: AcquirerBench, image: Path, version: str = "1.1.0", *, good: bool = True) -> None:
    bench.acquirer.do("offer_software", path=str(image), version=version)
    if good:
        bench.board.boot.verdict = SOUND | {"version": version}


def fetch(bench: AcquirerBench) -> dict[str, str]:
    """The till has it fetched; a whole image takes its time."""
    bench.send_order(SOFTWARE)
    return bench.till_answer(60)
