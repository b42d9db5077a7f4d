# SPDX-License-Identifier: GPL-2.0-only
"""``python -m harness.wire.injector``: faults on the wire. Requests on stdin, replies and reports on stdout.

JSON lines (docs/wire.md). The kernel carries all packets but those that an armed fault can match. It ends, and with it
every fault, when stdin is closed; whatever ends it, the link carries traffic again.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from pathlib import Path

from harness.errors import BadInput, BenchError
from harness.lab.process import settle_in
from harness.wire.layers import LINKS

DIVERTS = ("auto", "nft", "netlink")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.wire.injector", description=__doc__)
    parser.add_argument("--netns-fd", type=int, help="descriptor of the network namespace to live in")
    parser.add_argument("--parent", type=int, help="process to die with")
    parser.add_argument("--interface", required=True, help="the bridge port towards the terminal")
    parser.add_argument("--acquirer-interface", required=True, help="the bridge port towards the acquirer")
    parser.add_argument("--terminal", required=True, help="IPv4 address of the terminal")
    parser.add_argument("--link", choices=LINKS, default="tcp", help="what lies between TCP and the frames")
    parser.add_argument("--keys", type=Path, help="file with the session keys of TLS (SSLKEYLOGFILE format)")
    parser.add_argument("--pcapng", type=Path, help="file to create for the frames of each strike")
    parser.add_argument("--divert", choices=DIVERTS, default="auto", help="how the kernel is told (docs/wire.md)")
    parser.add_argument("--control", type=Path, help="Unix socket to create for others who arm faults")
    arguments = parser.parse_args()
    settle_in(arguments.netns_fd, arguments.parent)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        run(arguments)
    except BrokenPipeError:
        return 1
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    except (BenchError, OSError) as error:
        print(f"the injector on {arguments.interface} failed: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Puts the parts together, runs, and takes them apart in the right order whatever happens."""
    from contextlib import ExitStack

    from harness.wire.faults.base import Side
    from harness.wire.injector import acts
    from harness.wire.injector.clients import Clients
    from harness.wire.injector.clock import Clock
    from harness.wire.injector.devices import Devices
    from harness.wire.injector.diverting import open_divert
    from harness.wire.injector.engine import Engine
    from harness.wire.injector.guarded import Guarded
    from harness.wire.injector.handshakes import Handshakes
    from harness.wire.injector.prompt import be_prompt
    from harness.wire.injector.service import Service
    from harness.wire.injector.splicing import make_splicer
    from harness.wire.injector.telling import Telling

    acts.load()
    ports: dict[Side, str] = {"terminal": arguments.interface, "acquirer": arguments.acquirer_interface}
    with ExitStack() as parts:
        clock = Clock()
        parts.callback(clock.close)
        clients = Clients(clock, arguments.control)
        parts.callback(clients.close)
        telling = Telling(clients.say, arguments.pcapng, ports)
        parts.callback(telling.close)
        devices = Devices(ports)
        parts.callback(devices.close)
        divert = open_divert(arguments.divert, devices)
        parts.callback(divert.close)
        guarded = Guarded([*divert.removal, *devices.removal], devices.lock.fileno(), ports)
        parts.callback(guarded.close)  # it undoes what is there to undo
        handshakes = Handshakes(arguments.interface)
        parts.callback(handshakes.close)
        splicer = make_splicer(arguments.link, arguments.keys)
        engine = Engine(devices, divert, splicer, telling, guarded.parting, handshakes.provocation)
        service = Service(clock, devices, engine, clients, guarded, handshakes, divert.name)
        parts.callback(service.finish)
        be_prompt()
        gc.collect()
        gc.freeze()
        service.run()


if __name__ == "__main__":
    sys.exit(main())
