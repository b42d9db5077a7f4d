"""Seconds to build and take down the wire of a bench, and to be able to speak over it, against a limit.

    python benchmarks/wire.py [--rounds N]

Three network namespaces, two cables, a bridge; then the first byte from terminal to acquirer and back over TCP. A
bridge that does not forward yet costs the first SYN, and that costs a second. Wall time; medians. Exit status 1 above
the limit. Needs a system that permits user namespaces (docs/lab.md).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit

from harness.lab import rootless
from harness.tests.lab_helpers import connection, receive
from harness.wire.topology import Topology

BUILD_LIMIT_S = 0.1
FIRST_BYTE_LIMIT_S = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    rootless.probe()
    rootless.enter_in_place()
    build, first, close = [], [], []
    for _ in range(args.rounds):
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
    fine = [
        against_limit("build the wire", statistics.median(build), BUILD_LIMIT_S, "s"),
        against_limit("connect, a byte there and a byte back", statistics.median(first), FIRST_BYTE_LIMIT_S, "s"),
        against_limit("take the wire down", statistics.median(close), BUILD_LIMIT_S, "s"),
    ]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
