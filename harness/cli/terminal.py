"""``hil97 terminal run``: one emulated terminal against any host, by hand or by script (docs/terminal-alone.md)."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.terminal.alone import Setup, Unit
    from harness.terminal.model import Model

LINKS = ("tcp", "tcp_standing", "tls", "http")
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def add_parser(subparsers: Any) -> None:
    """Registers ``terminal`` with its action."""
    parser: argparse.ArgumentParser = subparsers.add_parser("terminal", help=_("an emulated terminal by itself"))
    actions = parser.add_subparsers(dest="action", required=True, metavar=_("ACTION"))
    runner = actions.add_parser(
        "run",
        help=_("switch it on and use it, against any host"),
        description=_(
            "Starts one emulated terminal in this machine's own network. At a console its screen is shown and "
            "keys are typed; elsewhere commands are read from stdin, one a line (type help)."
        ),
        epilog=_(
            "Exit status: 0 ended as asked; 1 what was waited for did not come; 2 bad input or usage; 3 it broke."
        ),
    )
    runner.add_argument("--model", default="HT-100", help=_("the model (default: HT-100)"))
    runner.add_argument("--firmware", default="reference", metavar="WHAT",
                        help=_("what it boots: reference, a shipped defect, an image or a source folder"))
    runner.add_argument("--lab-config", type=Path, default=Path("lab_config"), metavar="DIR",
                        help=_("folder with models and profiles (default: lab_config)"))
    runner.add_argument("--flash", type=Path, metavar="FILE",
                        help=_("its memory, kept between starts; made where it is not there (default: none is kept)"))
    runner.add_argument("--host", metavar="ADDRESS:PORT", help=_("the host to call"))
    runner.add_argument("--tpdu", metavar="DIGITS", help=_("the TPDU, 10 digits (default: 6000030000)"))
    runner.add_argument("--host2", metavar="ADDRESS:PORT", help=_("the host to fall back to"))
    runner.add_argument("--link", choices=LINKS, help=_("how messages travel (default: as the terminal has it)"))
    runner.add_argument("--tls", type=Path, metavar="FOLDER",
                        help=_("TLS: ca.pem of this folder, and client.pem with client.key where they are there"))
    runner.add_argument("--tid", help=_("terminal number, 8 characters"))
    runner.add_argument("--mid", help=_("merchant number, 15 characters"))
    runner.add_argument("--tmk", metavar="HEX", help=_("the terminal's master key, 32 hexadecimal digits"))
    runner.add_argument("--profile", metavar="NAME", help=_("the host's dialect (default: as the terminal has it)"))
    runner.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="parameters",
                        help=_("a parameter of the service port, such as timeout=20; may be repeated"))
    runner.add_argument("--serial", default="pty", metavar="pty|tcp:PORT",
                        help=_("cashier link and service port: as ptys, or on PORT and the next (tcp:0: free ones)"))
    runner.add_argument("--serial-number", default="SN00000001", metavar="SN", help=_("of the unit"))
    runner.add_argument("--time-scale", type=float, default=1.0, metavar="N",
                        help=_("its timers run N times faster (default: 1)"))
    runner.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Starts it, serves until the input ends or quit, ends it."""
    from harness.lab.catalogue import load_named
    from harness.lab.firmware_images import make_image
    from harness.terminal.alone import Alone
    from harness.terminal.model import Model

    _check(args)
    model = load_named(args.lab_config, Model, args.model)
    setup = _setup(args)
    with tempfile.TemporaryDirectory(prefix="hil97-image-") as folder:
        image = Path(make_image(args.firmware, Path(folder)).path)
        unit = _unit(args, model, image)
        if sys.stdin.isatty() and sys.stdout.isatty():
            from harness.cli.console import Console as Face
        else:
            from harness.cli.script import Script as Face  # type: ignore[assignment]
        with _ends_by_signal():
            face = Face(model)
            with Alone(unit, face.take) as terminal:
                terminal.switch_on(setup)
                return face.serve(terminal)
    return 0


def _check(args: argparse.Namespace) -> None:
    if (args.tid is None) != (args.mid is None):
        raise BadInput("--tid and --mid belong together")
    if not 0.01 <= args.time_scale <= 1000:
        raise BadInput(f"--time-scale is from 0.01 to 1000, not {args.time_scale:g}")
    for name, text, length in (("--tid", args.tid, 8), ("--mid", args.mid, 15)):
        if text is not None and not (len(text) == length and text.isascii() and text.isalnum()):
            raise BadInput(f"{name} has {length} letters or digits, not {text!r}")
    if not re.fullmatch(r"[0-9A-Za-z]{1,50}", args.serial_number):
        raise BadInput(f"--serial-number has 1 to 50 letters or digits, not {args.serial_number!r}")
    if args.tls is not None and args.link not in (None, "tls"):
        raise BadInput(f"--tls is for --link tls, not {args.link}")
    if args.link == "tls" and args.tls is None and args.flash is None:
        raise BadInput(
            "a new terminal trusts no authority: --link tls needs --tls FOLDER",
            remedy="FOLDER is what `hil97 acquirer serve --tls FOLDER` made, or one with the host's ca.pem",
        )
    if args.tpdu is not None and args.host is None:
        raise BadInput("--tpdu belongs to --host")
    if args.tpdu is not None and not (len(args.tpdu) == 10 and args.tpdu.isascii() and args.tpdu.isdigit()):
        raise BadInput(f"--tpdu has 10 digits, not {args.tpdu!r}")


def _setup(args: argparse.Namespace) -> Setup:
    from harness.cli.keys import read_key
    from harness.lab.catalogue import load_named
    from harness.protocol.profile import Profile
    from harness.terminal.alone import DEFAULT_TPDU, Setup, resolved
    from harness.terminal.dialect import parameters

    told = [text.partition("=") for text in args.parameters]
    for text, (name, equals, value) in zip(args.parameters, told, strict=True):
        if not (name and equals and value and text.isascii() and text.isprintable() and " " not in name):
            raise BadInput(f"--set {text}: NAME=VALUE was expected")
    profile = parameters(load_named(args.lab_config, Profile, args.profile)) if args.profile else {}
    link = args.link or (args.tls and "tls")
    told_link = [("link", link)] if link else []
    return Setup(
        tmk=None if args.tmk is None else read_key(args.tmk, "--tmk", (16,)).hex().upper(),
        host=None if args.host is None else resolved(args.host),
        tpdu=args.tpdu or DEFAULT_TPDU,
        tid=args.tid,
        mid=args.mid,
        parameters=[*profile.items(), *told_link, *[(name, value) for name, _equals, value in told]],
        second_host=None if args.host2 is None else resolved(args.host2),
        tls=[] if args.tls is None else _certificates(args.tls),
    )


def _certificates(folder: Path) -> list[tuple[str, str]]:
    from harness.terminal.alone import pem_body

    found = [("CA", folder / "ca.pem")]
    if (folder / "client.pem").exists():
        found += [("CERT", folder / "client.pem"), ("KEY", folder / "client.key")]
    return [(what, pem_body(path)) for what, path in found]


def _unit(args: argparse.Namespace, model: Model, image: Path) -> Unit:
    from harness.terminal.alone import Unit

    kind, _colon, port = args.serial.partition(":")
    if args.serial != "pty" and not (kind == "tcp" and port.isascii() and port.isdigit() and int(port) < 65535):
        raise BadInput(f"--serial is pty or tcp:PORT, not {args.serial!r}")
    if args.flash is not None and not args.flash.parent.is_dir():
        raise BadInput("there is no such folder", where=str(args.flash.parent))
    return Unit(
        model, image, None if args.flash is None else args.flash.resolve(), args.serial_number, args.time_scale,
        int(port) if kind == "tcp" else None,
    )  # fmt: skip


@contextlib.contextmanager
def _ends_by_signal() -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C end the terminal cleanly: each of them is a KeyboardInterrupt, and that is a 0."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = [(number, signal.signal(number, end)) for number in _ENDINGS]
    try:
        yield
    except KeyboardInterrupt:
        print()
    finally:
        for number, handler in before:
            signal.signal(number, handler)
