"""The wire of a bench: to build it, to speak over it, and what faults cost on it, beside the plain kernel bridge and
scapy's bridge_and_sniff.

    python benchmarks/wire.py [--rounds N] [--only SUBJECT] [--benches N] [--trips N]

build: three network namespaces, two cables, a bridge; then the first byte from terminal to acquirer and back over TCP.
A bridge that does not forward yet costs the first SYN, and that costs a second. The other subjects are the modules in
benchmarks/wired. Everything in one run, interleaved; medians. Exit status 1 where a limit was not held. Needs a system
that permits user namespaces (docs/lab.md).
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit
from wired import SUBJECTS, Options

from harness.lab import rootless
from harness.tests.injector_helpers import has_nft
from harness.tests.lab_helpers import connection, receive
from harness.wire.topology import Topology

BUILD_LIMIT_S = 0.1
FIRST_BYTE_LIMIT_S = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("build", *SUBJECTS), action="append", help="may be given several times")
    parser.add_argument("--benches", type=int, default=100)
    parser.add_argument("--trips", type=int, default=2000)
    args = parser.parse_args()
    rootless.probe()
    rootless.enter_in_place()
    subjects = args.only or ["build", *SUBJECTS]
    fine = build(args.rounds) if "build" in subjects else []
    with tempfile.TemporaryDirectory() as folder:
        diverts = ("nft", "netlink") if has_nft() else ("netlink",)
        options = Options(args.rounds, diverts, Path(folder), args.benches, args.trips)
        for name in SUBJECTS:
            if name in subjects:
                fine += importlib.import_module(f"wired.{name}").measure(options)
    return 0 if all(fine) else 1


def build(rounds: int) -> list[bool]:
    build, first, close = [], [], []
    for _ in range(rounds):
        began = time.monotonic()
        topology = Topology.build()
        built = time.monotonic()
        with connection(topology) as (terminal, acquirer):
            terminal.sendall(b"?")
            receive(acquirer, 1)
            acquirer.sendall(b"!")
            receive(terminal, 1)
            spoken = time.monotonic()
        closing = time.monotonic()
        topology.close()
        build.append(built - began)
        first.append(spoken - built)
        close.append(time.monotonic() - closing)
    return [
        against_limit("build the wire", statistics.median(build), BUILD_LIMIT_S, "s"),
        against_limit("connect, a byte there and a byte back", statistics.median(first), FIRST_BYTE_LIMIT_S, "s"),
        against_limit("take the wire down", statistics.median(close), BUILD_LIMIT_S, "s"),
    ]


if __name__ == "__main__":
    sys.exit(main())
