"""What a modem says, line by line (ITU-T V.250, 3GPP TS 27.007). Pure."""

from __future__ import annotations

from typing import NamedTuple

_FINAL = ("OK", "ERROR", "+CME ERROR:", "+CMS ERROR:", "NO CARRIER")
_UNASKED = ("+CGEV:", "RING", "+CRING:")
LONGEST_LINE = 1024


class Lines:
    """Bytes in any pieces -> lines, empty ones left out. Never holds more than one line."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[str]:
        found = []
        for byte in data:
            if byte in b"\r\n":
                if self._held:
                    found.append(self._held.decode("latin-1"))
                self._held.clear()
            elif len(self._held) < LONGEST_LINE:
                self._held.append(byte)
        return found


class Registration(NamedTuple):
    """+CEREG or +CREG: ``asked`` where it answers a question, and not where it came by itself."""

    state: int
    asked: bool

    @property
    def home(self) -> bool:
        return self.state in (1, 5)

    @property
    def denied(self) -> bool:
        return self.state == 3


def is_final(line: str) -> bool:
    """Whether it ends the answer to a command."""
    return line.startswith(_FINAL)


def registration(line: str) -> Registration | None:
    """``+CEREG: 1`` came by itself, ``+CEREG: 1,1`` was asked for."""
    name, colon, rest = line.partition(":")
    if not colon or name not in ("+CEREG", "+CREG"):
        return None
    values = [value.strip() for value in rest.split(",")]
    if not all(value.isascii() and value.isdigit() for value in values[:2]) or len(values) > 6:
        return None
    return Registration(int(values[1]), True) if len(values) > 1 else Registration(int(values[0]), False)


def came_by_itself(line: str) -> bool:
    """Whether nobody has asked for this line."""
    found = registration(line)
    return line.startswith(_UNASKED) or (found is not None and not found.asked)


def signal(line: str) -> int | None:
    """dBm of ``+CSQ: rssi,ber``; None: not known, or no such line."""
    rssi = line.removeprefix("+CSQ:").partition(",")[0].strip()
    if not line.startswith("+CSQ:") or not (rssi.isascii() and rssi.isdigit()) or int(rssi) > 31:
        return None
    return -113 + 2 * int(rssi)


def session(line: str) -> bool:
    """``+CGACT: 1,1``: the data session is up."""
    return line.replace(" ", "") == "+CGACT:1,1"
