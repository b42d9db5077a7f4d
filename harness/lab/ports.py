"""Are the devices of a physical bench there? Asked by ``hil97 lab check --open``, before a run finds out."""

from __future__ import annotations

import socket
from pathlib import Path

import serial
from serial.tools import list_ports

from harness.lab.inventory import BenchEntry


def missing(entry: BenchEntry) -> list[str]:
    """What of the bench's serial ports and network cards can't be opened or found, in sentences. Opens and closes."""
    problems = []
    for key, url in (("cashier", entry.cashier), ("service", entry.service)):
        text = "" if url is None else _serial_problem(url)
        if text:
            problems.append(f"bench {entry.name}: {key} {url}: {text}")
    cards = {name for _, name in socket.if_nameindex()}
    if entry.interfaces is not None:
        for key, name in (("terminal", entry.interfaces.terminal), ("acquirer", entry.interfaces.acquirer)):
            if name not in cards:
                known = ", ".join(sorted(cards - {"lo"})) or "none"
                problems.append(f"bench {entry.name}: there is no network card {name} ({key}); this host has: {known}")
    return problems


def _serial_problem(url: str) -> str:
    try:
        serial.serial_for_url(url, timeout=0.2, write_timeout=1.0, exclusive=None).close()
    except (serial.SerialException, OSError, ValueError, TypeError) as error:
        if "://" not in url and not Path(url).exists():
            found = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
            return f"there is no such port; this host has: {found}"
        return f"can't be opened: {error}"
    return ""
