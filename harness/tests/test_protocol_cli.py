"""``hil97 frame``: what it prints, that encode undoes decode, and that bad input is named and ends with status 2."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import frame as command
from harness.errors import BadInput
from harness.i18n import set_language
from harness.protocol.frames import Frame, build, decode
from harness.tests.protocol_samples import PUBLIC, S01, S07, V1_DATA, V1_F64, framed, frames

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def english() -> None:
    set_language("en")


@pytest.fixture
def hil97(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``hil97 frame ...`` in this process and returns what it printed."""

    def run(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        command.add_parser(parser.add_subparsers(required=True))
        args = parser.parse_args(["frame", *arguments])
        assert args.run(args) == 0
        return capsys.readouterr().out

    return run


def process(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """``hil97 frame ...`` as a process of its own, in English."""
    program = "import sys; from harness.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, "--lang", "en", "frame", *arguments],
        input=stdin, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def test_decode_says_everything(hil97: Run) -> None:
    lines = [line.strip() for line in hil97("decode", S01.hex()).splitlines()]
    for expected in (
        "length      004F  79 bytes follow",
        "TPDU        6000000009",
        "source: 0009",
        "header      602100000000",
        "application_class: 60 magnetic-stripe POS",
        "processing_request: 0 nothing asked for",
        "MTI         0810  network management response",
        "transaction sign_in",
        "F39  response code: 97",
        "F41  terminal number (TID): 99990001",
        "F60  message type, batch, network code: 00141009001",
        "batch: 141009",
    ):
        assert expected in lines


def test_only_our_own_words_are_translated(hil97: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_", lambda text: f"<{text}>")
    reversal = build("0400", {22: "021", 39: "98", 63: "01 chip".ljust(7)})
    lines = [line.strip() for line in hil97("decode", reversal.raw.hex()).splitlines()]
    assert "<entry>: 02 <magnetic stripe>" in lines
    assert "<reversal_reason>: <no response, or too late>" in lines
    assert "<operator>: 01 chip" in lines


@pytest.mark.parametrize("name", PUBLIC)
def test_encode_undoes_decode_json(hil97: Run, name: str) -> None:
    text = hil97("decode", "--json", PUBLIC[name].hex())
    assert hil97("encode", text) == PUBLIC[name].hex().upper() + "\n"


def test_white_space_in_hex_means_nothing(hil97: Run) -> None:
    spread = "\n".join(S07.hex(" ").split(" ")) + "\t\r\n"
    assert hil97("decode", spread) == hil97("decode", S07.hex())


def test_host_text_is_read_as_gbk_and_control_characters_are_not_obeyed(hil97: Run) -> None:
    frame = build("0210", {39: "97", 63: ("CUP终端未登记".encode("gbk") + b"\x1b[2J").decode("latin-1")})
    shown = hil97("decode", frame.raw.hex())
    assert "F63  operator, texts: CUP终端未登记\\x1b[2J" in shown
    assert "\x1b" not in shown
    assert hil97("encode", hil97("decode", "--json", frame.raw.hex())).strip() == frame.raw.hex().upper()


def test_encode_needs_only_mti_and_fields(hil97: Run) -> None:
    made = decode(bytes.fromhex(hil97("encode", '{"mti": "0820", "fields": {"60": "00000001301"}}')))
    assert (made.tpdu, made.header, dict(made.fields)) == ("6000000000", "602100000000", {60: "00000001301"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "offset 0: there is no frame"),
        (" \n ", "offset 0: there is no frame"),
        ("004F 6g", "<argument>:1:7: offset 2: 'g' is no hexadecimal digit"),
        ("004F\n60 0x", "<argument>:2:5: offset 3: 'x' is no hexadecimal digit"),
        ("004F６", "<argument>:1:5: offset 2: '６' is no hexadecimal digit"),
        ("004F6", "offset 2: the last byte has one digit only (5 hexadecimal digits in all)"),
        (S01.hex() + "00", "offset 0: length: the prefix says 79 bytes follow, 80 do"),
        (S01.hex() * 2, "the first would end at offset 81"),
        (S01[:-3].hex(), "was the frame cut short"),
        (S01[2:].hex(), "put the length 004F before it"),
        (S07.hex().replace("001100000116003000", "0011000001160030FF"), "offset 81: F62: its length is FF40"),
    ],
)
def test_bad_hex_is_named(hil97: Run, text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        hil97("decode", text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "<argument>:1:1: bad JSON"),
        ('{"mti": "0200",\n oops}', "<argument>:2:2: bad JSON"),
        ("[]", "expected a JSON object, got an array"),
        ("7", "expected a JSON object, got a number"),
        ("[" * 100_000, "bad JSON"),
        ("9" * 10_000, "bad JSON"),
        ('{"fields": {}}', "the key 'mti' is missing"),
        ('{"mti": "0200"}', "the key 'fields' is missing"),
        ('{"mti": "0200", "fields": []}', "fields: expected an object of field numbers, got an array"),
        ('{"mti": "0200", "fields": {}, "feilds": {}}', "unknown key 'feilds'"),
        ('{"mti": 200, "fields": {}}', "MTI: expected a string of 4 decimal digits, got int"),
        ('{"mti": "0200", "fields": {}, "tpdu": null}', "TPDU: expected a string"),
        ('{"mti": "0200", "fields": {"5": "1"}}', "unknown field '5'"),
        ('{"mti": "0200", "fields": {"04": "1"}}', "unknown field '04'"),
        ('{"mti": "0200", "fields": {"F4": "1"}}', "unknown field 'F4'"),
        ('{"mti": "0200", "fields": {"99999999999": "1"}}', "unknown field '99999999999'"),
        ('{"mti": "0200", "fields": {"4": 100}}', "F4: expected a string, got int"),
        ('{"mti": "0200", "fields": {"4": "100"}}', "F4: expected exactly 12 digits, got 3"),
        ('{"mti": "0200", "fields": {"4": "1", "4": "2"}}', "the key '4' stands twice"),
        ('{"mti": "0200", "fields": {"62": "0G"}}', "F62: expected pairs of hexadecimal digits"),
        ('{"mti": "0200", "fields": {"63": "\\ud800"}}', "F63: character 1"),
    ],
)
def test_bad_json_is_named(hil97: Run, text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        hil97("encode", text)
    assert message in str(caught.value)


@given(frames())
def test_json_is_the_inverse_for_every_frame(frame: Frame) -> None:
    text = command.frame_to_json(frame)
    assert text.isascii()
    assert command.frame_from_json(text, "test") == frame
    assert all(line.isprintable() for line in command.frame_to_text(frame).split("\n"))


KEYS = st.sampled_from(["mti", "fields", "tpdu", "header", "4", "39"]) | st.text(max_size=3)


@given(st.text(max_size=60) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
).map(json.dumps))  # fmt: skip
def test_any_text_is_refused_or_becomes_a_frame(text: str) -> None:
    for reader in (command.bytes_from_hex, command.frame_from_json):
        try:
            reader(text, "test")
        except BadInput as error:
            assert str(error)


def test_as_a_process_through_pipes() -> None:
    data = framed(V1_DATA + V1_F64)
    shown = process("decode", "--json", "-", stdin=data.hex(" ").encode())
    assert (shown.returncode, shown.stderr) == (0, b"")
    back = process("encode", "-", stdin=shown.stdout)
    assert (back.returncode, back.stdout) == (0, data.hex().upper().encode() + b"\n")


@pytest.mark.parametrize("action", ["decode", "encode"])
@pytest.mark.parametrize("stdin", [b"", b"\xff\xfe\x00", b"00", b"{", S01[:-1]])
def test_bad_input_ends_with_status_2_and_one_message(action: str, stdin: bytes) -> None:
    done = process(action, "-", stdin=stdin)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"hil97: ")
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_f48_in_ascii_is_shown_and_encoded_again(hil97: Run) -> None:
    frame = build("0500", {11: "000001", 48: "0" * 62, 60: "00000001201"}, f48="ascii")
    assert "0" * 62 + " (ASCII)" in hil97("decode", frame.raw.hex())
    text = hil97("decode", "--json", frame.raw.hex())
    assert json.loads(text)["f48"] == "ascii" and "home" in json.loads(text)["nested"]["48"]
    assert hil97("encode", text).strip() == frame.raw.hex().upper()
    with pytest.raises(BadInput, match="f48 is 'ebcdic'"):
        command.frame_from_json('{"mti": "0500", "fields": {}, "f48": "ebcdic"}', "<argument>")
