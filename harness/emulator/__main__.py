"""``python -m harness.emulator``: the board process of one emulated terminal. It starts with the power off.

    --control PATH --flash FILE --model FILE.json --boot-key FILE --serial-number SN [--time-scale X]
    [--image FILE] [--ethernet NAME]
    [--data-port NAME --data-netns-fd N] [--netns-fd N] [--parent PID]

A flash file that does not exist is a new terminal from the factory: file system formatted, ``--image`` in slot A.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.lab.process import settle_in


def _warm(boot_key: bytes) -> None:
    """What boot loader and applications import: done once here instead of at every power-on."""
    import base64  # noqa: F401
    import binascii  # noqa: F401
    import bisect  # noqa: F401
    import calendar  # noqa: F401
    import collections  # noqa: F401
    import contextlib  # noqa: F401
    import dataclasses  # noqa: F401
    import datetime  # noqa: F401
    import enum  # noqa: F401
    import errno  # noqa: F401
    import functools  # noqa: F401
    import hashlib  # noqa: F401
    import hmac  # noqa: F401
    import itertools  # noqa: F401
    import json  # noqa: F401
    import re  # noqa: F401
    import select  # noqa: F401
    import selectors  # noqa: F401
    import socket  # noqa: F401
    import struct  # noqa: F401
    import time  # noqa: F401
    import typing  # noqa: F401
    import zlib  # noqa: F401

    import cryptography.hazmat.decrepit.ciphers.algorithms
    import cryptography.hazmat.primitives.asymmetric.ed25519
    import cryptography.hazmat.primitives.ciphers  # noqa: F401
    import littlefs  # noqa: F401

    from harness.emulator.image_key import signature_fits

    signature_fits(boot_key, bytes(64), bytes(32))
    "汉".encode("gbk")  # loads the codec


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.emulator")
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--flash", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--boot-key", type=Path, required=True)
    parser.add_argument("--serial-number", required=True)
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--ethernet", default="", help="network interface that is the terminal's own to set")
    parser.add_argument("--data-port", help="the far end of that interface, which a modem switches")
    parser.add_argument("--data-netns-fd", type=int, help="descriptor of the network namespace of --data-port")
    parser.add_argument("--netns-fd", type=int)
    parser.add_argument("--parent", type=int)
    return parser.parse_args(argv)


def _model(path: Path) -> dict[str, Any]:
    try:
        model: dict[str, Any] = json.loads(path.read_bytes())
        if not isinstance(model["name"], str):
            raise TypeError("name is no text")
        screen = model["screen"]
        if int(screen["width"]) % 8 or min(int(screen["width"]), int(screen["height"])) < 1:
            raise ValueError("screen.width is a multiple of 8 pixels")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(f"is no model file: {error!r}", where=str(path)) from error
    return model


def main(argv: list[str]) -> int:
    """Runs the board. Returns the exit status: 0 after SIGTERM, 2 for bad input."""
    args = _arguments(argv)
    settle_in(args.netns_fd, args.parent)
    from harness.emulator.board import BoardProcess, freeze_imports
    from harness.emulator.factory import open_flash
    from harness.emulator.image import public_key_bytes

    try:
        model = _model(args.model)
        try:
            boot_key = public_key_bytes(args.boot_key.read_text("ascii"))
        except (OSError, ValueError) as error:
            raise BadInput(str(error), where=str(args.boot_key)) from error
        if not args.time_scale > 0:
            raise BadInput(f"--time-scale is above 0, not {args.time_scale}")
        freeze_imports(lambda: _warm(boot_key))
        data_port = None
        if args.data_port is not None and args.data_netns_fd is not None:
            from harness.emulator.data_port import DataPort

            data_port = DataPort(args.data_port, args.data_netns_fd)
        board = BoardProcess(flash=open_flash(args.flash, args.image), model=model, boot_key=boot_key,
                             serial_number=args.serial_number, time_scale=args.time_scale, control=args.control,
                             ethernet=args.ethernet, data_port=data_port)
    except (BadInput, OSError) as error:
        print(f"harness.emulator: {error}", file=sys.stderr)
        return 2
    board.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
