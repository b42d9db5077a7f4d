"""An internal error of the acquirer is told to whoever drives the bench: it is no terminal's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.acquirer.client import AcquirerClient
from harness.acquirer.host import Host, Outcome
from harness.acquirer.service import Settings, service
from harness.bench.host import Host as BackOffice
from harness.history.recorder import Recorder
from harness.protocol.frames import Frame, decode
from harness.tests.acquirer_terminal import MID, new_tid
from harness.tests.protocol_samples import S05


def _serve_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., Any]
) -> tuple[bytes, list[str]]:
    """One sign-in at an acquirer whose method ``name`` is ``broken``: what came back, and what the bench was told."""
    told: list[str] = []

    def bench(client: AcquirerClient) -> None:
        with Recorder(folder / "history.jsonl") as recorder:
            BackOffice(client, recorder, mid=MID, tid=new_tid(), bench="bench-1", on_trouble=told.append)
            client.request({"op": "sync"})
        client.close()

    async def run() -> bytes:
        settings = Settings(("127.0.0.1", 0), control=folder / "c.sock")
        async with service(settings) as running:
            client = await asyncio.to_thread(AcquirerClient.connect, folder / "c.sock")
            monkeypatch.setattr(Host, name, broken)
            reader, writer = await asyncio.open_connection(running.facts["address"], running.facts["port"])
            writer.write(S05)
            answer = await asyncio.wait_for(reader.read(4096), 10)
            writer.close()
            await asyncio.to_thread(bench, client)
            return answer

    return asyncio.run(run()), told


def test_a_message_that_breaks_the_switch_is_answered_96_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(self: Host, connection: int, frame: Frame, t: int) -> Outcome:
        raise ArithmeticError("told to")

    answer, told = _serve_one(tmp_path, monkeypatch, "_process", broken)
    assert decode(answer).get(39) == "96"
    assert told == ["ArithmeticError: told to"]
    assert "Traceback" in capfd.readouterr().err


def test_books_that_can_t_be_written_end_the_connection_and_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Host, connection: int, raw: bytes) -> Outcome:
        raise OSError(28, "No space left on device")

    answer, told = _serve_one(tmp_path, monkeypatch, "receive", broken)
    assert answer == b""
    assert told == ["OSError: [Errno 28] No space left on device"]
