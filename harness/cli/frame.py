"""``hil97 frame decode`` and ``hil97 frame encode``: one message between bytes, people and JSON (docs/frames.md)."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.protocol.frames import Frame

_DERIVED = ("length", "transaction", "mti_name", "tpdu_parts", "header_parts", "names", "nested")
_WORDED = (
    "application_class", "terminal_status", "processing_request", "entry", "pin", "pin_format", "algorithm",
)  # fmt: skip
_GIVEN = ("tpdu", "header", "mti", "fields", "f48")
_F48 = ("bcd", "ascii")


def add_parser(subparsers: Any) -> None:
    """Registers ``frame`` with its two actions."""
    parser: argparse.ArgumentParser = subparsers.add_parser("frame", help=_("decode or encode one ISO 8583 frame"))
    actions = parser.add_subparsers(dest="action", required=True, metavar=_("ACTION"))
    decoder = actions.add_parser("decode", help=_("show what a frame says"))
    decoder.add_argument("--json", action="store_true", help=_("as JSON, which encode turns back into the same bytes"))
    decoder.add_argument(
        "input", metavar="HEX|-", help=_("the frame with its 2-byte length, in hex with any white space; - reads stdin")
    )
    decoder.set_defaults(run=run)
    encoder = actions.add_parser("encode", help=_("turn JSON, as decode --json prints it, into a frame in hex"))
    encoder.add_argument("input", metavar="JSON|-", help=_("the JSON text; - reads stdin"))
    encoder.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Does one action; BadInput says what is wrong with the input."""
    from_stdin = args.input == "-"
    text = sys.stdin.buffer.read().decode("utf-8", "backslashreplace") if from_stdin else args.input
    source = "<stdin>" if from_stdin else "<argument>"
    if args.action == "encode":
        print(frame_from_json(text, source).raw.hex().upper())
        return 0
    from harness.protocol.frames import decode

    frame = decode(bytes_from_hex(text, source))
    _print(frame_to_json(frame) if args.json else frame_to_text(frame))
    return 0


def bytes_from_hex(text: str, source: str) -> bytes:
    """Hex with white space anywhere. BadInput names line and column of what is no hex digit."""
    digits = "".join(text.split())
    try:
        if not digits.isascii():
            raise ValueError
        return _not_empty(bytes.fromhex(digits), source)
    except ValueError:
        pass
    count = 0
    for number, line in enumerate(text.splitlines(), 1):
        for column, character in enumerate(line, 1):
            if character.isspace():
                continue
            if character not in "0123456789abcdefABCDEF":
                raise BadInput(
                    f"offset {count // 2}: {character!r} is no hexadecimal digit",
                    where=f"{source}:{number}:{column}",
                    remedy=_("Only 0-9, A-F and white space may stand there."),
                )
            count += 1
    raise BadInput(
        f"offset {count // 2}: the last byte has one digit only ({count} hexadecimal digits in all)",
        where=source,
        remedy=_("Two digits make a byte: one was lost or added on the way."),
    )


def frame_to_json(frame: Frame) -> str:
    """tpdu, header, mti and fields, from which encode rebuilds the frame; and derived keys, which it ignores."""
    import json

    from harness.protocol.codes import mti_name, transaction_name
    from harness.protocol.describe import header_meaning, nested, tpdu_meaning
    from harness.protocol.spec import FIELDS

    document = {
        "tpdu": frame.tpdu,
        "header": frame.header,
        "mti": frame.mti,
        "fields": {str(number): value for number, value in frame.fields.items()},
        **({"f48": frame.f48} if 48 in frame else {}),
        "length": len(frame.raw) - 2,
        "transaction": transaction_name(frame),
        "mti_name": mti_name(frame.mti),
        "tpdu_parts": tpdu_meaning(frame),
        "header_parts": header_meaning(frame),
        "names": {str(number): FIELDS[number].name for number in frame.fields},
        "nested": nested(frame),
    }
    return json.dumps(document, indent=2)


def frame_from_json(text: str, source: str) -> Frame:
    """The inverse of :func:`frame_to_json`. BadInput names line and column, or the key, or the field."""
    import json

    from harness.protocol.frames import DEFAULT_HEADER, DEFAULT_TPDU, build

    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise BadInput(f"bad JSON: {error.msg}", where=f"{source}:{error.lineno}:{error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"bad JSON: {error}", where=source) from None
    if not isinstance(document, dict):
        raise BadInput(f"expected a JSON object, got {_json_type(document)}", where=source)
    for key in document:
        if key not in _GIVEN and key not in _DERIVED:
            raise BadInput(f"unknown key {key!r}; known are {', '.join(_GIVEN + _DERIVED)}", where=source)
    for key in ("mti", "fields"):
        if key not in document:
            raise BadInput(f"the key {key!r} is missing", where=source)
    fields = document["fields"]
    if not isinstance(fields, dict):
        raise BadInput(f"fields: expected an object of field numbers, got {_json_type(fields)}", where=source)
    numbered = {_field_number(key, source): value for key, value in fields.items()}
    tpdu, header = document.get("tpdu", DEFAULT_TPDU), document.get("header", DEFAULT_HEADER)
    f48 = document.get("f48", _F48[0])
    if f48 not in _F48:
        raise BadInput(f"f48 is {f48!r}, expected bcd or ascii", where=source)
    return build(document["mti"], numbered, tpdu=tpdu, header=header, f48=f48)


def frame_to_text(frame: Frame) -> str:
    """The frame for a person, a field a line, the parts of a field indented below it."""
    from harness.protocol.codes import mti_name, transaction_name
    from harness.protocol.describe import header_meaning, nested, tpdu_meaning
    from harness.protocol.spec import FIELDS

    lines = [f"{_('length'):12}{frame.raw[:2].hex().upper()}  {len(frame.raw) - 2} {_('bytes follow')}"]
    lines.append(f"{'TPDU':12}{frame.tpdu}")
    lines += _lines(tpdu_meaning(frame), 1)
    lines.append(f"{_('header'):12}{frame.header}")
    lines += _lines(header_meaning(frame), 1)
    lines.append(f"{'MTI':12}{frame.mti}  {_(mti_name(frame.mti))}")
    lines.append(f"{_('transaction'):12}{transaction_name(frame)}")
    parts = nested(frame)
    for number, value in frame.fields.items():
        spec = FIELDS[number]
        shown = _printable(frame.text(number)) if spec.kind == "text" else value
        ascii_digits = " (ASCII)" if number == 48 and frame.f48 == "ascii" else ""
        lines.append(f"F{number:02d}  {_(spec.name)}: {shown}{ascii_digits}")
        lines += _lines(parts.get(str(number), {}), 1)
    return "\n".join(lines)


def _lines(content: Any, depth: int) -> list[str]:
    indent = "    " * depth
    lines: list[str] = []
    if isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, dict | list):
                lines += [f"{indent}{_(key)}", *_lines(value, depth + 1)]
            else:
                lines.append(f"{indent}{_(key)}: {_printable(_worded(key, str(value)))}")
    else:
        for item in content:
            flat = ", ".join(f"{_(key)} {value}" for key, value in item.items() if not isinstance(value, dict | list))
            lines.append(f"{indent}- {_printable(flat)}")
            for value in item.values():
                if isinstance(value, dict | list):
                    lines += _lines(value, depth + 1)
    return lines


def _worded(key: str, value: str) -> str:
    """Where ``value`` is our own words ("05 chip", "other"), in the language in force; else as it came."""
    if key == "reversal_reason":
        return _(value)
    code, space, words = value.partition(" ")
    return f"{code}{space}{_(words)}" if key in _WORDED else value


def _printable(text: str) -> str:
    """Control characters out of the wild must not reach the terminal of the person who looks."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _not_empty(data: bytes, source: str) -> bytes:
    if not data:
        raise BadInput("offset 0: there is no frame, the input is empty", where=source)
    return data


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return result


def _field_number(key: str, source: str) -> int:
    from harness.protocol.spec import FIELDS

    if key.isascii() and key.isdigit() and key == str(int(key[:6])) and int(key) in FIELDS:
        return int(key)
    known = ", ".join(str(number) for number in FIELDS)
    raise BadInput(f"fields: unknown field {key!r}; known are {known}", where=source)


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
