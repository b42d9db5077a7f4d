"""What stands inside fields: read, written, and never a crash where it has another shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol import nested as n
from harness.protocol.describe import header_meaning, nested, tpdu_meaning
from harness.protocol.frames import Frame, FrameError, build, decode
from harness.protocol.tlv import Tlv, read_ber, read_text_tlv, write_ber
from harness.tests.protocol_samples import S01, S05, S07, frames

F55 = bytes.fromhex("9F2608AABBCCDDEEFF00119F2701809F101307010103A00000010A010000000000AABBCCDD820274009A03251001")


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("22000001", ("22", "000001", "", "", "", "", "")),
        ("00000001003", ("00", "000001", "003", "", "", "", "")),
        ("2200000100060", ("22", "000001", "000", "6", "0", "", "")),
        ("22000001000601", ("22", "000001", "000", "6", "0", "1", "")),
        ("22000001000601123", ("22", "000001", "000", "6", "0", "1", "123")),
    ],
)
def test_f60_in_all_its_lengths(value: str, parts: tuple[str, ...]) -> None:
    f60 = n.F60.of(build("0200", {60: value}))
    assert f60 == n.F60(*parts)
    assert str(f60) == value


@pytest.mark.parametrize("value", ["", "22", "220000010"])
def test_f60_of_another_length_is_refused(value: str) -> None:
    with pytest.raises(FrameError, match="F60"):
        n.F60.of(build("0200", {60: value}))


totals = st.builds(
    n.Totals, st.integers(0, 10**12 - 1), st.integers(0, 999), st.integers(0, 10**12 - 1), st.integers(0, 999),
    st.integers(0, 2),
)  # fmt: skip


def test_settlement_totals_as_on_the_wire() -> None:
    f48 = "000000012300" + "002" + "000000000100" + "001" + "1" + "0" * 30 + "0"
    home, foreign = n.settlement_totals(build("0510", {48: f48, 60: "00000001201"}))
    assert home == n.Totals(12300, 2, 100, 1, 1)
    assert foreign == n.Totals()
    assert n.make_totals(home) == f48


@given(totals, totals)
def test_settlement_totals_round_trip(home: n.Totals, foreign: n.Totals) -> None:
    assert n.settlement_totals(build("0500", {48: n.make_totals(home, foreign)})) == (home, foreign)


def test_totals_that_do_not_fit_are_refused() -> None:
    for side in (n.Totals(10**12), n.Totals(0, 1000), n.Totals(result=10)):
        with pytest.raises(FrameError, match="at most 12 digits"):
            n.make_totals(side)
    with pytest.raises(FrameError, match="settlement totals have 62"):
        n.settlement_totals(build("0500", {48: "0" * 61}))


records = st.builds(
    n.BatchRecord, st.sampled_from(["00", "01", "02"]), st.from_regex(r"[0-9]{6}", fullmatch=True),
    st.from_regex(r"[1-9][0-9]{12,18}", fullmatch=True), st.integers(0, 10**12 - 1),
)  # fmt: skip


def test_a_batch_record_as_on_the_wire() -> None:
    f48 = "01" + "00" + "000007" + "0000" + "6225880012345678" + "000000000100"
    assert n.batch_records(build("0320", {48: f48})) == [n.BatchRecord("00", "000007", "6225880012345678", 100)]


@given(st.lists(records, max_size=8))
def test_batch_records_round_trip(sent: list[n.BatchRecord]) -> None:
    f48 = n.make_batch_records(sent)
    assert len(f48) == 2 + 40 * len(sent)
    assert n.batch_records(build("0320", {48: f48})) == sent


def test_batch_records_of_another_shape_are_refused() -> None:
    record = n.BatchRecord("00", "000007", "6225880012345678", 100)
    for f48 in ("", "1", "01", f"02{record}", f"09{record}" + str(record) * 8):
        with pytest.raises(FrameError, match="F48"):
            n.batch_records(build("0320", {48: f48}))
    with pytest.raises(FrameError, match="at most 8"):
        n.make_batch_records([record] * 9)


def test_batch_end_count_of_any_width() -> None:
    assert [n.batch_end_count(build("0320", {48: value})) for value in ("03", "0003", "000003")] == [3, 3, 3]
    with pytest.raises(FrameError, match="absent"):
        n.batch_end_count(build("0320", {}))


def test_f61_names_the_original() -> None:
    assert n.Original.of(build("0200", {61: "000001000007"})) == n.Original("000001", "000007")
    refund = n.Original.of(build("0220", {61: "0000000000001009"}))
    assert refund == n.Original("000000", "000000", "1009")
    assert str(refund) == "0000000000001009"
    with pytest.raises(FrameError, match="F61"):
        n.Original.of(build("0200", {61: "00000100000"}))


def test_the_key_block_of_a_public_sign_in() -> None:
    block = n.key_block(decode(S07))
    assert block.pik.hex().upper() == "77264C5EBA2E461248D2A773277A79EA"
    assert (block.pik_kcv.hex(), block.mak_kcv.hex()) == ("12922dde", "dcf475d3")
    assert block.mak.hex().upper() == "C0DF5A74CE24FDB00000000000000000"
    assert block.tdk == b""


def test_key_blocks_by_network_code() -> None:
    single = n.key_block(build("0810", {60: "00000001001", 62: bytes(range(24)).hex().upper()}))
    assert (single.pik, single.mak, single.mak_kcv) == (bytes(range(8)), bytes(range(12, 20)), bytes(range(20, 24)))
    track = n.key_block(build("0810", {60: "00000001004", 62: bytes(range(60)).hex().upper()}))
    assert (track.tdk, track.tdk_kcv) == (bytes(range(40, 56)), bytes(range(56, 60)))
    with pytest.raises(FrameError, match=r"40 bytes do not fit F60\.3 = 001"):
        n.key_block(decode(S07).but({60: "00000001001"}))


def test_the_serial_number_of_a_public_sign_in() -> None:
    assert n.serial_number(decode(S05)) == "306099999906"
    assert n.make_serial_number("306099999906") == decode(S05).get(62)
    for hexadecimal in ("", b"Sequence No".hex().upper(), b"Sequence No04abc".hex().upper(), b"Sequence Noxx".hex()):
        with pytest.raises(FrameError, match="F62"):
            n.serial_number(build("0800", {62: hexadecimal.upper()}))


def test_host_texts_in_gbk_of_any_length() -> None:
    text = b"CUP" + "终端未登记".encode("gbk").ljust(20) + b" " * 20 + "请联系收单行".encode("gbk").ljust(20) + b"tail"
    assert n.HostTexts.of(build("0210", {63: text.decode("latin-1")})) == n.HostTexts(
        "CUP", "终端未登记", "", "请联系收单行", "tail"
    )
    assert n.HostTexts.of(build("0210", {63: "CUP"})) == n.HostTexts("CUP")


def test_chip_data_reads_and_writes() -> None:
    elements = read_ber(F55)
    assert [element.tag for element in elements] == ["9F26", "9F27", "9F10", "82", "9A"]
    assert elements[3].value == bytes.fromhex("7400")
    assert write_ber(elements) == F55


@pytest.mark.parametrize(
    ("data", "offset", "problem"),
    [
        ("9F", 0, "inside a tag"),
        ("9F36", 2, "before the length of tag 9F36"),
        ("9F360200", 0, "tag 9F36 has 2 bytes, 1 are left"),
        ("8201FF9F36830000", 5, "length byte 83"),
        ("8280", 1, "length byte 80"),
        ("828105AA", 0, "tag 82 has 5 bytes, 1 are left"),
    ],
)
def test_broken_chip_data_is_named(data: str, offset: int, problem: str) -> None:
    with pytest.raises(FrameError, match=problem) as caught:
        read_ber(bytes.fromhex(data))
    assert caught.value.offset == offset


tags = st.sampled_from(["57", "5A", "82", "95", "9A", "9F02", "9F26", "9F36", "DF31", "71"])


@given(st.lists(st.builds(Tlv, tags, st.binary(max_size=300)), max_size=6))
def test_ber_round_trips(elements: list[Tlv]) -> None:
    assert read_ber(write_ber(elements)) == elements


@given(st.binary(max_size=80))
def test_any_bytes_are_ber_or_refused(data: bytes) -> None:
    try:
        elements = read_ber(data)
    except FrameError:
        return
    assert read_ber(write_ber(elements)) == elements


def test_f59_terminal_information() -> None:
    inner = "01002" + "04" + "02016" + "0000000012345678" + "03006" + "123456"
    f59 = f"A2{len(inner):03d}{inner}A3018281234567890123456"
    assert read_text_tlv(f59) == [("A2", inner), ("A3", "281234567890123456")]
    content = nested(build("0200", {59: f59}))["59"]["items"]
    assert [part["name"] for part in content[0]["parts"]] == ["device type", "serial number", "random factor"]
    assert nested(build("0200", {59: "A2999"}))["59"] == {"problem": "tag 'A2' has 999 bytes, 0 are left"}


def test_a_public_frame_taken_apart() -> None:
    assert nested(decode(S01)) == {"60": {"message_type": "00", "batch": "141009", "network_code": "001"}}
    assert nested(decode(S05))["62"] == {"serial_number": "306099999906"}
    assert nested(decode(S05))["63"] == {"operator": "001"}
    assert nested(decode(S07))["62"]["pik_kcv"] == "12922DDE"
    assert tpdu_meaning(decode(S05)) == {"id": "60", "destination": "0501", "source": "0000"}
    assert header_meaning(decode(S05).but(header="613113311108"))["processing_request"] == "3 sign in again"
    assert header_meaning(decode(S05).but(header="613113311108"))["terminal_status"] == "1 test"


def test_a_sale_taken_apart() -> None:
    template = "72049F180155"
    frame = build("0200", {22: "051", 53: "2600000000000000", 55: f"9F36020007{template}", 60: "22000001"})
    parts = nested(frame)
    assert parts["22"] == {"entry": "05 chip", "pin": "1 PIN present"}
    assert parts["53"] == {"pin_format": "2 PIN block with PAN", "algorithm": "6 two-key triple DES",
                           "track_encrypted": "0"}  # fmt: skip
    atc, script = parts["55"]["elements"]
    assert atc == {"tag": "9F36", "name": "ATC", "value": "0007"}
    assert script["parts"] == [{"tag": "9F18", "name": "", "value": "55"}]
    assert nested(build("0400", {39: "98"}))["39"] == {"reversal_reason": "no response, or too late"}
    assert "39" not in nested(build("0410", {39: "98"}))


def test_settlement_and_batch_taken_apart() -> None:
    settlement = build("0500", {48: n.make_totals(n.Totals(100, 1)), 60: "00000001201"})
    assert nested(settlement)["48"]["home"]["debit_amount"] == 100
    record = n.BatchRecord("00", "000007", "6225880012345678", 100)
    upload = build("0320", {48: n.make_batch_records([record]), 60: "00000001201"})
    assert nested(upload)["48"]["records"][0]["trace"] == "000007"
    assert nested(build("0320", {48: "0012", 60: "00000001207"}))["48"] == {"count": 12}


def test_nesting_without_end_is_not_followed() -> None:
    data = b""
    for _ in range(300):
        data = write_ber([Tlv("71", data)])[:900]
    assert "55" in nested(build("0200", {55: data.hex().upper()}))


@given(frames())
def test_every_frame_can_be_taken_apart(frame: Frame) -> None:
    json.dumps(nested(frame))
    json.dumps(header_meaning(frame))
