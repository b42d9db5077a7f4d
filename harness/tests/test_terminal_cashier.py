"""The till's framing of the cashier link: what goes out comes back, and nothing that comes in breaks it."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.terminal.cashier import MAX_DATA, Framing, Receiver, encode, parse_data

TAGS = st.sampled_from([f"DF{n:02d}" for n in range(1, 15) if n != 9])
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
FIELDS = st.dictionaries(TAGS, TEXTS, max_size=8)
CHUNKS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """``data`` cut into pieces of these sizes, the rest as the last one."""
    cut, at = [], 0
    for size in sizes:
        cut.append(data[at : at + size])
        at += size
    return [*cut, data[at:]]


def test_a_frame_byte_for_byte() -> None:
    frame = encode({"DF01": "00", "DF02": "01"})
    assert frame[:3] == bytes.fromhex("020010")
    assert frame[3:13] == bytes.fromhex("DF01023030DF02023031")
    assert frame[-2] == 0x03
    assert frame[-1] == reduce(lambda a, b: a ^ b, frame[1:-1])


@given(FIELDS, CHUNKS)
def test_what_is_sent_is_received_in_whatever_pieces(fields: dict[str, str], sizes: list[int]) -> None:
    receiver = Receiver()
    messages = [m for piece in pieces(b"\x06" + encode(fields), sizes) for m in receiver.feed(piece)]
    assert [m.kind for m in messages] == ["ack", "frame"]
    assert messages[1].fields == fields


def test_chinese_text_is_gbk() -> None:
    frame = encode({"DF09": "终端未登记"})
    assert "终端未登记".encode("gbk") in frame
    assert Receiver().feed(frame)[0].fields == {"DF09": "终端未登记"}


@given(st.binary(max_size=200), CHUNKS)
def test_wild_bytes_are_told_and_lost_nowhere(data: bytes, sizes: list[int]) -> None:
    receiver = Receiver()
    messages = [m for piece in pieces(data, sizes) for m in receiver.feed(piece)]
    told = b"".join(m.raw for m in messages)
    assert data.startswith(told)
    assert len(data) - len(told) <= MAX_DATA + 5


@given(FIELDS, st.integers(0, 10_000), st.integers(1, 255))
def test_one_damaged_byte_never_gives_other_fields(fields: dict[str, str], where: int, flip: int) -> None:
    frame = bytearray(encode(fields))
    frame[where % len(frame)] ^= flip
    for message in Receiver().feed(bytes(frame)):
        assert message.kind != "frame" or message.fields == fields


def test_a_tag_that_is_cut_short_is_named() -> None:
    with pytest.raises(BadInput, match=r"offset 5: tag DF02 announces 9 bytes, 1 follow"):
        parse_data(bytes.fromhex("DF01023030DF020931")[:5] + bytes.fromhex("DF020931"))


def test_too_long_a_value_is_refused() -> None:
    with pytest.raises(BadInput, match="at most 127"):
        encode({"DF01": "0" * 128})


FRAMINGS = [Framing(length, check) for length in ("bcd", "binary") for check in ("with_etx", "without_etx")]


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda one: f"{one.length}-{one.lrc}")
@given(fields=FIELDS, sizes=CHUNKS)
def test_each_dialect_reads_what_it_writes(framing: Framing, fields: dict[str, str], sizes: list[int]) -> None:
    receiver = Receiver(framing)
    messages = [m for piece in pieces(encode(fields, framing), sizes) for m in receiver.feed(piece)]
    assert [(m.kind, m.fields) for m in messages] == [("frame", fields)]


@pytest.mark.parametrize("mine", FRAMINGS, ids=lambda one: f"{one.length}-{one.lrc}")
@pytest.mark.parametrize("theirs", FRAMINGS, ids=lambda one: f"{one.length}-{one.lrc}")
def test_another_dialect_is_never_taken_for_ours(mine: Framing, theirs: Framing) -> None:
    frame = encode({"DF01": "02", "DF07": "97", "DF09": "终端未登记"}, theirs)  # 26 bytes: 0026 and 001A
    got = [m.fields for m in Receiver(mine).feed(frame + b"\x00" * 64) if m.kind == "frame"]
    assert got == ([{"DF01": "02", "DF07": "97", "DF09": "终端未登记"}] if mine == theirs else [])


def test_a_dialect_byte_for_byte() -> None:
    frame = encode({"DF01": "00", "DF02": "01"}, Framing("binary", "without_etx"))
    assert frame[:3] == bytes.fromhex("02000A")
    assert frame[-2] == 0x03
    assert frame[-1] == reduce(lambda a, b: a ^ b, frame[1:-2])
