"""``python -m harness.instruments.emulated``: the emulated instruments of one bench.

    --plan FILE.json [--control PATH] [--netns-fd N] [--parent PID]

One JSON line on stdout when all listen; ends at SIGTERM, Ctrl-C, or with its parent. Exit status 2: a bad plan.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import sys
from pathlib import Path

from harness.errors import BadInput
from harness.lab.process import settle_in


def main(argv: list[str]) -> int:
    """Serves until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m harness.instruments.emulated")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--control", type=Path, help="Unix socket of the control channel")
    parser.add_argument("--netns-fd", type=int)
    parser.add_argument("--parent", type=int)
    options = parser.parse_args(argv)
    settle_in(options.netns_fd, options.parent)
    try:
        return asyncio.run(_serve(options.plan, options.control))
    except BadInput as error:
        print(f"instruments: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def _serve(path: Path, control: Path | None) -> int:
    from harness.instruments.emulated.plan import read_plan
    from harness.instruments.emulated.serving import serving

    async with serving(read_plan(path), control) as running:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(running.ready), flush=True)
        await running.warm_up()
        gc.freeze()  # what was imported stays: the collector need not look at it with every few messages
        gc.set_threshold(10_000)
        await running.stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
