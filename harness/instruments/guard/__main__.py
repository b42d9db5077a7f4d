"""``python -m harness.instruments.guard --plan FILE --line FD (--parent PID | --pidfd FD)``: see the package."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--line", type=int, required=True, help="descriptor of a socket to the worker")
    worker_by = parser.add_mutually_exclusive_group(required=True)
    worker_by.add_argument("--parent", type=int, help="the worker, which has started us")
    worker_by.add_argument("--pidfd", type=int, help="descriptor of the worker's process: another has started us")
    args = parser.parse_args()
    worker = socket.socket(fileno=args.line)
    worker.set_inheritable(False)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    pidfd = args.pidfd
    if pidfd is None:
        try:
            pidfd = os.pidfd_open(args.parent)
        except ProcessLookupError:
            return 0  # nothing was switched on
        if os.getppid() != args.parent:
            return 0
    else:
        os.set_inheritable(pidfd, False)
    from harness.instruments.guard.guarding import Guard
    from harness.instruments.guard.plan import GuardPlan

    guard = Guard(GuardPlan.model_validate_json(args.plan.read_bytes()), worker, pidfd)
    signal.signal(signal.SIGTERM, lambda *_: worker.shutdown(socket.SHUT_RD))  # as when the worker goes
    guard.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
