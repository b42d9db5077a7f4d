"""``python -m harness.acquirer``: the simulated acquirer as a process of its own.

Runs without any option on 127.0.0.1, with its database in memory; see docs/acquirer.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from harness.acquirer.cards import read_cards
from harness.acquirer.control import Control
from harness.acquirer.host import Host
from harness.acquirer.office import Office
from harness.acquirer.server import Server
from harness.acquirer.store import Store
from harness.errors import BadInput, Hil97Error
from harness.lab.process import settle_in
from harness.protocol.profile import Profile, Texts

IN_MEMORY = Path(":memory:")
DEFAULT_PROFILE = Profile(
    name="default", title="UnionPay, as most public sources have it", not_registered=["97"], success=["00"],
    reversal_success=["00"], force_sign_in=["77", "99", "A0"],
    texts=Texts(codes={}, unknown=[], approved=[], declined=[], code_labels=[]),
)


def main(argv: list[str] | None = None) -> int:
    """Serves until shut down. Exit status 0, or 2 for what was given wrongly."""
    options = _parse(argv)
    settle_in(options.netns_fd, options.parent)
    try:
        return asyncio.run(_serve(options))
    except Hil97Error as error:
        print(f"acquirer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def _serve(options: argparse.Namespace) -> int:
    address, port = _address(options.listen)
    profile = _read_profile(options.profile)
    store = Store(options.db)
    host = Host(store, profile, read_cards(options.cards) if options.cards else {})
    facts: dict[str, Any] = {"profile": profile.name, "database": str(options.db)}

    def status() -> dict[str, Any]:
        armed = {str(rule_id): left for rule_id, left in host.misbehaviour.armed().items()}
        return {**facts, "connections": len(server.connections), "armed": armed, "last_jid": host.journal.last_jid()}

    control = Control(Office(host), last_jid=host.journal.last_jid, status=status)
    server = Server(host, control.push)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, control.shut_down.set)
    try:
        facts["address"], facts["port"] = await server.listen(address, port)
        facts["start_ms"], facts["start_cpu_ms"] = _since_start()
        if options.control is not None:
            await control.listen(options.control)
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"ev": "ready", "t": time.monotonic_ns(), **facts}), flush=True)
        await control.shut_down.wait()
    finally:
        server.close()
        for _ in range(2):  # the last replies and events leave before their sockets close
            await asyncio.sleep(0)
        control.close()
        await asyncio.sleep(0)
        store.close()
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.acquirer", description="The simulated acquirer.")
    parser.add_argument("--listen", default="127.0.0.1:8583", metavar="ADDRESS:PORT", help="port 0: one that is free")
    parser.add_argument("--control", type=Path, metavar="PATH", help="Unix socket of the control channel")
    parser.add_argument("--db", type=Path, default=IN_MEMORY, metavar="PATH", help="SQLite file (default: in memory)")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="profile as JSON (default: UnionPay)")
    parser.add_argument("--cards", type=Path, metavar="FILE", help="test cards as JSON (default: any card, any PIN)")
    parser.add_argument("--netns-fd", type=int, metavar="N", help="descriptor of the network namespace to enter")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this parent process ends")
    return parser.parse_args(argv)


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    if not address or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadInput(f"{text!r} is no ADDRESS:PORT", where="--listen", remedy="for instance 127.0.0.1:8583")
    return address.strip("[]"), int(port)


def _read_profile(path: Path | None) -> Profile:
    if path is None:
        return DEFAULT_PROFILE
    try:
        return Profile.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"not a profile: {error}", where=str(path)) from error


def _since_start() -> tuple[float, float]:
    """Milliseconds since this process began, elapsed and of CPU."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    began = int(fields[19]) / 100  # starttime of proc(5) in clock ticks of 10 ms, on the clock that counts since boot
    elapsed = time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return round(elapsed * 1000, 1), round(time.process_time() * 1000, 1)


if __name__ == "__main__":
    sys.exit(main())
