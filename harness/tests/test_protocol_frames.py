"""Frames decode and encode byte for byte, and what is no frame is a FrameError that says where."""

from __future__ import annotations

import pickle
from typing import Literal

import iso8583
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol.frames import Frame, FrameError, build, decode, encode, offset_of, placed, swap_tpdu, with_mac
from harness.protocol.spec import FIELDS, SPEC, SPEC_ASCII
from harness.tests.protocol_samples import PUBLIC, S01, S05, S07, V1_DATA, V1_F64, damaged, framed, frames, patched


@pytest.mark.parametrize("name", PUBLIC)
def test_public_frames_round_trip_byte_for_byte(name: str) -> None:
    frame = decode(PUBLIC[name])
    assert encode(frame) == frame.raw == PUBLIC[name]
    assert build(frame.mti, frame.fields, frame.tpdu, frame.header) == frame


def test_a_sign_in_declined_with_97() -> None:
    frame = decode(S01)
    assert (frame.tpdu, frame.header, frame.mti) == ("6000000009", "602100000000", "0810")
    assert dict(frame.fields) == {
        11: "000001", 12: "164447", 13: "1009", 32: "00096500", 37: "000000000000", 39: "97", 41: "99990001",
        42: "997290054110001", 60: "00141009001",
    }  # fmt: skip
    assert (frame.message_type, frame.batch, frame.network_code) == ("00", "141009", "001")
    assert frame.is_response
    assert frame.processing_request == "0"


def test_a_sign_in_request() -> None:
    frame = decode(S05)
    assert (frame.tpdu, frame.header, frame.mti) == ("6005010000", "613100311108", "0800")
    assert frame.binary(62) == b"Sequence No12306099999906"
    assert frame.get(63) == "001"
    assert not frame.is_response
    assert 39 not in frame
    assert frame.get(39) == ""


def test_a_signed_sale_with_track_2() -> None:
    frame = decode(framed(V1_DATA + V1_F64))
    assert dict(frame.fields) == {
        3: "000000", 4: "000000000051", 11: "001834", 22: "021", 25: "00", 26: "06",
        35: "4392260009942820D131210112008439", 41: "16688014", 42: "000000000000001", 49: "156",
        52: "ACF46E73838A82F9", 53: "2600000000000000", 60: "22000001", 64: "8A9E91B8",
    }  # fmt: skip
    assert encode(frame) == frame.raw


def test_padding_and_lengths_as_the_dialect_has_them() -> None:
    """F22 pads on the right and F23 on the left; lengths of packed fields count digits, of others bytes."""
    fields = {
        2: "6225880012345", 22: "071", 23: "001", 32: "00096", 35: "6225D99", 36: "995", 44: "AB", 48: "12345",
        54: "9" * 20, 55: "9F3602", 59: "A2", 60: "22000001003", 61: "000001000002", 62: "AABB", 63: "001",
    }  # fmt: skip
    body = build("0200", fields).raw[13:]
    assert body.hex().upper() == (
        "0200" + "4000060130" + "11063E"
        "13" "62258800123450" "0710" "0001" "05" "000960" "07" "6225D990" "0003" "9950" "02" "4142" "0005" "123450"
        "0020" + "39" * 20 + "0003" "9F3602" "0002" "4132" "0011" "220000010030" "0012" "000001000002"
        "0002" "AABB" "0003" "303031"
    )


@pytest.mark.parametrize(
    ("data", "offset", "field", "problem"),
    [
        (b"", 0, "length", "0 bytes"),
        (b"\x00", 1, "length", "1 bytes"),
        (S01[:22], 0, "length", "the shortest frame has 23"),
        (S07[:-1], 0, "length", "the prefix says 121 bytes follow, 120 do"),
        (S07 + b"\x00", 0, "length", "the prefix says 121 bytes follow, 122 do"),
        (patched(S07 + b"\x00", (0, "007A")), 123, None, "1 bytes stand behind F62"),
        (patched(S07[:-1], (0, "0078")), 83, 62, "the frame ends after 39 of its 40 bytes"),
        (patched(S07, (80, "3F")), 80, 60, "the pad nibble on the right is F, expected 0"),
        (patched(S07, (78, "1A")), 78, 60, "digit 8 is A"),
        (patched(S07, (73, "001A")), 73, 60, "its length is 001A, expected decimal digits"),
        (patched(S07, (73, "0099")), 73, 60, "its length is 99 digits, at most 17 are allowed"),
        (patched(S07, (13, "08A0")), 13, "MTI", "got 08A0"),
        (patched(S07, (15, "80")), 15, "bitmap", "second bitmap"),
        (patched(S07, (15, "08")), 15, 5, "no such field"),
        (patched(S07, (22, "15")), 123, 64, "the frame ends"),
        (framed(bytes.fromhex("08000000000000000000") + b"xy"), 23, None, "2 bytes behind the bitmap"),
        (framed(bytes.fromhex("08000000020000000000F012")), 23, 23, "the pad nibble on the left is F, expected 0"),
        (framed(bytes.fromhex("080000000200000000000A12")), 23, 23, "digit 1 is A"),
        (framed(bytes.fromhex("0800000002000000000000C2")), 24, 23, "digit 2 is C"),
        (framed(bytes.fromhex("08000000040000000000071F")), 24, 22, "the pad nibble on the right is F"),
        (framed(bytes.fromhex("0800000000000000001000")), 23, 60, "the frame ends before its 2-byte length"),
    ],
)  # fmt: skip
def test_what_is_no_frame_says_where_and_why(data: bytes, offset: int, field: object, problem: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode(data)
    error = caught.value
    assert (error.offset, error.field) == (offset, field), str(error)
    assert problem in error.problem
    assert f"offset {offset}" in str(error)
    if isinstance(field, int):
        assert f"F{field}:" in str(error)


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({5: "1"}, 5, "no such field"),
        ({1: "1"}, 1, "no such field"),
        ({65: "1"}, 65, "no such field"),
        ({4: "12"}, 4, "expected exactly 12 digits, got 2"),
        ({4: 12}, 4, "expected a string, got int"),
        ({4: "00000000012A"}, 4, "decimal digits"),
        ({4: "٠" * 12}, 4, "decimal digits"),
        ({35: "6225=99"}, 35, "D as separator"),
        ({35: "6225d99"}, 35, "D as separator"),
        ({52: "0011"}, 52, "expected exactly 8 bytes, got 2"),
        ({62: "001"}, 62, "pairs of hexadecimal"),
        ({62: "zz"}, 62, "pairs of hexadecimal"),
        ({2: "1" * 20}, 2, "at most 19 digits, got 20"),
        ({63: "A" * 1000}, 63, "at most 999 bytes"),
        ({63: "ok 终端"}, 63, "character 4 is '终'"),
        ({63: "\ud800"}, 63, "character 1"),
        ({39: "9"}, 39, "exactly 2 bytes, got 1"),
        ({"39": "97"}, "39", "no such field"),
    ],
)
def test_values_that_can_not_be_encoded_are_named(fields: dict[int, str], field: object, problem: str) -> None:
    with pytest.raises(FrameError) as caught:
        build("0200", fields)
    assert caught.value.field == field
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("part", "value", "problem"),
    [
        ("mti", "020", "expected 4 decimal digits"),
        ("mti", "02A0", "expected 4 decimal digits"),
        ("tpdu", "60000000", "expected 10 hexadecimal digits"),
        ("header", "60210000000g", "expected 12 hexadecimal digits"),
        ("header", None, "got NoneType"),
    ],
)
def test_a_bad_head_is_named(part: str, value: str, problem: str) -> None:
    parts = {"mti": "0200", "tpdu": "6000000000", "header": "602100000000", part: value}
    with pytest.raises(FrameError, match=problem):
        build(parts["mti"], {}, tpdu=parts["tpdu"], header=parts["header"])


def test_but_makes_a_changed_copy_with_bytes_of_its_own() -> None:
    frame = decode(S07)
    declined = frame.but({39: "97", 62: None}, header="602203000000")
    assert declined.get(39) == "97"
    assert 62 not in declined
    assert declined.processing_request == "3"
    assert decode(declined.raw) == declined
    assert frame.get(39) == "00"


def test_a_frame_is_a_value() -> None:
    one, other = decode(S01), decode(bytes(S01))
    assert one == other
    assert len({one, other, decode(S07)}) == 2
    with pytest.raises(TypeError):
        one.fields[39] = "00"  # type: ignore[index]
    with pytest.raises(AttributeError):
        one.mti = "0200"  # type: ignore[misc]


def test_text_is_read_as_gbk_and_never_fails() -> None:
    text = "终端未登记".encode("gbk")
    assert build("0210", {63: text.decode("latin-1")}).text(63) == "终端未登记"
    assert build("0210", {63: (text + b"\xff\x31").decode("latin-1")}).text(63) == "终端未登记\\xff1"


def test_the_answer_goes_back_where_the_request_came_from() -> None:
    assert swap_tpdu("6000058381") == "6083810005"


def test_a_frame_error_survives_a_process_border() -> None:
    with pytest.raises(FrameError) as caught:
        decode(S07[:-1])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.offset, copy.field) == (str(caught.value), 0, "length")


@given(frames(), st.sampled_from(["bcd", "ascii"]))
def test_pyiso8583_encodes_to_the_same_bytes(frame: Frame, f48: Literal["bcd", "ascii"]) -> None:
    ours = build(frame.mti, frame.fields, frame.tpdu, frame.header, f48)
    document = {"h": frame.tpdu + frame.header, "t": frame.mti} | {str(n): v for n, v in frame.fields.items()}
    theirs, _ = iso8583.encode(document, SPEC_ASCII if f48 == "ascii" else SPEC)
    assert ours.raw[2:] == theirs
    again = decode(ours.raw)
    assert again.raw == ours.raw and encode(again) == ours.raw


@given(frames())
def test_generated_frames_round_trip(frame: Frame) -> None:
    again = decode(frame.raw)
    assert again == frame
    assert list(again.fields) == sorted(frame.fields)
    assert encode(again) == frame.raw
    assert set(again.fields) <= set(FIELDS)


@given(st.binary(max_size=200) | damaged())
def test_any_bytes_are_a_frame_or_a_frame_error(data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(data)
        assert error.problem
    else:
        assert encode(frame) == data


@given(frames(), st.text("0123456789ABCDEF", min_size=8, max_size=8))
def test_a_mac_is_put_on_without_encoding_anew(frame: Frame, value: str) -> None:
    assert with_mac(frame, value) == build(frame.mti, {**frame.fields, 64: value}, frame.tpdu, frame.header)
    assert with_mac(frame, value).raw == build(frame.mti, {**frame.fields, 64: value}, frame.tpdu, frame.header).raw


@given(frames())
def test_every_field_is_where_it_is_said_to_be(frame: Frame) -> None:
    """Cut at a field's offset, the frame is the encoding of the fields before it and of those from it on."""
    for number in frame.fields:
        at = offset_of(frame, number)
        before = build("0800", {n: v for n, v in frame.fields.items() if n < number})
        behind = build("0800", {n: v for n, v in frame.fields.items() if n >= number})
        assert frame.raw[23:at] == before.raw[23:] and frame.raw[at:] == behind.raw[23:]


def test_an_error_about_a_fields_content_is_placed_in_the_frame() -> None:
    frame = build("0200", {4: "0" * 12, 55: "9F26", 60: "22000001"})
    assert placed(FrameError("cut", offset=0, field=55), frame).offset == 23 + 6 + 2
    assert placed(FrameError("shape", field=60), frame).offset == 23 + 6 + 2 + 2
    assert placed(FrameError("absent", offset=17, field=22), frame).offset == 17


def test_f48_in_ascii_is_told_from_packed_digits() -> None:
    value = "0" * 61 + "1"
    fields = {11: "000001", 48: value, 49: "156", 60: "00000001201"}
    packed, spelt = build("0500", fields), build("0500", fields, f48="ascii")
    assert decode(packed.raw) == packed and decode(spelt.raw) == spelt
    assert (packed.f48, spelt.f48, spelt.get(48)) == ("bcd", "ascii", value)
    assert len(spelt.raw) == len(packed.raw) + 31 and value.encode() in spelt.raw
    assert spelt.but({11: "000002"}).f48 == "ascii"
    with pytest.raises(FrameError, match=r"F48|behind F60|F60"):
        decode(spelt.raw.replace(value.encode(), b"X" * 62))


@given(st.text("0123456789", min_size=2, max_size=362), st.sampled_from(["0320", "0500", "0510"]))
def test_no_settlement_or_upload_can_be_read_both_ways(digits: str, mti: str) -> None:
    """What follows F48 in these messages tells how long it is. (A single digit fills one byte either way.)"""
    encodings: tuple[Literal["bcd", "ascii"], ...] = ("bcd", "ascii")
    for f48 in encodings:
        frame = build(mti, {11: "000001", 41: "1" * 8, 48: digits, 49: "156", 60: "00000001201", 63: "001"}, f48=f48)
        assert decode(frame.raw) == frame
