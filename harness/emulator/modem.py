"""An emulated cellular modem: AT commands (3GPP TS 27.007, ITU-T V.250), registration, one data session.

Its data side is an Ethernet-like interface that has a carrier only while the session is up, as modems in ECM mode have
it. What is around it (signal, the network's mind, the SIM) is set by the panel. Time comes from outside.

    AT ATE0 ATE1 ATI   AT+CMEE=n   AT+CPIN?   AT+CSQ   AT+CREG=n ? and AT+CEREG=n ?   AT+CGEREP=n
    AT+CGDCONT=1,"IP","apn" ?   AT+CGATT=n ?   AT+CGACT=n,1 ?   unasked: +CEREG: n   +CGEV: NW PDN DEACT 1
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

Signal = Literal["none", "weak", "good"]
SIGNALS: dict[Signal, int] = {"none": 99, "weak": 3, "good": 22}
"""As +CSQ tells them: -113 dBm and 2 dB for each step; 99 is unknown."""

REGISTER_S = 2.0  # of the terminal's time: how long a search takes
_OFF, _HOME, _SEARCHING, _DENIED = 0, 1, 2, 3
_NO_SIM, _NO_SERVICE, _NOT_SUBSCRIBED, _WRONG = 10, 30, 133, 100
_LONGEST_LINE = 512
_CONTEXT = re.compile(r'1,"IP"(,"[0-9A-Za-z.-]{0,99}")?')


@dataclass(frozen=True)
class Surroundings:
    """``registration``: what the network says to who wants in. ``data``: what it says to who wants a session."""

    signal: Signal = "good"
    sim: Literal["present", "missing"] = "present"
    registration: Literal["home", "denied"] = "home"
    data: Literal["granted", "refused"] = "granted"


class _CmeError(Exception):
    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


class Modem:
    """``out`` collects what goes to the terminal's UART. ``on_session`` is told when the data session comes or goes.
    ``on_change``: something that :meth:`told` tells is another."""

    def __init__(
        self, time_scale: float, on_session: Callable[[bool], object], on_change: Callable[[], object]
    ) -> None:
        self._time_scale, self._on_session, self._on_change = time_scale, on_session, on_change
        self.around = Surroundings()
        self.out = bytearray()
        self.due: float | None = None  # when tick() wants to be called
        self._on, self._session = False, False
        self._line, self._echo = bytearray(), True
        self._reset()

    def told(self) -> dict[str, Any]:
        """For the panel."""
        return {
            "signal": self.around.signal, "sim": self.around.sim, "registration": self.around.registration,
            "data": self.around.data, "registered": self._registered == _HOME, "session": self._session,
        }

    # -- from outside --------------------------------------------------------------------------------------------------

    def power(self, on: bool, now: float) -> None:
        self._on = on
        self._end_session(tell=False)
        self._reset()
        self._look_around(now)
        self._on_change()

    def set(self, now: float, **around: Any) -> None:
        """Other surroundings: fields of :class:`Surroundings`."""
        self.around = replace(self.around, **around)
        if self.around.data == "refused":
            self._end_session(tell=True)
        self._look_around(now)
        self._on_change()

    def drop(self) -> None:
        """The network ends the session, and would grant another."""
        self._end_session(tell=True)
        self._on_change()

    def tick(self, now: float) -> None:
        """What is due by now: a search has ended."""
        if self.due is not None and now >= self.due:
            self.due = None
            self._register(_DENIED if self.around.registration == "denied" else _HOME)
            self._on_change()

    def feed(self, data: bytes) -> None:
        """Bytes of the terminal, in any pieces."""
        for byte in data:
            if not self._on:
                return
            if self._echo:
                self.out.append(byte)
            if byte == 0x0D:
                line, self._line = self._line.decode("latin-1").strip(), bytearray()
                if line:
                    self._answer(line)
            elif byte == 0x08:
                del self._line[-1:]
            elif len(self._line) < _LONGEST_LINE and byte != 0x0A:
                self._line.append(byte)

    # -- the radio -----------------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._line = bytearray()
        self._echo, self._verbose, self._reports, self._events = True, False, 0, 0
        self._context, self._attached, self._session = "", False, False
        self._registered = _OFF
        self.due = None
        self.out.clear()

    def _look_around(self, now: float) -> None:
        """A network is there or not; a search takes its time."""
        if not self._on or self.around.sim == "missing":
            self.due = None
            self._register(_OFF)
        elif self.around.signal == "none":
            self.due = None
            self._register(_SEARCHING)
        elif self._registered != (_DENIED if self.around.registration == "denied" else _HOME):
            self._register(_SEARCHING)
            self.due = now + REGISTER_S / self._time_scale

    def _register(self, registered: int) -> None:
        if registered == self._registered:
            return
        self._registered = registered
        if registered != _HOME:
            self._attached = False
            self._end_session(tell=True)
        if self._reports:
            self._say(f"+CEREG: {registered}")

    def _end_session(self, *, tell: bool) -> None:
        if self._session:
            self._session = False
            self._on_session(False)
            if tell and self._events:
                self._say("+CGEV: NW PDN DEACT 1")

    # -- commands ------------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.out += f"\r\n{text}\r\n".encode("latin-1")

    def _answer(self, line: str) -> None:
        """One command line; several commands may stand in it, with ``;`` between."""
        if line[:2].upper() != "AT":
            self._say("ERROR")
            return
        try:
            for command in filter(None, re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', line[2:])):
                for text in self._obey(command.strip()):
                    self._say(text)
            self._say("OK")
        except _CmeError as error:
            self._say(f"+CME ERROR: {error.number}" if self._verbose else "ERROR")

    def _obey(self, command: str) -> list[str]:
        name, sign, value = command.partition("=")
        match (name.upper(), sign, value):
            case ("E0" | "E1", "", ""):
                self._echo = name.upper() == "E1"
            case ("I", "", ""):
                return ["hil97 emulated modem"]
            case ("+CMEE", "=", "0" | "1"):
                self._verbose = value == "1"
            case ("+CREG" | "+CEREG", "=", "0" | "1"):
                self._reports = int(value)
            case ("+CGEREP", "=", "0" | "2" | "2,1" | "0,0"):
                self._events = int(value[0])
            case ("+CREG?" | "+CEREG?", "", ""):
                return [f"{name[:-1].upper()}: {self._reports},{self._registered}"]
            case ("+CSQ", "", ""):
                return [f"+CSQ: {SIGNALS[self.around.signal]},99"]
            case ("+CPIN?", "", ""):
                self._need_sim()
                return ["+CPIN: READY"]
            case _:
                return self._obey_about_data(name.upper(), sign, value)
        return []

    def _obey_about_data(self, name: str, sign: str, value: str) -> list[str]:
        match (name, sign, value):
            case ("+CGDCONT?", "", ""):
                return [f"+CGDCONT: {self._context}"] if self._context else []
            case ("+CGDCONT", "=", _) if _CONTEXT.fullmatch(value):
                self._context = value
            case ("+CGATT?", "", ""):
                return [f"+CGATT: {int(self._attached)}"]
            case ("+CGATT", "=", "0"):
                self._attached = False
                self._end_session(tell=False)
                self._on_change()
            case ("+CGATT", "=", "1"):
                self._need_sim()
                self._need(self._registered == _HOME, _NO_SERVICE)
                self._attached = True
            case ("+CGACT?", "", ""):
                return [f"+CGACT: 1,{int(self._session)}"]
            case ("+CGACT", "=", "0,1"):
                self._end_session(tell=False)
                self._on_change()
            case ("+CGACT", "=", "1,1"):
                self._need(self._attached and bool(self._context), _NO_SERVICE)
                self._need(self.around.data == "granted", _NOT_SUBSCRIBED)
                if not self._session:
                    self._session = True
                    self._on_session(True)
                    self._on_change()
            case _:
                raise _CmeError(_WRONG)
        return []

    def _need_sim(self) -> None:
        self._need(self.around.sim == "present", _NO_SIM)

    @staticmethod
    def _need(condition: bool, otherwise: int) -> None:
        if not condition:
            raise _CmeError(otherwise)
