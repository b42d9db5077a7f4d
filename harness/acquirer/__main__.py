"""``python -m harness.acquirer``: the simulated acquirer as a process of its own, for a bench.

Runs without any option on 127.0.0.1, with its database in memory; see docs/acquirer.md. People have ``hil97 acquirer
serve`` (docs/acquirer-alone.md).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import sys
import time
from pathlib import Path

from harness.acquirer import links
from harness.acquirer.cards import read_cards
from harness.acquirer.download_data import read_downloads
from harness.acquirer.service import DEFAULT_PROFILE, IN_MEMORY, ApiSettings, Settings, address_of, service
from harness.acquirer.tokens import read_tokens
from harness.errors import BadInput, Hil97Error
from harness.lab.process import settle_in
from harness.protocol.profile import Profile


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
    listen = address_of(options.listen, "--listen")
    also = tuple(address_of(text, "--also") for text in options.also)
    settings = Settings(
        listen=listen, also=also, link=links.settings_of(options, [address for address, _ in (listen, *also)]),
        profile=_read_profile(options.profile), database=options.db,
        cards=read_cards(options.cards) if options.cards else {},
        downloads=read_downloads(options.downloads) if options.downloads else None, control=options.control,
        nii=options.nii,
        api=None if options.api is None else ApiSettings(
            *address_of(options.api, "--api"), read_tokens(options.api_token_file)
        ),
    )
    async with service(settings) as running:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"ev": "ready", "t": time.monotonic_ns(), **running.facts}), flush=True)
        gc.freeze()  # modules and tables stay: the collector need not look at them with every few messages
        gc.set_threshold(10_000)
        await running.shut_down.wait()
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.acquirer", description="The simulated acquirer.")
    parser.add_argument("--listen", default="127.0.0.1:8583", metavar="ADDRESS:PORT", help="port 0: one that is free")
    links.add_options(parser)
    parser.add_argument("--control", type=Path, metavar="PATH", help="Unix socket of the control channel")
    parser.add_argument("--db", type=Path, default=IN_MEMORY, metavar="PATH", help="SQLite file (default: in memory)")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="profile as JSON (default: UnionPay)")
    parser.add_argument("--cards", type=Path, metavar="FILE", help="test cards as JSON (default: any card, any PIN)")
    parser.add_argument("--downloads", type=Path, metavar="FILE", help="what terminals download, as JSON")
    parser.add_argument("--nii", default="", metavar="NNNN", help="answer to no TPDU of another one (default: any)")
    parser.add_argument("--api", metavar="ADDRESS:PORT", help="management API over HTTP")
    parser.add_argument("--api-token-file", type=Path, metavar="FILE", help="its tokens (default: HIL97_API_TOKEN)")
    parser.add_argument("--netns-fd", type=int, metavar="N", help="descriptor of the network namespace to enter")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this parent process ends")
    return parser.parse_args(argv)


def _read_profile(path: Path | None) -> Profile:
    if path is None:
        return DEFAULT_PROFILE
    try:
        return Profile.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"not a profile: {error}", where=str(path)) from error


if __name__ == "__main__":
    sys.exit(main())
