"""A bench for the reference firmware alone: a board in memory and a small scripted host on loopback, in one thread.

The host speaks with harness.protocol, which shares no code with the firmware.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.emulator.firmware.app import main
from harness.emulator.firmware.app.records import Record, State
from harness.protocol import keys
from harness.protocol.frames import F48, Frame, build, decode, swap_tpdu
from harness.terminal import cashier
from harness.terminal.cards import CHIP, MAGNETIC, Card
from harness.tests.firmware_boot import FakeBoot
from harness.tests.firmware_fake import CLOCK, FakeBoard, Rebooted
from harness.tests.firmware_flash import BLOCK, MemoryFlash, cuts

TID, MID = "97000001", "898970000000001"
TMK, PIK, MAK = (bytes.fromhex(text) for text in (
    "0123456789ABCDEFFEDCBA9876543210", "706185D32C528C64B01361324A85B579", "7A131F01F458BCDC"))
APPROVED = "00"
SEALED = ("0100", "0200", "0220", "0400", "0620")  # requests whose answers carry a MAC


@dataclass
class Answer:
    """What the host answers. ``act``: "answer", "last words" (answer and close), "silence" (stays open), "close".
    """

    code: str = APPROVED
    fields: dict[int, str | None] = field(default_factory=dict)
    mac: bool = True
    spoil: Callable[[bytes], bytes] = bytes
    act: str = "answer"
    request: str = "0"


class Host:
    """Answers by ``script``: a function from a request to an :class:`Answer`, or None for the ordinary answer."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.requests: list[Frame] = []
        self.script: Callable[[Frame], Answer | None] = lambda request: None
        self.batch, self.tmk = 1, TMK
        self.f48: F48 = "bcd"
        self._open: dict[socket.socket, bytes] = {}

    def pump(self) -> None:
        """Handles what has arrived."""
        try:
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                self._open[connection] = b""
        except BlockingIOError:
            pass
        for connection in list(self._open):
            self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._drop(connection)
            return
        held = self._open[connection] + data
        size = 2 + int.from_bytes(held[:2], "big")
        if len(held) < size:
            self._open[connection] = held
            return
        request = decode(held[:size])
        self.requests.append(request)
        answer = self.script(request) or Answer()
        if answer.act in ("answer", "last words"):
            connection.send(answer.spoil(self.compose(request, answer).raw))
        if answer.act in ("last words", "close"):
            self._drop(connection)

    def compose(self, request: Frame, answer: Answer) -> Frame:
        """The ordinary frame with the answer's code and fields."""
        fields: dict[int, str] = {n: request.fields[n] for n in (3, 4, 11, 25, 41, 42, 49) if n in request.fields}
        fields |= {12: "203005", 13: "1123", 37: f"97{len(self.requests):010d}", 39: answer.code}
        if 60 in request:
            fields[60] = request.fields[60][:11]
        approved = answer.code == APPROVED
        if request.mti == "0800":
            fields[60] = f"00{self.batch:06d}003"
            if approved:
                fields[62] = keys.make_f62(self.tmk, "003", PIK, MAK).hex().upper()
        if request.mti in ("0100", "0200") and approved:
            fields[38] = "970970"
        if request.get(59)[:2] == "A3" and approved:
            fields[59] = "A4020" + f"{len(self.requests):020d}"
        if request.mti == "0500" and approved:
            fields[48] = request.fields[48][:30] + "1" + "0" * 31
        for number, value in answer.fields.items():
            if value is None:
                fields.pop(number, None)
            else:
                fields[number] = value
        header = request.header[:5] + answer.request + request.header[6:]
        mti = f"{int(request.mti) + 10:04d}"
        frame = build(mti, fields, tpdu=swap_tpdu(request.tpdu), header=header, f48=self.f48)
        financial = request.mti in SEALED or (request.mti == "0820" and request.message_type == "07")
        return keys.seal(frame, MAK) if financial and answer.mac else frame

    def seen(self, mti: str) -> list[Frame]:
        return [request for request in self.requests if request.mti == mti]

    def _drop(self, connection: socket.socket) -> None:
        del self._open[connection]
        connection.close()

    def close(self) -> None:
        self._listener.close()
        for connection in list(self._open):
            self._drop(connection)


class Bench:
    """A terminal and its host. ``flash`` None: from the factory. ``application``: the module ``main`` of what it runs
    (see firmware_versions), the reference by default."""

    def __init__(
        self, *, model: str = "HT-100", time_scale: float = 1.0, flash: MemoryFlash | None = None,
        serial_number: str = "SN97000001", application: Any = None, boot: Any = None,
    ) -> None:
        self.host, self._model, self._time_scale, self._serial_number = Host(), model, time_scale, serial_number
        self.flash, self._application = flash or MemoryFlash(), application or main
        self.board = FakeBoard(self.flash, model=model, time_scale=time_scale, serial_number=serial_number)
        if boot is not None:
            self.board.boot = boot
        self.terminal: main.Terminal = self._application.Terminal(self.board)
        self._till = cashier.Receiver()
        self._lines = b""
        self._told: dict[str, str] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.host.close()
        self.board.close()

    # -- running -------------------------------------------------------------------------------------------------------

    def run(self, until: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Turns both until ``until()`` is true; fails after ``seconds``."""
        end = time.monotonic() + seconds
        while not (value := until()):
            assert time.monotonic() < end, f"not within {seconds} s; the screen says {self.lines}"
            self.terminal.turn(0.002)
            self.host.pump()
        return value

    def settle_down(self, turns: int = 20) -> None:
        """Lets happen what is under way without any further cause."""
        for _ in range(turns):
            self.terminal.turn(0.001)
            self.host.pump()

    def reboot(self, flash: MemoryFlash | None = None, *, application: Any = None, boot: Any = None) -> None:
        """Power off and on, with the flash, the application and the boot loader's services as they are or others."""
        self._application = application or self._application
        clock, told = self.board.clock, self.board.told
        self.board.close()
        self.flash = flash or MemoryFlash(bytes(self.flash.content))
        self.board = FakeBoard(
            self.flash, model=self._model, time_scale=self._time_scale, clock=clock, serial_number=self._serial_number
        )
        self.board.told = told
        if boot is not None:
            self.board.boot = boot
        self.terminal = self._application.Terminal(self.board)
        self._till = cashier.Receiver()

    # -- looking -------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The screen, read from its pixels."""
        return self.board.screens[-1] if self.board.screens else []

    def shows(self, *texts: str) -> Callable[[], bool]:
        return lambda: all(any(text in line for line in self.lines) for text in texts)

    @property
    def state(self) -> State:
        """What the terminal has in its flash."""
        assert self.terminal._store is not None
        return self.terminal._store.state

    @property
    def log(self) -> list[Record]:
        assert self.terminal._store is not None
        return self.terminal._store.log

    # -- operating -----------------------------------------------------------------------------------------------------

    def key(self, *names: str) -> None:
        for name in names:
            self.board.put_event({"key": name})
        self.settle_down(2)

    def present(self, card: Card) -> None:
        if card.entry == "manual":
            self.key(*card.pan, "ENTER", *card.expiry, "ENTER")
        else:
            self.board.present(card)
            self.settle_down(2)

    def serve(self, line: str) -> str:
        """One command on the service port, and its answer."""
        self.board.engineer.send(line.encode() + b"\r\n")
        return str(self.run(self._served_line))

    def _served_line(self) -> str:
        with contextlib.suppress(BlockingIOError):
            self._lines += self.board.engineer.recv(4096)
        line, separator, rest = self._lines.partition(b"\r\n")
        if not separator:
            return ""
        self._lines = rest
        return line.decode()

    def provision(self) -> None:
        """TMK, identity, host; no sign-in."""
        for command in (f"KEY TMK {TMK.hex()}", f"SET TID={TID} MID={MID}",
                        f"HOST 127.0.0.1 {self.host.port} 6000030000"):
            assert self.serve(command).startswith("OK ")

    def sign_in(self) -> dict[str, str]:
        return self.till("04")

    def ready(self) -> Bench:
        """Provisioned and signed in."""
        self.provision()
        assert self.sign_in()["DF07"] == APPROVED
        return self

    def till(self, type_: str, **tags: str) -> dict[str, str]:
        """A command of the till, and its answer."""
        self.send_order(type_, **tags)
        return self.till_answer()

    def send_to_till_port(self, data: bytes) -> None:
        self.board.till.send(data)

    def till_answer(self, seconds: float = 10.0) -> dict[str, str]:
        return dict(self.run(self._till_fields_or_pen, seconds))

    def _till_fields_or_pen(self) -> dict[str, str]:
        """Who is asked to sign does so on paper."""
        if self.shows("请签名")():
            self.key("ENTER")
        return self._till_fields()

    def _till_fields(self) -> dict[str, str]:
        try:
            messages = self._till.feed(self.board.till.recv(4096))
        except BlockingIOError:
            return {}
        return next((message.fields for message in messages if message.kind == "frame"), {})

    def send_order(self, type_: str, **tags: str) -> None:
        """A command of the till; its answer is not waited for."""
        self.send_to_till_port(cashier.encode({"DF01": "00", "DF02": type_, "DF04": "0097", **tags}))

    def send_sale(self, amount: int) -> None:
        """A sale by the till; the terminal asks for a card now."""
        self.send_order("01", DF03=f"{amount:012d}")
        self.run(self.shows("请刷卡或插卡"))

    def begin_sale(self, amount: int = 1234, card: Card = MAGNETIC, pin: str = "") -> None:
        """A sale by the till, card presented and PIN entered; its answer is not waited for."""
        self.send_order("01", DF03=f"{amount:012d}")
        begun = self.run(lambda: self.shows("请刷卡或插卡")() or self._till_fields())
        if begun is not True:
            self._told = begun
            return
        self.present(card)
        asked = self.run(lambda: self.shows("请输入密码")() or self._till_fields())
        if asked is not True:
            self._told = asked
            return
        self.key(*pin, "ENTER")

    def order(
        self, type_: str, card: Card | None = None, pin: str | None = None, **tags: str
    ) -> dict[str, str]:
        """Any transaction by the till: what it does not tell is answered by keys. ``pin`` None: it is not asked for,
        "": the customer has none."""
        self.send_order(type_, **tags)
        if card is not None:
            begun = self.run(lambda: self.shows("请刷卡")() or self._till_fields())
            if begun is not True:
                return dict(begun)
            self.present(card)
        if pin is not None:
            self.run(self.shows("请输入密码"))
            self.key(*pin, "ENTER")
        return self.till_answer()

    def sale(self, amount: int = 1234, card: Card = MAGNETIC, pin: str = "") -> dict[str, str]:
        self._told = {}
        self.begin_sale(amount, card, pin)
        return self._told or self.till_answer()

    def sale_is_refused(self) -> str:
        """The code with which the terminal refuses a sale before it asks for a card."""
        return self.till("01", DF03=f"{1234:012d}")["DF07"]

    def void(self, trace: str) -> dict[str, str]:
        return self.till("02", DF08=trace)

    def settle(self) -> dict[str, str]:
        return self.till("03")


__all__ = [
    "BLOCK", "CHIP", "CLOCK", "MAGNETIC", "Answer", "Bench", "FakeBoard", "FakeBoot", "Host", "MemoryFlash", "Rebooted",
    "cuts",
]
