"""Shows what it was given, answers on both serial lines, and misbehaves when it is told to."""

import os
import selectors
import time
from typing import Any

from .store import Store


def draw(board: Any, lines: list[str]) -> bytes:
    """One frame of text lines in the model's geometry."""
    screen = board.model["screen"]
    scale, stride = screen.get("scale", 1), screen["width"] // 8
    frame = bytearray(stride * screen["height"])
    for row, line in enumerate(lines):
        column = 0
        for character in line:
            glyph = board.glyph(character)
            width = len(glyph) // 16
            for y in range(16 * scale):
                bits = int.from_bytes(glyph[y // scale * width : (y // scale + 1) * width], "big")
                spread = sum(((1 << scale) - 1) << (bit * scale) for bit in range(8 * width) if bits >> bit & 1)
                at = (row * 16 * scale + y) * stride + column * scale
                frame[at : at + width * scale] = spread.to_bytes(width * scale, "big")
            column += width
    return bytes(frame)


def slip(board: Any, lines: list[str]) -> bytes:
    """One slip of text lines."""
    rows = bytearray()
    for line in lines:
        strip = [b""] * 16
        for character in line:
            glyph = board.glyph(character)
            width = len(glyph) // 16
            for y in range(16):
                strip[y] += glyph[y * width : (y + 1) * width]
        for row in strip:
            rows += row.ljust(48, b"\0")
    return bytes(rows)


def start(board: Any) -> None:
    store = Store(board.flash)
    boots = int(store.read("boots") or b"0") + 1
    store.write("boots", b"%d" % boots)
    how = "on trial" if board.boot.trial else board.boot.returned
    board.show(draw(board, ["欢迎使用", f"boot {boots}", board.serial_number, f"{board.firmware['version']} {how}"]))
    waiting = selectors.DefaultSelector()
    for descriptor in (board.events_fd, board.cashier_fd, board.service_fd):
        waiting.register(descriptor, selectors.EVENT_READ)
    while True:
        board.feed_watchdog()
        for key, _ in waiting.select(1.0):
            if key.fd == board.events_fd:
                while (event := board.read_event()) is not None:
                    react(board, store, event)
            else:
                os.write(key.fd, bytes(byte ^ 0xFF for byte in os.read(key.fd, 4096)))


def cryptogram(board: Any, *, contactless: bool) -> str:
    """What the card gives when it is asked to go online; "gone" where there is none."""
    board.chip({"command": "select", "contactless": contactless})
    reply = board.chip({"command": "generate_ac", "asked": "ARQC", "data": "9A03261124", "contactless": contactless})
    return "gone" if reply is None else str(reply["gave"])


def react(board: Any, store: Store, event: dict[str, Any]) -> None:
    """What a key or card makes the probe do."""
    match event:
        case {"key": "0"}:
            raise RuntimeError("told to crash")
        case {"key": "1"}:
            board.reboot()
        case {"key": "2"}:
            while True:
                time.sleep(60)
        case {"key": "3"}:
            store.write("first", b"new" * 100)
            store.write("second", b"new" * 100)
        case {"key": "4"}:
            board.print_slip(384, slip(board, ["签购单", "应答码:97"]))
            board.beep()
        case {"key": "5"}:
            board.set_clock(1_000_000_000.0)
        case {"key": "6"}:
            board.show(draw(board, ["clock", str(int(board.now()) // 1000)]))
        case {"key": "7"}:
            board.flash.program(255, 0, b"\x00")
            board.flash.program(255, 0, b"\x01")
        case {"key": "8"}:
            board.show(draw(board, [store.read("first").decode()[:12], store.read("second").decode()[:12]]))
        case {"key": "CLEAR"}:
            told = board.condition()
            board.show(draw(board, [f"{name} {value}" for name, value in sorted(told.items())]))
        case {"key": "CANCEL"}:
            board.show(draw(board, ["tamper", str(board.reset_tamper())]))
        case {"key": "FUNC"}:
            found = board.boot.check_spare()
            board.show(draw(board, ["spare", found["refused"] or found["version"]]))
        case {"key": "UP"}:
            board.boot.request_trial()
            board.reboot()
        case {"key": "ALPHA"}:
            board.boot.confirm()
            board.show(draw(board, ["confirmed"]))
        case {"key": "DOWN"}:
            board.boot.spare.erase(0)
        case {"key": key}:
            board.show(draw(board, ["key", key]))
        case {"swipe": {"track2": track2}}:
            board.show(draw(board, ["swipe", track2]))
        case {"insert": True}:
            board.show(draw(board, ["insert", cryptogram(board, contactless=False)]))
        case {"tap": True}:
            board.show(draw(board, ["tap", cryptogram(board, contactless=True)]))
        case {"scan": {"code": code}}:
            board.show(draw(board, ["scan", code]))
        case {"sign": {"strokes": strokes}}:
            board.show(draw(board, ["sign", strokes]))
        case {"remove": True}:
            board.show(draw(board, ["remove"]))
