"""Our reading of frames against that of tshark with the shipped dissector, which was written apart from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.protocol import nested
from harness.protocol.describe import nested as described
from harness.protocol.frames import Frame, FrameError, build, decode
from harness.protocol.spec import FIELDS
from harness.tests.oracle import Seen, dissect, needs_tshark, write_capture
from harness.tests.protocol_samples import PUBLIC, V1_DATA, V1_F64, damaged, framed, frames

pytestmark = needs_tshark
COLLECT = settings(
    max_examples=400, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def collected(strategy: st.SearchStrategy[bytes]) -> list[bytes]:
    """Some hundred examples, looked at by one tshark: a start takes it a second."""
    found: list[bytes] = []

    @COLLECT
    @given(strategy)
    def collect(data: bytes) -> None:
        found.append(data)

    collect()
    return found


def read(tmp_path: Path, streams: Sequence[Sequence[bytes]], *options: str, port: int = 8583) -> list[Seen]:
    capture = tmp_path / "frames.pcap"
    write_capture(capture, streams, port)
    return dissect(capture, *options)


def assert_same(frame: Frame, seen: Seen) -> None:
    """Every value, and the bytes that it was read from."""
    assert seen.malformed is None, (seen.malformed, frame)
    assert (seen.one("tpdu"), seen.one("header"), seen.one("mti")) == (frame.tpdu, frame.header, frame.mti)
    assert int(seen.one("request")) == int(frame.header[5], 16)
    assert set(seen.fields) == set(frame.fields)
    for number, value in frame.fields.items():
        spec, shown = FIELDS[number], seen.fields[number]
        content = seen.raw[f"f{number}"][0][spec.prefix :]
        if number == 48 and frame.f48 == "ascii":
            assert (content.decode("ascii"), shown) == (value, value)
        elif spec.kind == "text":
            assert content == value.encode("latin-1")
            if value.isascii() and value.isprintable():
                assert shown == value
        elif spec.kind == "binary":
            assert content.hex().upper() == shown == value
        else:
            assert shown == value
            padding = "0" * (len(value) % 2)
            assert content.hex().upper() == (padding + value if spec.pad == "left" else value + padding)
    assert_same_parts(frame, seen)


def assert_same_parts(frame: Frame, seen: Seen) -> None:
    if len(frame.get(60)) in (8, 11, 13, 14, 17):
        f60 = nested.F60.of(frame)
        assert (seen.one("f60_type"), seen.one("f60_batch")) == (f60.message_type, f60.batch)
        assert seen.values.get("f60_network", [""])[0] == f60.network_code
    if len(frame.get(61)) >= 12:
        original = nested.Original.of(frame)
        assert (seen.one("f61_batch"), seen.one("f61_trace")) == (original.batch, original.trace)
    parts = described(frame)
    if "62" in parts and "pik" in parts["62"]:
        for name, value in parts["62"].items():
            assert seen.raw[name][0].hex().upper() == value
    if "problem" in parts.get("55", {}) or "problem" in parts.get("60", {}):
        assert seen.notes
    elif "55" in parts:
        flat = [element["tag"] for element in walked(parts["55"]["elements"])]
        assert seen.values.get("tlv_tag", []) == flat


def walked(elements: list[dict[str, object]]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for element in elements:
        inside = element.get("parts", [])
        assert isinstance(inside, list)
        found += [element, *walked(inside)]
    return found


def test_public_frames(tmp_path: Path) -> None:
    samples = [*PUBLIC.values(), framed(V1_DATA + V1_F64)]
    found = read(tmp_path, [samples])
    assert len(found) == len(samples)
    for data, seen in zip(samples, found, strict=True):
        assert_same(decode(data), seen)
    declined, request, approved, sale = found
    assert (declined.one("f39"), declined.one("code_text")) == ("97", "terminal not registered")
    assert [seen.one("transaction") for seen in found] == ["sign-in", "sign-in", "sign-in", "sale"]
    assert request.one("f62_serial") == "306099999906"
    assert approved.raw["mak_kcv"] == [bytes.fromhex("DCF475D3")]
    assert (sale.one("entry"), sale.one("pin")) == ("magnetic stripe", "present")


def test_generated_frames(tmp_path: Path) -> None:
    """One connection each: their TPDU, header and MTI may be anything."""
    samples = collected(frames().map(lambda frame: frame.raw))
    found = read(tmp_path, [[data] for data in samples])
    assert len(found) == len(samples) >= 300
    for data, seen in zip(samples, found, strict=True):
        assert_same(decode(data), seen)


def with_text_48(frame: Frame, digits: str) -> bytes:
    return build(frame.mti, {**frame.fields, 48: digits}, frame.tpdu, frame.header, f48="ascii").raw


def test_generated_frames_with_field_48_as_text(tmp_path: Path) -> None:
    """Both choose by themselves how F48 is written, and must choose alike."""
    digits = st.text("0123456789", min_size=1, max_size=70)
    samples = collected(st.builds(with_text_48, frames(), digits))
    found = read(tmp_path, [[data] for data in samples])
    assert len(found) == len(samples) >= 300
    assert sum(decode(data).f48 == "ascii" for data in samples) > 200
    for data, seen in zip(samples, found, strict=True):
        assert_same(decode(data), seen)


def test_frames_that_we_refuse_are_flagged(tmp_path: Path) -> None:
    """And those that we take are not. Their length fits, so that one frame is one frame for both."""
    samples = [data for data in collected(damaged().filter(fits)) if fits(data)]
    verdicts = [refusal(data) for data in samples]
    found = read(tmp_path, [[data] for data in samples])
    assert len(found) == len(samples)
    assert sum(why is not None for why in verdicts) > 50 and verdicts.count(None) > 10
    for data, why, seen in zip(samples, verdicts, found, strict=True):
        assert (seen.malformed is None) == (why is None), (data.hex(), why, seen.malformed)
        if why is None:
            assert_same(decode(data), seen)


def fits(data: bytes) -> bool:
    return len(data) >= 2 and int.from_bytes(data[:2], "big") == len(data) - 2


def refusal(data: bytes) -> str | None:
    try:
        decode(data)
    except FrameError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("second bitmap", lambda data: data[:15] + bytes([data[15] | 0x80]) + data[16:]),
        ("field 63 cut", lambda data: (len(data) - 3).to_bytes(2, "big") + data[2:-1]),
        ("byte behind", lambda data: (len(data) - 1).to_bytes(2, "big") + data[2:] + b"\0"),
        ("MTI", lambda data: data[:13] + b"\x0a" + data[14:]),
        ("too short", lambda data: b"\x00\x08" + data[2:10]),
        ("nothing", lambda data: b"\x00\x00"),
    ],
)
def test_each_kind_of_damage(tmp_path: Path, name: str, break_it: Callable[[bytes], bytes]) -> None:
    (seen,) = read(tmp_path, [[break_it(PUBLIC["S05"])]])
    assert refusal(break_it(PUBLIC["S05"])) is not None
    assert seen.malformed, name


def test_one_segment_with_many_frames_and_one_frame_in_many_segments(tmp_path: Path) -> None:
    long = build("0830", {39: "00", 62: "5A" * 999, 63: "x" * 999}).raw
    samples = [*PUBLIC.values(), long]
    joined = b"".join(samples)
    for cut in ([joined], [joined[at : at + 7] for at in range(0, len(joined), 7)]):
        found = read(tmp_path, [cut])
        assert len(found) == len(samples)
        for data, seen in zip(samples, found, strict=True):
            assert_same(decode(data), seen)


def test_other_ports(tmp_path: Path) -> None:
    """By the heuristic; not with it off; then by the preference, or by Decode As."""
    sample = [list(PUBLIC.values())]
    off = ("-o", "hil97.heuristic:FALSE")
    assert len(read(tmp_path, sample, port=9800)) == 3
    assert read(tmp_path, sample, *off, port=9800) == []
    assert len(read(tmp_path, sample, *off, "-o", "hil97.ports:9000-9900", port=9800)) == 3
    assert len(read(tmp_path, sample, *off, "-d", "tcp.port==9800,hil97", port=9800)) == 3


def test_in_http(tmp_path: Path) -> None:
    frame = PUBLIC["S05"]
    head = "POST /mjc/webtrans/VPB_lb HTTP/1.1\r\nHost: a\r\nContent-Type: x-ISO-TPDU/x-auth\r\n"
    request = f"{head}Content-Length: {len(frame)}\r\n\r\n".encode() + frame
    (seen,) = read(tmp_path, [[request]], port=80)
    assert_same(decode(frame), seen)


def test_text_of_the_host_in_gbk(tmp_path: Path) -> None:
    text = "终端未登记".encode("gbk")
    frame = build("0210", {39: "97", 63: b"CUP".decode() + text.ljust(20).decode("latin-1")})
    (seen,) = read(tmp_path, [[frame.raw]])
    assert_same(frame, seen)
    assert seen.one("f63_organisation") == "CUP"
    assert seen.one("f63_text").strip() == "终端未登记"


def test_lists_of_keys_and_parameters(tmp_path: Path) -> None:
    """F62: "1" and a count; one character and TLV; TLV alone (RID and index of the key that is asked for)."""
    one_key = "9F0605A0000003339F220101DF050420301231"
    messages = [
        build("0820", {60: "00000001372", 62: b"100".hex()}),
        build("0830", {39: "00", 60: "00000001372", 62: b"2".hex() + one_key}),
        build("0800", {60: "00000001370", 62: "9F0605A0000003339F220101"}),
        build("0830", {39: "00", 60: "00000001372", 62: b"2".hex() + one_key[:-2]}),
    ]
    asked, listed, fetched, cut = read(tmp_path, [[message.raw for message in messages]])
    assert asked.one("f62_count") == "100"
    assert (listed.one("f62_state"), listed.values["tlv_tag"]) == ("more follow", ["9F06", "9F22", "DF05"])
    assert listed.raw["tlv_value"] == [bytes.fromhex("A000000333"), b"\x01", bytes.fromhex("20301231")]
    assert fetched.values["tlv_tag"] == ["9F06", "9F22"] and "f62_state" not in fetched.values
    assert cut.notes == ["tag DF05 ends behind the field"]


def test_parts_of_settlement_and_scanned_codes(tmp_path: Path) -> None:
    totals = nested.make_totals(nested.Totals(1234, 2, 56, 1, 0))
    records = [nested.BatchRecord("00", "000097", "6225880012345678", 9797)]
    messages = [
        build("0500", {48: totals, 60: "00000001201"}),
        build("0320", {48: nested.make_batch_records(records), 60: "00000001201"}),
        build("0500", {48: totals, 60: "00000001201"}, f48="ascii"),
        build("0320", {48: "0003", 60: "00000001207"}),
        build("0200", {22: "032", 59: "A3018131234567890123456", 60: "2200000100050"}),
        build("0210", {39: "00", 54: "0202156C000000012345", 60: "01000001"}),
        build("0400", {39: "98", 60: "22000001"}),
        build("0200", {53: "2600000000000000", 60: "22000001"}),
    ]
    settlement, upload, in_text, end, scan, balance, reversal, secured = read(tmp_path, [[m.raw for m in messages]])
    assert settlement.one("f48_home") == "debit 000000001234 in 002, credit 000000000056 in 001, result 0"
    assert upload.one("f48_record") == "type 00, trace 000097, PAN 6225880012345678, amount 000000009797"
    assert in_text.one("f48") == totals and in_text.values["f48_home"] == settlement.values["f48_home"]
    assert end.one("f48_count") == "0003"
    assert (scan.one("entry"), scan.one("f59_item")) == ("scanned code", "A3 131234567890123456")
    assert balance.one("f54_amount") == "account 02, type 02, currency 156, C 000000012345"
    assert reversal.one("reason") == "no response, or late" and "code_text" not in reversal.values
    assert (secured.one("f53_format"), secured.one("f53_algorithm")) == ("with PAN", "double-length 3DES")
