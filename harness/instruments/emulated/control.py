"""The control socket: JSON lines as all channels have them (docs/architecture.md)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from harness.emulator.panel_server import LONGEST_LINE, reachable
from harness.errors import BadInput
from harness.instruments.emulated.rig import Emulated, Rig


class Control:
    """Serves any number of clients."""

    def __init__(self, rig: Rig, path: Path, ready: dict[str, Any]) -> None:
        self._rig, self._path, self._ready = rig, path, ready
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._one_at_a_time = asyncio.Lock()  # terminals are put on the bench one after another

    async def open(self) -> None:
        """Whoever sees the path can connect. Raises OSError."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        temporary = self._path.with_name(f".{os.getpid()}")
        with reachable(temporary) as address:
            listener.bind(address)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LONGEST_LINE)
        temporary.replace(self._path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        clients = list(self._clients)
        for task in clients:
            task.cancel()
        if clients:
            await asyncio.wait(clients)

    def say(self, event: dict[str, Any]) -> None:
        """To every client."""
        for writer in self._clients.values():
            writer.write(_line(event))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        try:
            writer.write(_line({**self._ready, "t": time.monotonic_ns()}))
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while line := await self._read(reader, writer):
                    if line.strip():
                        writer.write(_line(await self._answer(line)))
                        await writer.drain()
        finally:
            del self._clients[task]
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            return await reader.readline()
        except ValueError:
            writer.write(_line({"re": None, "ok": False, "error": f"a line is longer than {LONGEST_LINE} bytes"}))
            return b""

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            return {"re": None, "ok": False, "error": f"is no JSON: {error}"}
        if not isinstance(request, dict) or not isinstance(request.get("op"), str):
            return {"re": None, "ok": False, "error": 'a request is an object with "id" and "op"'}
        number = request.get("id")
        if isinstance(number, bool) or not isinstance(number, int | str):
            return {"re": None, "ok": False, "error": '"id" is a number or a text'}
        try:
            return {"re": number, "ok": True, **await self._handle(request["op"], request)}
        except BadInput as error:
            return {"re": number, "ok": False, "error": str(error)}

    async def _handle(self, op: str, request: dict[str, Any]) -> dict[str, Any]:
        match op:
            case "attach":
                panel = request.get("panel")
                if panel is not None and (not isinstance(panel, str) or not panel or "\0" in panel):
                    raise BadInput(f"panel is the path of a board's control socket, or null, not {str(panel)[:60]!r}")
                async with self._one_at_a_time:
                    await self._rig.board.attach(None if panel is None else Path(panel))
                self._rig.kick()
                return {}
            case "fault":
                instrument = self._instrument(request)
                await instrument.fault(
                    instrument.faults.with_(request.get("what"), request.get("seconds"), request.get("value"))
                )
                return {"faults": instrument.faults.named()}
            case "door":
                is_open = request.get("open")
                if not isinstance(is_open, bool):
                    raise BadInput(f"open is true or false, not {str(is_open)[:60]!r}")
                self._rig.catch_up()
                self._instrument(request).door(is_open)
                self._rig.kick()
                return {}
            case "state":
                return {"instruments": self._rig.state()}
        raise BadInput(f"there is no {op[:60]!r}; there are attach, fault, door, state")

    def _instrument(self, request: dict[str, Any]) -> Emulated:
        name = request.get("instrument")
        if not isinstance(name, str) or name not in self._rig.instruments:
            there = ", ".join(self._rig.instruments)
            raise BadInput(f"there is no instrument {str(name)[:60]!r}; there are {there}")
        return self._rig.instruments[name]


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
