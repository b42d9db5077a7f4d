"""Modbus through pymodbus, against a device made of bytes: one that behaves and ones that do not."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport.modbus import Modbus
from harness.tests.instrument_fakes import DROP, TRICKLE, closed_port, trickling

Handler = Callable[[bytes], bytes]


class ModbusDevice:
    """``answer``: a request's function and data -> those of the response; b"" for none, DROP to close, TRICKLE for a
    byte now and then."""

    def __init__(self, answer: Handler) -> None:
        self.answer, self.accepted, self.heard = answer, 0, list[bytes]()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"modbus://127.0.0.1:{self._server.getsockname()[1]}"
        self._standing: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for line in self._standing:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            self._standing.append(line)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        try:
            while head := line.recv(7, socket.MSG_WAITALL):
                number, _, length, unit = struct.unpack(">HHHB", head)
                request = line.recv(length - 1, socket.MSG_WAITALL)
                self.heard.append(request)
                said = self.answer(request)
                if said == TRICKLE:
                    line.sendall(struct.pack(">HHHB", number, 0, 200, unit))
                    trickling(line.sendall)
                    return
                body = said.removesuffix(DROP)
                if body:
                    size = len(body) + 1 + (5 if body is not said else 0)  # what is dropped lacks something
                    line.sendall(struct.pack(">HHHB", number, 0, size, unit) + body)
                if said.endswith(DROP):
                    line.shutdown(socket.SHUT_RDWR)
                    return
        except (OSError, struct.error):
            return


def relay(request: bytes) -> bytes:
    """Eight coils, the first and the last closed; registers count up; vendor, product and revision."""
    match request[0]:
        case 1:
            return b"\x01\x01\x81"
        case 4:
            _, count = struct.unpack(">HH", request[1:])
            return struct.pack(f">BB{count}H", 4, 2 * count, *range(count))
        case 5 | 15:
            return request[:5]
        case 0x2B:
            parts = b"".join(bytes([n, len(text)]) + text for n, text in enumerate([b"HIL97", b"EMU-RELAY", b"1.0"]))
            return b"\x2b\x0e\x01\x01\x00\x00\x03" + parts
    return bytes([request[0] | 0x80, 1])


@pytest.fixture
def device() -> Iterator[ModbusDevice]:
    served = ModbusDevice(relay)
    yield served
    served.close()


def test_reads_writes_and_says_who_it_is(device: ModbusDevice) -> None:
    line = Modbus(device.url)
    assert line.identity() == "HIL97,EMU-RELAY,1.0"
    assert line.coils(0, 8) == [True, False, False, False, False, False, False, True]
    assert line.input_registers(0, 3) == [0, 1, 2]
    line.set_coil(2, True)
    line.set_coils(0, [True] * 8)
    assert device.heard[-2:] == [b"\x05\x00\x02\xff\x00", b"\x0f\x00\x00\x00\x08\x01\xff"]
    assert device.accepted == 1
    line.close()
    line.close()


def test_refused() -> None:
    with pytest.raises(InstrumentError, match="refuses the connection") as told:
        Modbus(f"modbus://127.0.0.1:{closed_port()}").coils(0, 1)
    assert "switched on" in told.value.remedy


@pytest.mark.parametrize("address", ["", "modbus://", "http://x", "modbus://x:99999", "modbus://[", "modbus:dev"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(InstrumentError, match="is no address of the form"):
        Modbus(address)


def test_a_serial_line_that_is_not_there() -> None:
    with pytest.raises(InstrumentError, match="/dev/nosuch can't be opened as a serial line"):
        Modbus("modbus:///dev/nosuch").coils(0, 1)


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(InstrumentError, match="can't be reached"):
        Modbus("modbus://nosuch.invalid").coils(0, 1)


def test_slow(device: ModbusDevice) -> None:
    device.answer = lambda request: b""
    line = Modbus(device.url, timeout_s=1.0)
    with pytest.raises(InstrumentError, match=r"did not answer 'read coils 0 to 7' within 1 s"):
        line.coils(0, 8)
    device.answer = relay
    assert len(line.coils(0, 8)) == 8


def test_an_answer_that_only_trickles(device: ModbusDevice) -> None:
    device.answer = lambda request: TRICKLE
    line, began = Modbus(device.url, timeout_s=0.4), time.monotonic()
    with pytest.raises(InstrumentError, match=r"did not answer 'read coils 0 to 7' within 0.4 s"):
        line.coils(0, 8)
    assert time.monotonic() - began < 5  # of some twenty seconds


def test_refusals_have_their_reason(device: ModbusDevice) -> None:
    device.answer = lambda request: bytes([request[0] | 0x80, 4])
    with pytest.raises(InstrumentError, match="refused 'write coil 3': server device failure") as told:
        Modbus(device.url).set_coil(3, True)
    assert told.value.remedy


@pytest.mark.parametrize("said", [DROP, b"\x01\x08" + DROP], ids=["before its answer", "in its answer"])
def test_dropped(device: ModbusDevice, said: bytes) -> None:
    device.answer = lambda request: said
    line = Modbus(device.url, timeout_s=1.0)
    with pytest.raises(InstrumentError, match=r"dropped|which is no|did not answer"):
        line.coils(0, 8)
    device.answer = relay
    assert len(line.coils(0, 8)) == 8


@pytest.mark.parametrize(
    "said", [b"\x01\x00", b"\x01\x02\x01\x01", b"\x04\x02\x00\x01", b"\x63", b"\x01", b"\x01\xff" + b"\x00" * 9],
    ids=lambda said: said.hex(),
)
def test_garbage(device: ModbusDevice, said: bytes) -> None:
    device.answer = lambda request: said
    with pytest.raises(InstrumentError) as told:
        Modbus(device.url, timeout_s=0.3).coils(0, 8)
    assert told.value.remedy


def _identified(*parts: bytes) -> Handler:
    body = b"".join(bytes([n, len(text)]) + text for n, text in enumerate(parts))
    said = bytes([0x2B, 0x0E, 1, 1, 0, 0, len(parts)]) + body
    return lambda request: said if request[0] == 0x2B else relay(request)


def test_an_identification_that_is_filled_up(device: ModbusDevice) -> None:
    device.answer = _identified(b"MAKER\0\0", b"R8   ", b"1.0")
    assert Modbus(device.url).identity() == "MAKER,R8,1.0"


@pytest.mark.parametrize("parts", [(b"A\x1b[2J", b"B"), (b"x" * 120, b"y" * 120)], ids=["an escape", "too much"])
def test_an_identification_that_can_t_be_told(device: ModbusDevice, parts: tuple[bytes, ...]) -> None:
    device.answer = _identified(*parts)
    with pytest.raises(InstrumentError, match="which is no identity"):
        Modbus(device.url).identity()


def test_no_identification(device: ModbusDevice) -> None:
    device.answer = lambda request: b"\x2b\x0e\x01\x01\x00\x00\x00" if request[0] == 0x2B else relay(request)
    with pytest.raises(InstrumentError, match="which is no identity"):
        Modbus(device.url).identity()
