"""Instruments for the tests of the guard: a server in this process, and a driver for it in a package of its own.

The driver is found as a lab's own driver is: by an entry point, of a distribution that :func:`install` makes. Its
protocol is a line of JSON each way, so that a test sees and sets whatever it wants.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DRIVER = '''
import json
import socket

from harness.history.instrument_events import Quantity
from harness.instruments.contracts import InstrumentError


class Fake:
    name, tried = "fake-base", True
    quantities = {"output_on": Quantity(unit="")}
    safe = "off"
    safe_state = {"output_on": 0}

    def __init__(self, address, *, timeout_s=1.0, nominal_v=230.0):
        host, port = address.removeprefix("fake://").split(":")
        try:
            self._socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        except OSError as error:
            why = error.strerror or error
            raise InstrumentError(f"{address} can't be reached: {why}", remedy="plug it in") from error
        self._lines = self._socket.makefile("rb")
        self._address, self._nominal_v = address, nominal_v

    def _ask(self, **request):
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\\n")
            line = self._lines.readline()
        except OSError as error:
            raise InstrumentError(f"{self._address} did not answer: {error}", remedy="look at it") from error
        if not line:
            raise InstrumentError(f"{self._address} dropped the connection", remedy="look at it")
        reply = json.loads(line)
        if "error" in reply:
            raise InstrumentError(f"{self._address} refused: {reply['error']}", remedy="see its manual")
        return reply

    def identity(self):
        return self._ask(get="identity")["identity"]

    def read(self):
        values = self._ask(get="values")["values"]
        return {name: float(values[name]) for name in self.quantities}

    def make_safe(self):
        self._ask(set=self.safe_state)

    def is_safe(self):
        values = self._ask(get="values")["values"]
        return all(values[name] == value for name, value in self.safe_state.items())

    def close(self):
        self._socket.close()


class FakeChamber(Fake):
    kind, name = "chamber", "fake-chamber"
    quantities = {
        "temperature_c": Quantity(unit="C", low=-40, high=150), "humidity_pct": Quantity(unit="%"),
        "door_open": Quantity(unit=""),
    }

    def set_climate(self, *, temperature_c=None, humidity_pct=None, ramp_k_per_min=None):
        self._ask(set={"output_on": 1, "wanted_c": temperature_c, "ramp": ramp_k_per_min})


class FakeSupply(Fake):
    kind, name = "supply", "fake-supply"
    quantities = {"voltage_v": Quantity(unit="V"), "output_on": Quantity(unit="")}

    @property
    def safe_state(self):
        return {"output_on": 1, "voltage_v": self._nominal_v}

    def set_voltage(self, voltage_v):
        self._ask(set={"voltage_v": voltage_v})

    def set_current_limit(self, current_a):
        self._ask(set={"current_a": current_a})

    def output(self, on):
        self._ask(set={"output_on": int(on)})

    def dip(self, *, residual_pct, duration_ms, count=1, every_ms=1000):
        self._ask(set={"dip": residual_pct})


class FakeBurst(Fake):
    kind, name = "burst", "fake-burst"
    quantities = {"level_kv": Quantity(unit="kV"), "armed": Quantity(unit=""), "pulses": Quantity(unit="")}
    safe_state = {"armed": 0, "level_kv": 0}

    def arm(self, *, level_kv):
        self._ask(set={"armed": 1, "level_kv": level_kv})

    def ready(self):
        return {1, 2} if self._ask(get="values")["values"].get("odd") else True

    def fire(self, *, duration_ms=0, count=1):
        self._ask(set={"pulses": count})

    def disarm(self):
        self._ask(set={"armed": 0, "level_kv": 0})


class FakeCamera(Fake):
    kind, name = "camera", "fake-camera"
    quantities, safe_state = {}, {}

    def snapshot(self):
        return b"\\x89PNG" + b"x" * 300000
'''
_ENTRY_POINTS = """\
[hil97.instruments]
chamber = hil97_fakes:FakeChamber
supply = hil97_fakes:FakeSupply
burst = hil97_fakes:FakeBurst
camera = hil97_fakes:FakeCamera
"""
START = {
    "temperature_c": 23.0, "humidity_pct": 50.0, "door_open": 0, "output_on": 0, "voltage_v": 230, "level_kv": 0,
    "armed": 0, "pulses": 0,
}


def install(folder: Path) -> Path:
    """Makes the drivers' package in ``folder``, which belongs on PYTHONPATH then."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hil97_fakes.py").write_text(DRIVER, encoding="utf-8")
    about = folder / "hil97_fakes-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hil97-fakes\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(_ENTRY_POINTS, encoding="utf-8")
    return folder


class FakeInstrument:
    """Its server. ``values``: its state, which tests set and read; ``identity``; ``error``: what every setting is
    refused with, "" none; ``delay_s``: before each answer; ``told``: every setting in order;
    ``asked``: how many requests there were."""

    def __init__(self, identity: str = "HIL97,FAKE,1,1.0", port: int = 0) -> None:
        self.identity, self.error, self.delay_s = identity, "", 0.0
        self.values: dict[str, Any] = dict(START)
        self.told: list[dict[str, Any]] = []
        self.asked = 0
        self.port = port
        self._connections: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.plug()

    @property
    def address(self) -> str:
        return f"fake://127.0.0.1:{self.port}"

    @property
    def plugged(self) -> bool:
        return self._listener is not None

    def plug(self) -> None:
        """It is reached again, at the same address."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def unplug(self) -> None:
        """Nobody answers there any more."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for one in self._connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                if self.delay_s:
                    time.sleep(self.delay_s)  # how slow it is, is what the test is about
                connection.sendall(json.dumps(self._answer(request)).encode() + b"\n")

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if "set" in request:
            if self.error:
                return {"error": self.error}
            self.told.append(request["set"])
            self.values.update(request["set"])
            return {}
        return {"identity": self.identity} if request["get"] == "identity" else {"values": self.values}


@contextlib.contextmanager
def drivers_installed(folder: Path) -> Iterator[Path]:
    """For the processes that are started inside, and for this one."""
    import sys

    from harness.instruments import drivers

    path = install(folder)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), before]))
    sys.path.insert(0, str(path))
    drivers.known.cache_clear()
    try:
        yield path
    finally:
        sys.path.remove(str(path))
        drivers.known.cache_clear()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
