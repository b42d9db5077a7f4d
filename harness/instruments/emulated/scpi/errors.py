"""SCPI's errors (SCPI-99 volume 2, chapter 21.8): a number, its text, and a reason after a semicolon."""

from __future__ import annotations

TEXTS = {
    0: "No error", -100: "Command error", -101: "Invalid character", -102: "Syntax error", -104: "Data type error",
    -108: "Parameter not allowed", -109: "Missing parameter", -110: "Command header error",
    -113: "Undefined header", -114: "Header suffix out of range", -121: "Invalid character in number",
    -123: "Exponent too large", -131: "Invalid suffix", -138: "Suffix not allowed", -141: "Invalid character data",
    -151: "Invalid string data", -211: "Trigger ignored", -221: "Settings conflict", -222: "Data out of range",
    -310: "System error", -350: "Queue overflow", -363: "Input buffer overrun",
}
_LONGEST = 255  # of a text, reason included


class ScpiError(Exception):
    """What goes into the error queue. ``detail`` is the reason, in the person's words."""

    def __init__(self, number: int, detail: str = "") -> None:
        self.number, self.detail = number, detail
        super().__init__(self.entry)

    @property
    def entry(self) -> str:
        """As ``SYSTem:ERRor?`` answers it: printable ASCII, quotation marks doubled."""
        text = TEXTS[self.number] + (f";{self.detail}" if self.detail else "")
        printable = "".join(one if " " <= one <= "~" else "?" for one in text)[:_LONGEST]
        doubled = printable.replace('"', '""')
        return f'{self.number},"{doubled}"'

    @property
    def is_command_error(self) -> bool:
        """The line can't be read on behind it (-100 to -199)."""
        return -200 < self.number <= -100
