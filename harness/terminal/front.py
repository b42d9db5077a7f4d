"""The front panel as an operator has it: eyes on the screen, fingers on the keys, a card in the hand.

Turns what the panel instrument delivers (pixels, paper) into ``screen``, ``slip`` and ``power`` events, and lets a
driver wait for a screen. Identical images are stored once.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import TerminalTimeout
from harness.history.events import ChipCommand, Power, Radio, Screen, Slip, WireLink
from harness.history.instrument_events import Felt
from harness.history.recorder import Recorder
from harness.instruments.card_slot import CardSlot
from harness.instruments.hardware import Hardware
from harness.instruments.keypad import Keypad
from harness.instruments.modem import Modem
from harness.instruments.panel import Frame, Panel
from harness.instruments.power import Supply
from harness.instruments.printer import SlipReader
from harness.instruments.screen import ScreenReader, ScreenReading
from harness.terminal.cards import Card
from harness.terminal.model import Model

SIGNATURE = bytes(64) + bytes(range(0, 256, 8)) * 4 + bytes(64)  # a stroke on the pad

Read = tuple[str, tuple[str, ...], int]  # name of the picture, lines, unreadable cells


@dataclass(frozen=True)
class Seen:
    """A screen the eye saw: its number (counting from 1 at this bench), lines, how many cells could not be read, and
    whether the terminal had power."""

    number: int
    t: int
    lines: tuple[str, ...]
    unreadable: int
    powered: bool = True

    @property
    def text(self) -> str:
        """All lines joined, without spaces: what wraps reads as one."""
        return "".join(self.lines).replace(" ", "")


class Front:
    """Keypad, card slot, screen and printer of one terminal."""

    def __init__(
        self, control: Path, model: Model, recorder: Recorder, evidence: Path, bench: str,
        alive: Callable[[], object] | None = None,
    ) -> None:
        """``alive`` raises when the terminal's process has ended."""
        self._recorder, self._bench, self.evidence = recorder, bench, evidence
        self._screen_reader = ScreenReader(model.screen)
        self._slip_reader = SlipReader()
        self._seen: list[Seen] = [Seen(0, 0, (), 0)]
        self._slips: list[Seen] = []
        self._cache: dict[bytes, Read] = {}
        self._changed = threading.Condition()
        for folder in ("screens", "slips"):
            (evidence / folder).mkdir(parents=True, exist_ok=True)
        self.powered, self._power_losses = False, 0
        self._has_modem = model.modem
        self._session, self._cut_off = False, False  # of a modem: whether there is one, and it went under power
        self._panel = Panel(control, on_event=self._on_event, alive=alive)
        self._keypad, self._slot = Keypad(self._panel), CardSlot(self._panel)
        self.supply, self.modem = Supply(self._panel), Modem(self._panel)
        self.hardware = Hardware(self._panel, recorder.append)
        self._card_inside = False
        self.cashier_port, self.service_port = self._panel.cashier, self._panel.service
        self.powered = self._panel.powered_at_start

    # -- what happens -------------------------------------------------------------------------------------------------

    def _on_event(self, event: dict[str, Any]) -> None:
        match event["ev"]:
            case "screen":
                image, lines, unreadable = self._read(event, "screens", self._screen_reader.read)
                self._recorder.append(Screen(t=event["t"], image=image, lines=list(lines), unreadable=unreadable))
                with self._changed:
                    self._seen.append(Seen(len(self._seen), event["t"], lines, unreadable, self.powered))
                    self._changed.notify_all()
            case "paper":
                image, lines, unreadable = self._read(event, "slips", self._slip_reader.read)
                self._recorder.append(Slip(t=event["t"], image=image, lines=list(lines), unreadable=unreadable))
                with self._changed:
                    self._slips.append(Seen(len(self._slips) + 1, event["t"], lines, unreadable))
                    self._changed.notify_all()
            case "power":
                with self._changed:
                    self.powered = event["state"] == "on"
                    self._power_losses += not self.powered
                    self._changed.notify_all()
                self._recorder.append(Power(t=event["t"], state=event["state"], reason=event["reason"]))
            case "modem":
                self._take_radio(event)
            case "felt":
                self._take_felt(event)
            case "chip":
                self._recorder.append(ChipCommand(
                    t=event["t"], command=event["command"], number=event["number"], asked=event["asked"],
                    gave=event["gave"],
                ))
            case _:
                pass

    def _take_felt(self, event: dict[str, Any]) -> None:
        """A line that a disturbance has brought down is seen by its lamp; of a modem, by its session."""
        t, what = event["t"], event["what"]
        self._recorder.append(Felt(t=t, what=what, detail=event["detail"]))
        if not self._has_modem and what in ("link_down", "link_up"):
            self._recorder.append(WireLink(t=t, state="down" if what == "link_down" else "up"))

    def _take_radio(self, event: dict[str, Any]) -> None:
        """A data session that ends under power is a cable that is out; one that ends with the power is not told so."""
        t, session = event["t"], event["session"]
        values = {name: event[name] for name in Radio.model_fields if name in event and name not in ("t", "kind")}
        self._recorder.append(Radio(t=t, **values))
        if self._session and not session and self.powered:
            self._cut_off = True
            self._recorder.append(WireLink(t=t, state="down"))
        elif session and self._cut_off:
            self._cut_off = False
            self._recorder.append(WireLink(t=t, state="up"))
        self._session = session

    def _read(self, event: dict[str, Any], folder: str, read: Callable[[Frame], ScreenReading]) -> Read:
        frame = Frame.from_event(event)
        digest = hashlib.sha256(frame.bits + folder.encode()).digest()
        if digest not in self._cache:
            reading = read(frame)
            name = f"{folder}/{digest.hex()[:16]}.png"
            (self.evidence / name).write_bytes(reading.png)
            self._cache[digest] = (name, tuple(reading.lines), reading.unreadable)
        return self._cache[digest]

    # -- eyes ---------------------------------------------------------------------------------------------------------

    @property
    def latest(self) -> Seen:
        """The screen as it is now."""
        with self._changed:
            return self._seen[-1]

    @property
    def slips(self) -> int:
        """How many slips came out so far."""
        with self._changed:
            return len(self._slips)

    def await_screen(
        self, wanted: Callable[[Seen], bool], deadline_s: float, what: str, *, after: int = -1, answer: bool = False,
    ) -> Seen:
        """The first screen numbered above ``after`` that is wanted; with ``after`` = -1 the present one counts too.
        ``answer``: it is one to a key, and does not come any more once the power went.

        Raises :class:`TerminalTimeout` after ``deadline_s`` seconds, quoting the last screen.
        """
        end = time.monotonic() + deadline_s
        with self._recorder.waiting(), self._changed:
            losses = self._power_losses
            at = len(self._seen) - 1 if after < 0 else after + 1
            while True:
                while at < len(self._seen):
                    if wanted(self._seen[at]):
                        return self._seen[at]
                    at += 1
                left = end - time.monotonic()
                if answer and (self._power_losses != losses or not self.powered):
                    what, deadline_s, left = f"{what}: the terminal lost its power", 0.0, 0.0
                if left <= 0 or not self._changed.wait(left):
                    last = self._seen[-1]
                    raise TerminalTimeout(
                        what,
                        deadline_s,
                        bench=self._bench,
                        evidence=str(self.evidence / "screens"),
                        seen="screen: " + (" | ".join(line.strip() for line in last.lines if line.strip()) or "blank"),
                    )

    def await_slip(self, before: int, deadline_s: float) -> None:
        """Until more than ``before`` slips came out. Raises TerminalTimeout."""
        with self._recorder.waiting(), self._changed:
            if not self._changed.wait_for(lambda: len(self._slips) > before, deadline_s):
                raise TerminalTimeout("a slip", deadline_s, bench=self._bench, evidence=str(self.evidence / "slips"))

    # -- fingers ------------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> int:
        """Press keys one after the other. Returns the number of the screen that stood before the last one."""
        before = self.latest.number
        for key in keys:
            before = self.latest.number
            self._keypad.press(key)
        return before

    def type(self, text: str) -> int:
        """Type a number; A to F as 2 or 3 with ALPHA."""
        before = self.latest.number
        self._keypad.type(text)
        return before

    def present(self, card: Card) -> int:
        """Hold out a card (or a payment code) as its ``entry`` says; of one that is typed the number, the expiry date
        is asked for next. Returns the number of the screen before."""
        before = self.latest.number
        match card.entry:
            case "manual":
                self.type(card.pan)
                before = self.press("ENTER")
            case "magnetic":
                self._slot.swipe(card.track2)
            case "chip":
                self._slot.insert(card.chip())
                self._card_inside = True
            case "contactless":
                self._slot.tap(card.chip())
            case "scan":
                self._slot.scan(card.code)
        return before

    def sign(self, strokes: bytes = SIGNATURE) -> int:
        """Sign on the pad; ``strokes`` is its bitmap. Returns the number of the screen before."""
        before = self.latest.number
        self._slot.sign(strokes)
        return before

    def take_card(self) -> None:
        """Give the customer their card back, if it is in the slot."""
        if self._card_inside:
            self._slot.remove()
            self._card_inside = False

    def close(self) -> None:
        """Let go of the panel; the terminal goes on."""
        self._panel.close()
