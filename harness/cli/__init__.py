"""The command line: ``hil97 <command>``. One command a file; each registers itself with ``add_parser``.

Exit status: 0 all declared requirements PASS, 1 a FAIL, 2 bad input or usage, 3 no FAIL but an ERROR, 4 neither but
undecided.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from harness import __version__
from harness.errors import BadInput, BenchError
from harness.i18n import _, set_language
from harness.i18n_errors import translated

COMMANDS = (
    "run", "gate", "soak", "judge", "diagnose", "replay", "wire", "frame", "keys", "mac", "firmware", "lab", "acquirer",
    "terminal", "instruments",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """The whole parser. Command modules are imported here, their heavy imports happen when they run."""
    parser = argparse.ArgumentParser(
        prog="hil97", description=_("Proves how a payment terminal handles response code 97.")
    )
    parser.add_argument("--version", action="version", version=f"hil97 {__version__}")
    parser.add_argument(
        "--lang", choices=("en", "zh"), help=_("language of what is printed (default: from the locale)")
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar=_("COMMAND"))
    for name in COMMANDS:
        importlib.import_module(f"harness.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``hil97``; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):  # a character that its encoding lacks is escaped, not a reason to stop
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    set_language(_language_asked_for(arguments))
    args = build_parser().parse_args(arguments)
    try:
        status: int = args.run(args)
    except BadInput as error:
        print(f"hil97: {translated(error)}", file=sys.stderr)
        return 2
    except BenchError as error:
        print(f"hil97: {translated(error)}", file=sys.stderr)
        return 3
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    except OSError as error:  # ours or the machine's, never the terminal's: not 1
        told = BadInput(error.strerror or str(error), where=str(error.filename or ""))
        print(f"hil97: {translated(told)}", file=sys.stderr)
        return 3
    return status


def _language_asked_for(arguments: list[str]) -> str | None:
    for index, argument in enumerate(arguments):
        if argument == "--lang" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
    return None
