"""The modem's keeper: registers, keeps a data session, knows what is wrong. Imported only on models that have one.

It speaks AT commands on the modem's serial line, one at a time; what the modem says by itself only wakes it up. All
pauses are the terminal's own time; what is waited for an answer never falls below 3 s.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from . import at, texts
from .link import network_timeout
from .loop import Flow, Wait, now

ANSWER_S = 20.0
LOOK_S = 10.0  # how often it looks although nothing was said
AGAIN_S = (2.0, 4.0, 8.0, 16.0, 30.0)  # after each attempt that failed
WEAK_DBM = -103
_SIM_READY = "+CPIN: READY"


class Silent(Exception):
    """The modem does not answer."""


class Modem:
    """``trouble``: why there is no data session, "" while there is one. ``apn`` "" leaves the access point to the
    network."""

    def __init__(self, fd: int, time_scale: float, apn: Callable[[], str]) -> None:
        self._fd, self._time_scale, self._apn = fd, time_scale, apn
        self._lines = at.Lines()
        self._said: deque[str] = deque(maxlen=64)
        self._woken = False
        self.trouble = texts.NETWORK_DOWN
        self.dbm: int | None = None

    @property
    def bars(self) -> str:
        """For the status row."""
        if self.dbm is None:
            return texts.SIGNAL_NONE
        return texts.SIGNAL_WEAK if self.dbm <= WEAK_DBM else texts.SIGNAL_GOOD

    @property
    def report(self) -> str:
        """For the service port: in ASCII."""
        strength = "none" if self.dbm is None else f"{self.dbm}dBm"
        return f"modem={'down' if self.trouble else 'up'} signal={strength}"

    def heard(self) -> None:
        """The serial line has something. Raises OSError where it has ended."""
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        for line in self._lines.feed(data):
            if at.came_by_itself(line):
                self._woken = True
            else:
                self._said.append(line)

    def hurry(self) -> None:
        """Somebody wants the network now."""
        self._woken = True

    def run(self) -> Flow[None]:
        """For ever."""
        failures = 0
        while True:
            try:
                yield from self._set_up()
                while True:
                    self._woken = False
                    self.trouble = yield from self._bring_up()
                    failures = failures + 1 if self.trouble else 0
                    pause = AGAIN_S[min(failures, len(AGAIN_S)) - 1] if failures else LOOK_S
                    yield Wait(until=lambda: self._woken, deadline=now() + pause / self._time_scale)
            except Silent:
                self.trouble, self.dbm = texts.MODEM_SILENT, None
                yield Wait(deadline=now() + AGAIN_S[-1] / self._time_scale)

    def _set_up(self) -> Flow[None]:
        for command in ("AT", "ATE0", "AT+CMEE=1", "AT+CEREG=1", "AT+CGEREP=2,1"):
            yield from self._command(command)

    def _bring_up(self) -> Flow[str]:
        """As far as it gets: "" with a data session, else what is in the way. Leaves alone what is up."""
        said = yield from self._command("AT+CPIN?")
        if _SIM_READY not in said:
            self.dbm = None
            return texts.NO_SIM
        said = yield from self._command("AT+CSQ")
        self.dbm = next((dbm for dbm in map(at.signal, said) if dbm is not None), None)
        said = yield from self._command("AT+CEREG?")
        registered = next((found for found in map(at.registration, said) if found), None)
        if registered is None or not registered.home:
            denied = registered is not None and registered.denied
            return texts.NOT_REGISTERED if denied or self.dbm is not None else texts.NO_SIGNAL
        if any(map(at.session, (yield from self._command("AT+CGACT?")))):
            return ""
        apn = self._apn()
        context = f'AT+CGDCONT=1,"IP","{apn}"' if apn else 'AT+CGDCONT=1,"IP"'
        for command in ("AT+CGATT=1", context, "AT+CGACT=1,1"):
            said = yield from self._command(command)
            if said[-1] != "OK":
                return texts.NO_SESSION
        return ""

    def _command(self, command: str) -> Flow[list[str]]:
        """What the modem answers, the final result last. Raises :class:`Silent`."""
        self._said.clear()
        data, deadline = command.encode("ascii") + b"\r", now() + network_timeout(ANSWER_S, self._time_scale)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            raise Silent from error
        answer: list[str] = []
        while True:
            while self._said:
                line = self._said.popleft()
                if line != command:  # its echo
                    answer.append(line)
                if at.is_final(line):
                    return answer
            if now() >= deadline:
                raise Silent
            yield Wait(until=lambda: bool(self._said), deadline=deadline)
