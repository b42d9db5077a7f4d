"""``hil97 mac``: the MAC of some bytes or of a captured frame, by hand (docs/by-hand.md)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from harness.cli.keys import note_parity, once_from_stdin, read_hex, read_key
from harness.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable

ALGORITHMS = ("ecb", "x9.9", "x9.19", "sm4")
_KEY_LENGTHS = {"ecb": (8, 16), "x9.9": (8, 16), "x9.19": (16,), "sm4": (16,)}


def add_parser(subparsers: Any) -> None:
    """Registers ``mac``."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "mac",
        help=_("compute a MAC, or check that of a frame"),
        description=_("ecb: UnionPay's, XOR of all blocks, as text, enciphered in two steps. "
                      "x9.9: DES or triple DES in CBC. x9.19: single DES in CBC, triple DES at the end. "
                      "sm4: as ecb, in blocks of 16 (assumed)."),
        epilog=_("Exit status: 0 done; 1 the frame has another MAC or none; 2 bad input or usage."),
    )  # fmt: skip
    parser.add_argument("--key", required=True, metavar="HEX|-", help=_("the MAC key in clear; - reads stdin"))
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="HEX|-", help=_("what the MAC covers; filled up with zeros; - reads stdin"))
    source.add_argument(
        "--frame",
        metavar="HEX|-",
        help=_("a whole frame: the MAC covers MTI to F63, and F64 is compared; - reads stdin"),
    )
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="ecb", help=_("which MAC (default: ecb)"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the MAC and the F64 made of it."""
    from harness.protocol.frames import decode
    from harness.protocol.keys import f64, mac_input

    once_from_stdin({"--key": args.key, "--data": args.data, "--frame": args.frame})
    key = read_key(args.key, "--key", _KEY_LENGTHS[args.algorithm])
    frame = None if args.frame is None else decode(read_hex(args.frame, "--frame"))
    data = read_hex(args.data, "--data") if frame is None else mac_input(frame.raw)
    value = _computer(args.algorithm)(key, data)
    print(f"MAC  {value.hex().upper()}")
    print(f"F64  {f64(value)}  ({f64(value).encode().hex().upper()})")
    if args.algorithm != "sm4":
        note_parity("--key", key)
    if frame is None:
        return 0
    sent = frame.get(64)
    if sent == f64(value):
        print(_("The frame has this F64."))
        return 0
    print(_("The frame has F64 {sent}: IT DIFFERS.").format(sent=sent) if sent else _("The frame has no F64."))
    return 1


def _computer(algorithm: str) -> Callable[[bytes, bytes], bytes]:
    from harness.protocol import keys

    if algorithm == "sm4":
        return lambda key, data: keys.mac(key, data, "sm4")
    return {"ecb": keys.mac, "x9.9": keys.cbc_mac, "x9.19": keys.retail_mac}[algorithm]
