"""Giving an emulated terminal other software: by the service port as an engineer does, or fetched from its host."""

from __future__ import annotations

import hashlib
import io
import logging
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from xmodem import XMODEM1k

from harness.errors import BadInput, BenchError, TerminalTimeout
from harness.history.events import AnyEvent, Power
from harness.history.update_events import FirmwareTold, Route
from harness.terminal.contracts import AGAIN_S, BUSY, Completion, Operation
from harness.terminal.drivers.panel_hands import MANAGE, PATIENCE_S, PanelHands
from harness.terminal.drivers.panel_operation import ENDED, PROGRESS, PanelOperation
from harness.terminal.links import ServicePort
from harness.terminal.serial_line import ByteLine

logging.getLogger("xmodem").setLevel(logging.CRITICAL)  # what it meets on the line stands in the history
BLOCK = 1024
ANSWER_S = 30.0  # for the check of a whole image, and for a line that has to become quiet first
LOAD_S = 180.0  # a transfer, however noisy
_CANCELLED = b"\x18\x18"
_REASON = re.compile(r"原因([0-9]{2})")

OnBlock = Callable[[int], object]
Through = Callable[[ByteLine], ByteLine]


class SenderStopped(Exception):
    """The sender goes away in the middle of a transfer: raised by what stands between it and the line."""


class _Cancelled(Exception):
    """The terminal broke the transfer off."""


class PanelFirmware(PanelHands):
    """Implements ``harness.terminal.contracts.LoadsFirmware``."""

    _installed_since = 0  # of the history: the restart that follows an installation comes later

    def begin_load_firmware(
        self, image: Path, *, via: Route = "service", version: str = "", on_block: OnBlock | None = None,
        through: Through | None = None, install: bool = True, patience_s: float = PATIENCE_S, disturbed: str = "",
    ) -> Operation:
        """``version``, ``disturbed``: what the history is to say of it. ``on_block`` is told each block that the
        terminal has taken, from 1; ``through``: what stands between the sender and the line
        (``harness.instruments.serial_noise``). Without ``install`` it is loaded and checked only. ``patience_s``: how
        long a busy terminal is asked again."""
        try:
            data = image.read_bytes()
        except OSError as error:
            raise BadInput(f"the image {image} can't be read: {error.strerror}") from error
        args = {"version": version, "sha256": hashlib.sha256(data).hexdigest(), "via": via, "size": str(len(data))}
        args |= {"disturbed": disturbed} if disturbed else {}
        self._installed_since = self._recorder.seq
        if via == "network":
            return self._fetch(args)
        operation = self._invoke("load_firmware", "service", args)
        load = _SerialLoad(self, operation, data, on_block or (lambda n: None), through, install, patience_s)
        load.begin()
        return load

    def load_firmware(
        self, image: Path, *, via: Route = "service", version: str = "", on_block: OnBlock | None = None,
        through: Through | None = None, install: bool = True, patience_s: float = PATIENCE_S,
    ) -> Completion:
        return self.begin_load_firmware(
            image, via=via, version=version, on_block=on_block, through=through, install=install,
            patience_s=patience_s,
        ).wait()

    def install_firmware(self) -> Completion:
        """What was loaded before."""
        self._installed_since = self._recorder.seq
        return answered(self.asked_while_busy("INSTALL", PATIENCE_S))

    def await_updated(self, deadline_s: float = 60.0) -> None:
        """The terminal has restarted since the last load, and stands idle."""
        end = time.monotonic() + deadline_s
        self._recorder.wait_for(_came_on, deadline_s, "the restart with other software", since=self._installed_since)
        self.await_idle(max(1.0, end - time.monotonic()))

    def read_version(self) -> tuple[str, str]:
        """(name, version) of what runs: by the service port, or off the screen where there is none."""
        name = version = ""
        via: Literal["service", "screen"] = "service" if self.service is not None else "screen"
        if via == "service":
            words = self._served("VERSION").text.split()
            name, version = (words[-2], words[-1]) if len(words) >= 3 else ("", "")
        else:
            operation = self._invoke("menu", "keypad")
            with operation.guarded():
                self._open("manage", operation, (MANAGE,), "the management menu")
                seen = self._look_for(("SN",), "the version", after=self.front.press("3"))
                found = re.search(r"(\S+) ([0-9][0-9.+]*)", "\n".join(seen.lines[1:]))
                name, version = found.groups() if found else ("", "")
                self.to_idle()
                operation.complete(Completion("ok", None, f"{name} {version}"))
        if not version:
            raise BenchError("the terminal tells no version", bench=self._bench)
        self._recorder.append(FirmwareTold(t=time.monotonic_ns(), via=via, name=name, version=version))
        return name, version

    # -- what is behind it --------------------------------------------------------------------------------------------

    def _fetch(self, args: dict[str, str]) -> Operation:
        """The operator has it fetched; the host has to offer it."""
        operation = self._invoke("load_firmware", "keypad", args)
        with operation.guarded():
            seen = self._open("software_update", operation, PROGRESS, "the begin of the update")
            if any(text in seen.text for text in ENDED):
                operation.start = seen.number - 1
        return _Fetched(operation)

    def asked_while_busy(self, command: str, patience_s: float) -> str:
        """The answer on the service port; while the terminal is at work it is asked again, at a person's pace."""
        end = time.monotonic() + patience_s
        while (answer := self._asked(command)).startswith(f"ERR {BUSY}") and time.monotonic() < end:
            time.sleep(AGAIN_S)
        return answer

    def _asked(self, command: str) -> str:
        return self._port().ask(command, ANSWER_S, powered=lambda: self.front.powered)

    @property
    def line(self) -> ServicePort:
        return self._port()


class _Fetched:
    """A download under way at the keypad."""

    def __init__(self, operation: PanelOperation) -> None:
        self._operation = operation

    def wait(self, deadline_s: float | None = None) -> Completion:
        told = self._operation.wait_for_result(deadline_s or LOAD_S)
        if told.ok and "无新版本" in told.text:
            told = Completion("fail", None, told.text)
        reason = _REASON.search(told.text)
        return self._operation.complete(Completion("fail", reason.group(1), told.text) if reason else told)


class _SerialLoad:
    """A transfer by the service port: in a thread, from the first block to the installation."""

    def __init__(
        self, hands: PanelFirmware, operation: PanelOperation, data: bytes, on_block: OnBlock, through: Through | None,
        install: bool, patience_s: float,
    ) -> None:
        self._hands, self._operation, self._data, self._install = hands, operation, data, install
        self._on_block, self._through, self._patience_s = on_block, through or (lambda line: line), patience_s
        self._completion: Completion | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load firmware", daemon=True)
        self._sent = self._again = 0

    def begin(self) -> None:
        with self._operation.guarded():
            answer = self._hands.asked_while_busy(f"LOAD {len(self._data)}", self._patience_s)
            if not answer.startswith("OK LOAD"):
                self._completion = self._operation.complete(answered(answer))
                return
        self._thread.start()

    def wait(self, deadline_s: float | None = None) -> Completion:
        if self._completion is None and self._thread.ident is not None:
            self._thread.join(deadline_s or LOAD_S)
            if self._thread.is_alive():
                raise TerminalTimeout("the end of the transfer", deadline_s or LOAD_S)
        if self._error is not None:
            raise self._error
        assert self._completion is not None
        if self._completion.outcome == "fail" and self._hands.front.powered:
            self._hands.front.press("CANCEL")  # the reason on the screen, which may not have been read yet, is put away
        return self._completion

    def _run(self) -> None:
        try:
            with self._operation.guarded():
                answer = self._transfer()
                if answer.startswith("OK") and self._install:
                    answer = self._hands.asked_while_busy("INSTALL", PATIENCE_S)
                self._completion = self._operation.complete(answered(answer))
        except BaseException as error:  # handed to who waits
            self._error = error

    def _transfer(self) -> str:
        """The terminal's answer to the whole image."""
        port = self._hands.line
        ended = "given up by the sender"
        port.unsettle()
        with port.raw() as raw:
            raw.stop = self._refuse_without_power
            line = self._through(raw)
            sender = XMODEM1k(_heeding_cancel(line), line.putc, pad=b"\xff")
            try:
                if sender.send(io.BytesIO(self._data), retry=16, timeout=10, quiet=True, callback=self._told):
                    ended = "whole"
            except _Cancelled:
                ended = "broken off by the terminal"
            except SenderStopped:
                ended = "the sender stopped"
            finally:
                port.note(f"XMODEM-1K: {self._sent} blocks of {BLOCK} bytes, {self._again} sent again; {ended}")
        answer = port.next_line("what the terminal says of the transfer", ANSWER_S)
        port.settled()
        return answer

    def _told(self, total: int, good: int, errors: int) -> None:
        """By the sender, for each block that was answered."""
        if good > self._sent:
            self._sent = good
            self._on_block(good)
        else:
            self._again += 1

    def _refuse_without_power(self) -> None:
        if not self._hands.front.powered:
            raise TerminalTimeout("an answer to a block: the terminal has no power", 0.0)


def _heeding_cancel(line: ByteLine) -> Callable[[int, float], bytes | None]:
    """The line's reader for a sender that does not know the receiver's CAN CAN."""
    last = b""

    def getc(size: int, timeout: float = 1) -> bytes | None:
        nonlocal last
        got = line.getc(size, timeout)
        if got is not None and last + got == _CANCELLED:
            raise _Cancelled
        last = got or b""
        return got

    return getc


def answered(answer: str) -> Completion:
    """An answer of the service port."""
    status, _, rest = answer.partition(" ")
    if status == "OK":
        return Completion("ok", None, rest)
    return Completion("fail", rest.split(" ")[0] if rest else None, rest)


def _came_on(event: AnyEvent) -> bool:
    return isinstance(event, Power) and event.state == "on"
