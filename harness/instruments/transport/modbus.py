"""Modbus, through pymodbus: over TCP and over a serial line.

    modbus://10.1.2.3:502        Modbus TCP, port 502 where none is given
    modbus:///dev/ttyUSB0        Modbus RTU on a serial line, 8 bits, no parity
"""

from __future__ import annotations

import contextlib
import logging
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import answers, troubles

TIMEOUT_S = 2.0
PORT = 502
BAUD_RATE = 9600
UNITS = (0, 255)
# By the Modbus application protocol, 7.
EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "server device failure",
    5: "acknowledge", 6: "server device busy", 8: "memory parity error", 10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}  # fmt: skip


class Modbus:
    """A line to one device. It connects when first asked, and again after a failure."""

    def __init__(
        self, address: str, *, timeout_s: float = TIMEOUT_S, unit: int = 1, baud_rate: int = BAUD_RATE
    ) -> None:
        """``unit``: the device's number on its line. Raises :class:`InstrumentError` where the address is none."""
        self.address, self._timeout_s, self._unit, self._baud_rate = address, timeout_s, unit, baud_rate
        wrong = address_problem(address)
        if wrong:
            raise InstrumentError(wrong, remedy=troubles.ADDRESS)
        parts = urllib.parse.urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or PORT
        self._device = "" if self._host else parts.path
        self._client: Any = None
        self._end = 0.0  # of the monotonic clock: when the answer must be there; 0: it is not waited for yet

    def identity(self) -> str:
        """Vendor, product and revision by function 43/14, with commas between."""
        what = "its identification"
        answer = self._exchange(what, lambda client: client.read_device_information(device_id=self._unit))
        said = getattr(answer, "information", None)
        if not isinstance(said, dict) or not said:
            raise self._garbage(what, str(said), "identity")
        parts = [value.rstrip(b"\0 ") for _, value in sorted(said.items()) if isinstance(value, bytes)]  # some pad them
        return answers.identity(self.address, what, b",".join(parts).decode("ascii", "replace"))

    def coils(self, first: int, count: int) -> list[bool]:
        what = f"read coils {first} to {first + count - 1}"
        answer = self._exchange(what, lambda client: client.read_coils(first, count=count, device_id=self._unit))
        bits = list(getattr(answer, "bits", ()))
        if len(bits) != (count + 7) // 8 * 8:  # they come in whole bytes
            raise self._garbage(what, str(bits), f"answer of {count} coils")
        return [bool(bit) for bit in bits[:count]]

    def set_coil(self, number: int, on: bool) -> None:
        self._exchange(
            f"write coil {number}", lambda client: client.write_coil(number, on, device_id=self._unit)
        )

    def set_coils(self, first: int, values: list[bool]) -> None:
        self._exchange(
            f"write coils {first} to {first + len(values) - 1}",
            lambda client: client.write_coils(first, values, device_id=self._unit),
        )

    def input_registers(self, first: int, count: int) -> list[int]:
        """16 bits each, without sign."""
        what = f"read registers {first} to {first + count - 1}"
        answer = self._exchange(
            what, lambda client: client.read_input_registers(first, count=count, device_id=self._unit)
        )
        found = list(getattr(answer, "registers", ()))
        if len(found) != count:
            raise self._garbage(what, str(found), f"answer of {count} registers")
        return [int(register) for register in found]

    def close(self) -> None:
        """Idempotent; the next call would connect again."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    def _exchange(self, what: str, ask: Callable[[Any], Any]) -> Any:
        from pymodbus.exceptions import ConnectionException, ModbusException

        client = self._connected()
        self._end = 0.0
        try:
            answer = ask(client)
        except (ConnectionException, ConnectionError) as error:
            self.close()
            raise troubles.dropped(self.address, what) from error
        except (TimeoutError, ModbusException) as error:
            self.close()
            if "No response received" in str(error) or isinstance(error, TimeoutError):
                raise troubles.slow(self.address, what, self._timeout_s) from error
            raise self._garbage(what, str(error), "Modbus") from error
        except OSError as error:
            self.close()
            raise troubles.dropped(self.address, what) from error
        except Exception as error:  # its decoders stumble over what a broken device sends
            raise self._garbage(what, str(error), "Modbus") from error
        if answer.isError():
            code = int(getattr(answer, "exception_code", 0))
            raise troubles.said_no(self.address, what, EXCEPTIONS.get(code, f"exception {code}"))
        return answer

    def _garbage(self, what: str, said: str, wanted: str) -> InstrumentError:
        self.close()
        return troubles.garbage(self.address, what, said, wanted)

    def _connected(self) -> Any:
        if self._client is None:
            client = self._made()
            try:
                if not client.connect():
                    client.close()
                    raise self._not_connected()
            except OSError as error:
                raise troubles.unreachable(self.address, error) from error
            self._client = client
        return self._client

    def _made(self) -> Any:
        from pymodbus.client import ModbusSerialClient, ModbusTcpClient

        # whatever happens is told by the error; pymodbus would also log it
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        client: Any
        if self._host:
            client = ModbusTcpClient(self._host, port=self._port, timeout=self._timeout_s, retries=0)
        else:
            client = ModbusSerialClient(self._device, baudrate=self._baud_rate, timeout=self._timeout_s, retries=0)
        receive = client.recv

        def received(size: int | None) -> bytes:  # 3.10 waits anew after each piece; nothing is "no response" to it
            now = time.monotonic()
            self._end = self._end or now + self._timeout_s
            return bytes(receive(size)) if now < self._end else b""

        client.recv = received
        return client

    def _not_connected(self) -> InstrumentError:
        """pymodbus says only that it could not: try it ourselves, for the reason."""
        import socket

        if not self._host:
            return InstrumentError(f"{self._device} can't be opened as a serial line", remedy=troubles.CABLE)
        try:
            socket.create_connection((self._host, self._port), self._timeout_s).close()
        except OSError as error:
            return troubles.unreachable(self.address, error)
        return troubles.dropped(self.address, "connect")


def address_problem(address: str) -> str:
    """What is wrong with it as an address; "" nothing."""
    try:
        parts = urllib.parse.urlsplit(address)
        somewhere = parts.port != 0 if parts.hostname else parts.path.startswith("/")
        right = parts.scheme == "modbus" and somewhere
    except ValueError:
        right = False
    return "" if right else f"{address!r} is no address of the form modbus://host:port or modbus:///dev/..."
