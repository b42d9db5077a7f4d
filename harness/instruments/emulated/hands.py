"""Card robot, key pusher and camera, over HTTP: what a person's hands and eyes do at a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

from harness.emulator.panel_requests import KEYS, chip, swipe
from harness.errors import BadInput
from harness.instruments.emulated.board import NoTerminal, Refused
from harness.instruments.emulated.http import Answer, Asked, HttpInstrument, Trouble, number, text
from harness.instruments.emulated.plan import Options, Placed, Plan
from harness.instruments.emulated.rig import Rig

_REACH_S, _PUSH_S, _PARK_S = 0.3, 0.06, 0.2  # of the arm, at time scale 1
_STRIPE_CM = 8.5
_SHORTEST_PRESS_MS = 20.0  # what a keypad takes for a press, and not for bouncing


class Arm(HttpInstrument):
    """What moves: one movement at a time, each takes its time."""

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        self._scale, self._free, self.moving = plan.time_scale, asyncio.Lock(), False
        self._halt, self._parking = asyncio.Event(), False
        super().__init__(rig, plan, placed)

    async def handle(self, asked: Asked) -> Answer:
        """``GET /v1/info``, ``GET /v1/status``, ``POST /v1/<what it can do>``."""
        done = self.deeds().get(asked.path.removeprefix("/v1/")) if asked.path.startswith("/v1/") else None
        if done is not None:
            _only(asked, "POST")
            await done(asked)
            return Answer(self.status())
        if asked.path == "/v1/status":
            _only(asked, "GET")
            return Answer(self.status())
        return told_of(self, asked)

    def deeds(self) -> dict[str, Any]:
        """What it can be asked to do, by path: each of these instruments has its own."""
        raise NotImplementedError

    def status(self) -> dict[str, Any]:
        """What it tells of itself: each of these instruments has its own."""
        raise NotImplementedError

    def pending(self) -> bool:
        return self.moving

    @contextlib.asynccontextmanager
    async def movement(self) -> AsyncIterator[None]:
        """Nobody else moves it meanwhile; what the terminal says against it becomes an answer."""
        async with self._free:
            self.moving = True
            try:
                yield
            except NoTerminal as error:
                raise Trouble(409, "no_terminal", str(error)) from error
            except Refused as error:
                raise Trouble(409, "refused", str(error)) from error
            finally:
                self.moving = False

    async def takes(self, seconds: float, *, scaled: bool = True) -> None:
        """A movement of that length. Raises :class:`Trouble` where the arm is told to park meanwhile."""
        seconds = seconds / self._scale if scaled else seconds
        if self._parking:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._halt.wait(), seconds)
            raise Trouble(409, "parked", "the arm was told to park meanwhile")

    @contextlib.asynccontextmanager
    async def parking(self) -> AsyncIterator[None]:
        """Ends the movement under way (unless it is this), and then parks."""
        self._halt.set()
        async with self._free:
            self._halt.clear()
        async with self.movement():
            self._parking = True
            try:
                yield
                await self.takes(_PARK_S)
            finally:
                self._parking = False


class EmulatedRobot(Arm):
    """Holds test cards by name."""

    model = "EMU-ROBOT"

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        self._cards = {
            str(name): _card(values, f"{placed.options.where}: cards.{name}")
            for name, values in placed.options.table("cards").items()
        }
        self._inside: str | None = None
        self._came = 0  # the terminal that it is inside
        super().__init__(rig, plan, placed)

    @property
    def inside(self) -> str | None:
        """The card in the terminal, if that is still here."""
        gone = not self.rig.board.there or self.rig.board.came != self._came
        return None if gone else self._inside

    def status(self) -> dict[str, Any]:
        return {"arm": "moving" if self.moving else "parked", "card": self.inside,
                "card_inside": self.inside is not None, "magazine": list(self._cards)}

    def state(self) -> dict[str, Any]:
        return {"safe": self.inside is None and not self.moving, "card": self.inside, "moving": self.moving}

    def deeds(self) -> dict[str, Any]:
        return {"swipe": self._swipe, "insert": self._insert, "remove": self._remove, "tap": self._tap,
                "park": self._park}

    async def _swipe(self, asked: Asked) -> None:
        card = self._card(asked, "track2", "no_stripe")
        speed = number(asked, "speed_cm_s", 40, 1, 300)
        async with self.movement():
            self._no_card_inside()
            await self.takes(_REACH_S + _STRIPE_CM / speed)
            await self.rig.board.request("swipe", track2=card["track2"], track3=card["track3"], speed_cm_s=speed)

    async def _insert(self, asked: Asked) -> None:
        chip = self._card(asked, "chip", "no_chip")["chip"]
        async with self.movement():
            self._no_card_inside()
            await self.takes(_REACH_S)
            await self.rig.board.request("insert", chip=chip)
            self._inside, self._came = text(asked, "card"), self.rig.board.came

    async def _remove(self, asked: Asked) -> None:
        async with self.movement():
            if self.inside is None:
                raise Trouble(409, "no_card", "there is no card in the terminal")
            await self._take_out()

    async def _tap(self, asked: Asked) -> None:
        chip = self._card(asked, "chip", "no_chip")["chip"]
        async with self.movement():
            self._no_card_inside()
            await self.takes(_REACH_S)
            await self.rig.board.request("tap", chip=chip)

    async def _park(self, asked: Asked) -> None:
        async with self.parking():
            if self.inside is not None:
                with contextlib.suppress(NoTerminal, Refused):  # it is out, then
                    await self._take_out()
                self._inside = None

    async def _take_out(self) -> None:
        await self.takes(_REACH_S)
        await self.rig.board.request("remove")
        self._inside = None

    def _card(self, asked: Asked, needs: str, code: str) -> dict[str, Any]:
        name = text(asked, "card")
        card = self._cards.get(name)
        if card is None:
            raise Trouble(404, "no_such_card", f"there is no card {name[:60]!r}; there are {', '.join(self._cards)}")
        if not card[needs]:
            raise Trouble(409, code, f"the card {name!r} has none")
        return card

    def _no_card_inside(self) -> None:
        if self.inside is not None:
            raise Trouble(409, "card_inside", f"the card {self.inside!r} is in the terminal")


class EmulatedFinger(Arm):
    """A finger on the keys."""

    model = "EMU-FINGER"

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        self._presses = 0
        super().__init__(rig, plan, placed)

    def status(self) -> dict[str, Any]:
        return {"arm": "moving" if self.moving else "parked", "presses": self._presses, "keys": sorted(KEYS)}

    def state(self) -> dict[str, Any]:
        return {"safe": not self.moving, "presses": self._presses, "moving": self.moving}

    def deeds(self) -> dict[str, Any]:
        return {"press": self._press, "park": self._park}

    async def _press(self, asked: Asked) -> None:
        key, hold_ms = text(asked, "key"), number(asked, "hold_ms", 80, 1, 5000)
        if key not in KEYS:
            raise Trouble(404, "no_such_key", f"there is no key {key[:60]!r}; there are {', '.join(sorted(KEYS))}")
        async with self.movement():
            await self.takes(_PUSH_S)
            if hold_ms >= _SHORTEST_PRESS_MS:
                await self.rig.board.request("key", key=key)
            await self.takes(hold_ms / 1000, scaled=False)
            self._presses += 1

    async def _park(self, asked: Asked) -> None:
        async with self.parking():
            pass


class EmulatedCamera(HttpInstrument):
    """Looks at the screen."""

    model = "EMU-CAMERA"

    async def handle(self, asked: Asked) -> Answer:
        if asked.path != "/snapshot.png":
            return told_of(self, asked)
        _only(asked, "GET")
        screen = self.rig.board.screen
        return Answer(_EMPTY if screen is None else _picture(screen), kind="image/png")

    def state(self) -> dict[str, Any]:
        return {"safe": True}


def told_of(instrument: HttpInstrument, asked: Asked) -> Answer:
    """``GET /v1/info``; anything else is not there."""
    if asked.path != "/v1/info":
        raise Trouble(404, "no_such_path", f"there is no {asked.path[:60]!r}")
    _only(asked, "GET")
    return Answer(dict(zip(("manufacturer", "model", "serial", "version"), instrument.identity, strict=True)))


def _only(asked: Asked, method: str) -> None:
    if asked.method != method:
        raise Trouble(405, "bad_method", f"the method is {method}, not {asked.method[:20]!r}")


def _card(values: object, where: str) -> dict[str, Any]:
    """``track2``, ``track3``, ``chip``; any may be missing."""
    if not isinstance(values, dict):
        raise BadInput("a card is an object with track2, track3, chip", where=where)
    options = Options({name: value for name, value in values.items() if value is not None}, where)
    card = {"track2": options.text("track2", ""), "track3": options.text("track3", "") or None,
            "chip": options.table("chip")}
    options.done()
    try:
        if card["track2"]:
            swipe(card)
        if card["chip"]:
            chip(card)
    except BadInput as error:
        raise BadInput(str(error), where=where) from error
    return card


def _picture(screen: dict[str, Any]) -> bytes:
    """A panel's ``screen`` event as PNG: dark is black."""
    import base64

    width, height = int(screen["width"]), int(screen["height"])
    bits = zlib.decompress(base64.b64decode(screen["bits"]))
    return _png(width, height, bytes(255 - byte for byte in bits), depth=1)


def _png(width: int, height: int, rows: bytes, *, depth: int) -> bytes:
    """A greyscale picture of ``depth`` bits a pixel (PNG specification, 11.2)."""
    stride = width * depth // 8
    filtered = b"".join(b"\0" + rows[at : at + stride] for at in range(0, stride * height, stride))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, 0, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        for name, data in chunks
    )


_EMPTY = _png(128, 64, b"\x80" * (128 * 64), depth=8)  # an empty bench
