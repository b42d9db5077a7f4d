"""Tests of the contract for a driver of your own: what the guard relies on. In a test file of your package:

    from harness.instruments.contract_kit import DriverContract

    class TestOurChamber(DriverContract):
        driver = OurChamber
        address = "TCPIP::10.1.2.3::5025::SOCKET"   # the instrument, or something that answers like it
        options = {}

and ``pytest``. The instrument is brought to its safe state and read, and nothing else; the tests of what a driver does
with an instrument that fails talk to a port of this machine.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from harness.instruments import drivers
from harness.instruments.contracts import InstrumentError
from harness.instruments.methods import CONTRACTS, methods
from harness.instruments.quantities import impossible

SETTLES_S = 30.0
_PATIENCE_S, _STRANGER_S = 20.0, 0.5
_HOSTS = (
    (re.compile(r"(?i)^(TCPIP\d*::)[^:]+::\d+(::SOCKET)$"), r"\g<1>127.0.0.1::{port}\g<2>"),
    (re.compile(r"^(\w+://)[^/]+(.*)$"), r"\g<1>127.0.0.1:{port}\g<2>"),
)
# What may be found at an address in place of the instrument: name -> what it says to whoever connects and asks.
STRANGERS: Mapping[str, bytes | None] = {
    "says nothing": b"", "hangs up": None, "speaks no protocol": b"\x00\xffrubbish\x1b[2J\r\n" * 3,
    "is a web server": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
}


class DriverContract:
    """``driver``: the class; ``address``, ``options``: as in an inventory. Derived classes have names like TestOurs."""

    driver: ClassVar[type[Any]]
    address: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def instrument(self) -> Iterator[Any]:
        opened = self.driver(self.address, **self.options)
        yield opened
        opened.close()

    def test_it_says_what_it_is(self) -> None:
        assert drivers.is_driver(self.driver), "it lacks a member that each driver has"
        assert self.driver.kind in CONTRACTS
        assert isinstance(self.driver.tried, bool) and self.driver.safe
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.driver.name), "names are small letters, digits and -"

    def test_it_has_the_methods_of_its_kind(self) -> None:
        for name, method in methods(self.driver.kind).items():
            function = getattr(self.driver, name, None)
            assert callable(function), f"a {self.driver.kind} has a method {name}"
            parameters = inspect.signature(function).parameters
            assert set(method.arguments) <= set(parameters), f"{name} takes {', '.join(method.arguments)}"
            needed = {
                one.name for one in list(parameters.values())[1:]
                if one.default is inspect.Parameter.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
            }
            assert needed <= method.required, f"{name} must not need {', '.join(sorted(needed - method.required))}"

    def test_it_knows_who_it_is(self, instrument: Any) -> None:
        said = instrument.identity()
        assert isinstance(said, str) and said.strip() and said.isprintable()
        assert instrument.identity() == said

    def test_it_reads_all_its_quantities(self, instrument: Any) -> None:
        values = instrument.read()
        assert set(values) == set(self.driver.quantities), f"it read {', '.join(values)}"
        wrong = impossible(values)
        assert not wrong, wrong

    def test_it_becomes_safe_and_stays_so(self, instrument: Any) -> None:
        for _ in range(2):
            instrument.make_safe()
            deadline = time.monotonic() + SETTLES_S
            while not instrument.is_safe():
                assert time.monotonic() < deadline, f"told to be safe ({self.driver.safe}), and not so"
                time.sleep(0.05)  # asked again, not waited for luck

    def test_it_closes_twice_and_opens_again(self) -> None:
        for _ in range(2):
            opened = self.driver(self.address, **self.options)
            assert opened.identity()
            opened.close()
            opened.close()

    def test_nobody_at_its_address(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self._fails_well(port)

    @pytest.mark.parametrize("stranger", STRANGERS)
    def test_somebody_else_at_its_address(self, stranger: str) -> None:
        with _stranger(STRANGERS[stranger]) as port:
            self._fails_well(port)

    def _fails_well(self, port: int) -> None:
        """Opening, or the first questions, must raise InstrumentError with a remedy, and nothing else."""
        address = elsewhere(self.address, port)
        if not address:
            pytest.skip(f"{self.address} can't be moved to another port")
        options = dict(self.options)
        if "timeout_s" in inspect.signature(self.driver).parameters:
            options["timeout_s"] = _STRANGER_S
        begun = time.monotonic()
        with pytest.raises(InstrumentError) as told:
            opened = self.driver(address, **options)
            opened.identity()
            opened.is_safe()
        assert told.value.what and told.value.remedy, "what happened, and what to do next"
        assert time.monotonic() - begun < _PATIENCE_S


def elsewhere(address: str, port: int) -> str:
    """The same sort of address at a port of this machine; "" where that is not possible (serial lines)."""
    for pattern, replacement in _HOSTS:
        if pattern.match(address):
            return pattern.sub(replacement.format(port=port), address)
    return ""


@contextlib.contextmanager
def _stranger(says: bytes | None) -> Iterator[int]:
    server = socket.create_server(("127.0.0.1", 0))
    standing: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            standing.append(line)
            threading.Thread(target=talk, args=(line,), daemon=True).start()

    def talk(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while says is not None and line.recv(4096):
                line.sendall(says)
            line.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        for line in standing:
            line.close()
