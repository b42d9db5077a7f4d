"""The terminal that stands on the bench now, by its panel's socket (docs/emulator.md); or none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.emulator.panel_server import LONGEST_LINE, connect
from harness.errors import BadInput

GREETING_S = 5.0
ANSWER_S = 10.0
_DOTS_PER_MM = 8  # of its thermal printer, 203 dpi


class NoTerminal(Exception):
    """There is none, or it is gone."""


class Refused(Exception):
    """It would not do it; ``str()`` is its reason."""


class Board:
    """What instruments see of the terminal and do to it. ``changed()`` is called when its power is on or off now, when
    it came, and when it is gone."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._complained: set[str] = set()
        self.panel: Path | None = None
        self.power_on = False
        self.screen: dict[str, Any] | None = None  # the last event
        self.paper_mm = 0.0  # since its power-on
        self.paper_ever_mm = 0.0
        self.paper_out = False
        self.came = 0  # how often a terminal was put here

    @property
    def there(self) -> bool:
        return self._writer is not None

    async def attach(self, panel: Path | None) -> None:
        """Puts that one here; None: takes away what is here. Raises :class:`BadInput` where it can't be reached."""
        await self.detach()
        if panel is None:
            return
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connect(panel), limit=LONGEST_LINE)
        except OSError as error:
            raise BadInput(f"no terminal answers there: {error.strerror or error}", where=str(panel)) from error
        greeted = asyncio.Event()
        self.panel, self._writer = panel, writer
        self.power_on, self.screen, self.paper_mm, self.paper_out = False, None, 0.0, False
        self._reading = asyncio.create_task(self._read(reader, greeted))
        try:
            await asyncio.wait_for(greeted.wait(), GREETING_S)
        except TimeoutError as error:
            await self.detach()
            raise BadInput(f"it has not greeted within {GREETING_S:g} s: is it the panel of a board?",
                           where=str(panel)) from error
        if not self.there:
            raise BadInput("it closed the connection: is it the panel of a board?", where=str(panel))
        self.came += 1
        self._changed()

    async def detach(self) -> None:
        """Nothing stands here any more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        self._gone()

    async def request(self, op: str, **fields: object) -> dict[str, Any]:
        """Raises :class:`NoTerminal`, or :class:`Refused` with its reason."""
        answer = self._send(op, fields)
        try:
            reply = await asyncio.wait_for(answer, ANSWER_S)
        except TimeoutError as error:
            raise NoTerminal(f"the terminal's panel did not answer {op!r} within {ANSWER_S:g} s") from error
        if not reply.get("ok"):
            raise Refused(str(reply.get("error")))
        return reply

    def tell(self, op: str, fields: Mapping[str, object]) -> None:
        """Without waiting. That it refuses is said once on stderr; where there is none nobody feels it."""
        with contextlib.suppress(NoTerminal):
            self._send(op, fields).add_done_callback(lambda answer: self._look_at(op, answer))

    def _send(self, op: str, fields: Mapping[str, object]) -> asyncio.Future[dict[str, Any]]:
        if self._writer is None:
            raise NoTerminal("no terminal stands on the bench")
        self._last_id += 1
        answer = self._answers[self._last_id] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"id": self._last_id, "op": op, **fields}).encode() + b"\n")
        return answer

    def _look_at(self, op: str, answer: asyncio.Future[dict[str, Any]]) -> None:
        failed = answer.cancelled() or answer.exception() is not None
        if not failed and not answer.result().get("ok") and op not in self._complained:
            self._complained.add(op)
            print(f"instruments: the terminal refused {op!r}: {answer.result().get('error')}", file=sys.stderr)

    async def _read(self, reader: asyncio.StreamReader, greeted: asyncio.Event) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "re" in message:
                    answer = self._answers.pop(message["re"], None)
                    if answer is not None and not answer.done():
                        answer.set_result(message)
                else:
                    self._take(message)
                if self.screen is not None:
                    greeted.set()
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"instruments: the terminal's panel can't be understood: {error!r}", file=sys.stderr)
        self._gone()
        greeted.set()
        self._changed()

    def _take(self, event: dict[str, Any]) -> None:
        match event["ev"]:
            case "ready":
                self.power_on = event["power"] == "on"
            case "screen":
                self.screen = event
            case "paper":
                millimetres = int(event["height"]) / _DOTS_PER_MM
                self.paper_mm += millimetres
                self.paper_ever_mm += millimetres
                self.paper_out = False
            case "felt" if event["what"] == "slip_lost":
                self.paper_out = event.get("detail") == "printer out"
            case "power":
                self.power_on = event["state"] == "on"
                if self.power_on:
                    self.paper_mm = 0.0
                self._changed()

    def _gone(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._reading, self.panel, self.screen, self.power_on = None, None, None, None, False
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(NoTerminal("the terminal is gone"))
        self._answers.clear()
