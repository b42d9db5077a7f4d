"""``hil97 keys open``: the working keys in a sign-in answer's field 62, each with its check value (docs/by-hand.md)."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.protocol.keys import Algorithm, WorkingKeys

CODES = ("001", "003", "004", "005", "006")
_BY_LENGTH = {24: ("001",), 40: ("003", "005"), 60: ("004",)}  # the first whose check values fit, else the first


def add_parser(subparsers: Any) -> None:
    """Registers ``keys`` with its action."""
    parser: argparse.ArgumentParser = subparsers.add_parser("keys", help=_("open the keys that a sign-in brought"))
    actions = parser.add_subparsers(dest="action", required=True, metavar=_("ACTION"))
    opener = actions.add_parser(
        "open",
        help=_("decipher PIK, MAK and TDK, and compare their check values"),
        epilog=_("Exit status: 0 every check value fits; 1 not so; 2 bad input or usage."),
    )
    opener.add_argument("--tmk", required=True, metavar="HEX|-", help=_("the terminal's master key; - reads stdin"))
    source = opener.add_mutually_exclusive_group(required=True)
    source.add_argument("--f62", metavar="HEX|-", help=_("field 62 of the sign-in's answer; - reads stdin"))
    source.add_argument(
        "--frame", metavar="HEX|-", help=_("the whole answer (0810) as it was captured, length included; - reads stdin")
    )
    opener.add_argument(
        "--network-code",
        choices=CODES,
        metavar="CODE",
        help=_("F60.3 of the sign-in, where it can't be told from the frame or the length: 005 and 006 are SM4"),
    )
    opener.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints a key a line. 0: all check values fit; 1: some does not."""
    from harness.protocol.keys import KEY_BLOCK_LENGTHS, algorithm_of, kcv, working_keys

    once_from_stdin({"--tmk": args.tmk, "--f62": args.f62, "--frame": args.frame})
    if args.frame is not None:
        f62, code = _of_frame(args.frame, args.network_code)
    else:
        f62, code = read_hex(args.f62, "--f62"), args.network_code
    codes = (code,) if code else _BY_LENGTH.get(len(f62), ())
    if not codes:
        known = ", ".join(str(length) for length in sorted(set(KEY_BLOCK_LENGTHS.values())))
        raise BadInput(f"F62 has {len(f62)} bytes; the key blocks known have {known}", where="--f62")
    tmk = read_key(args.tmk, "--tmk", (16,) if algorithm_of(codes[0]) == "sm4" else (8, 16))
    tried = [(one, working_keys(f62, one, tmk)) for one in codes if len(tmk) == 16 or algorithm_of(one) == "des"]
    code, keys = next((pair for pair in tried if pair[1].ok), tried[0])
    told = "" if args.network_code or args.frame else f" ({_('told by its length and the check values')})"
    print(f"F60.3  {code}{told}: {_name(keys.algorithm)}, {len(f62)} {_('bytes of F62')}")
    print(f"TMK    {tmk.hex().upper()}  {_('check value')} {kcv(tmk, keys.algorithm).hex().upper()}")
    _print_keys(f62, keys)
    if keys.algorithm == "des":
        note_parity("--tmk", tmk)
    if not keys.ok:
        print(_("A check value that differs: another TMK, another F60.3, or F62 was changed on the way."))
    return 0 if keys.ok else 1


def _name(algorithm: Algorithm) -> str:
    return "DES" if algorithm == "des" else _("SM4 (the layout is assumed: no public source has it)")


def read_hex(text: str, source: str) -> bytes:
    """``text`` as bytes, white space ignored; ``-`` reads stdin. BadInput names ``source`` and the place."""
    from harness.cli.frame import bytes_from_hex

    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "backslashreplace")
    if not text.strip():
        raise BadInput("it is empty; hexadecimal digits were expected", where=source)
    return bytes_from_hex(text, source)


def read_key(text: str, source: str, lengths: tuple[int, ...]) -> bytes:
    """A key in hex of one of ``lengths`` bytes. The message of a wrong length does not hold the key."""
    key = read_hex(text, source)
    if len(key) not in lengths:
        wanted = "/".join(str(2 * length) for length in lengths)
        raise BadInput(f"a key of {wanted} hexadecimal digits was expected, these are {2 * len(key)}", where=source)
    return key


def once_from_stdin(given: dict[str, str | None]) -> None:
    """BadInput where more than one of the options is to be read from stdin."""
    names = [name for name, text in given.items() if text == "-"]
    if len(names) > 1:
        raise BadInput(f"{' and '.join(names)} can't both be read from stdin")


def note_parity(source: str, key: bytes) -> None:
    """On stderr, what may surprise about a DES key: parity bits, equal halves."""
    from harness.protocol.keys import parity_ok

    if not parity_ok(key):
        adjusted = bytes(byte ^ (byte.bit_count() + 1) % 2 for byte in key).hex().upper()
        note = _("{source}: some of its bytes have even parity. The last bit of each byte is no part of a DES key: "
                 "this one and {adjusted} are the same")  # fmt: skip
        print(note.format(source=source, adjusted=adjusted), file=sys.stderr)
    if len(key) == 16 and _same_des_key(key[:8], key[8:]):
        note = _("{source}: both halves are the same DES key, so that triple DES is single DES with it")
        print(note.format(source=source), file=sys.stderr)


def _same_des_key(left: bytes, right: bytes) -> bool:
    return all(one | 1 == other | 1 for one, other in zip(left, right, strict=True))


def _of_frame(text: str, code: str | None) -> tuple[bytes, str]:
    """F62 and F60.3 of a sign-in's answer."""
    from harness.protocol.codes import transaction_name
    from harness.protocol.frames import decode

    frame = decode(read_hex(text, "--frame"))
    if transaction_name(frame) != "sign_in" or not frame.is_response:
        raise BadInput(f"is no answer to a sign-in: MTI {frame.mti}, F60 {frame.get(60) or 'absent'}", where="--frame")
    if 62 not in frame:
        raise BadInput(f"the answer has no F62; its response code is {frame.get(39) or 'absent'}", where="--frame",
                       remedy=_("Only an approved sign-in (F39 = 00) brings keys."))  # fmt: skip
    return frame.binary(62), code or frame.network_code


def _print_keys(f62: bytes, keys: WorkingKeys) -> None:
    step = len(keys.pik) + 4
    slots = [f62[at : at + step] for at in range(0, len(f62), step)]
    for name, key, slot in zip(("PIK", "MAK", "TDK"), (keys.pik, keys.mak, keys.tdk), slots, strict=False):
        assert key is not None
        print(f"{name}    {key.hex().upper()}  {_compared(key, slot[-4:], keys.algorithm)}")


def _compared(key: bytes, sent: bytes, algorithm: Algorithm) -> str:
    from harness.protocol.keys import kcv

    computed = kcv(key, algorithm)
    if computed == sent:
        return _("check value {sent}: it fits").format(sent=sent.hex().upper())
    words = _("check value sent {sent}, that of this key {computed}: THEY DIFFER")
    return words.format(sent=sent.hex().upper(), computed=computed.hex().upper())
