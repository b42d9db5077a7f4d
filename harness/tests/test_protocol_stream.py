"""The splitter finds the same frames however the stream was cut, and wild bytes neither stop nor swell it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.protocol.stream import FrameSplitter, Piece
from harness.tests.protocol_samples import S01, S05, S07, frames


def _chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def _pieces(chunks: list[bytes], max_length: int = 0xFFFF) -> tuple[list[Piece], bytes]:
    splitter = FrameSplitter(max_length)
    return [piece for chunk in chunks for piece in splitter.split(chunk)], splitter.rest


def test_frames_one_byte_at_a_time() -> None:
    splitter, found = FrameSplitter(), []
    stream = S01 + S05 + S07
    for index in range(len(stream)):
        found += splitter.feed(stream[index : index + 1])
    assert found == [S01, S05, S07]
    assert splitter.rest == b""
    assert splitter.start_of_rest == len(stream)


def test_the_rest_is_what_is_not_whole_yet() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(S01 + S07[:40]) == [S01]
    assert splitter.rest == S07[:40]
    assert splitter.feed(S07[40:]) == [S07]


def test_a_length_below_21_is_garbage_and_the_stream_goes_on() -> None:
    splitter = FrameSplitter()
    keep_alive, short = b"\x00\x00", b"\x00\x05hello"
    assert splitter.feed(S01 + keep_alive + short + S07) == [S01, S07]
    assert [(piece.start, piece.data) for piece in splitter.garbage] == [(len(S01), keep_alive), (len(S01) + 2, short)]
    assert "length 5, the smallest message has 21" in splitter.garbage[1].reason


def test_pieces_know_where_in_the_stream_they_were() -> None:
    pieces, rest = _pieces([S01 + b"\x00\x01x" + S07])
    assert [(piece.start, piece.end, bool(piece.reason)) for piece in pieces] == [
        (0, len(S01), False),
        (len(S01), len(S01) + 3, True),
        (len(S01) + 3, len(S01) + 3 + len(S07), False),
    ]
    assert rest == b""


def test_above_the_greatest_length_everything_is_garbage() -> None:
    splitter = FrameSplitter(max_length=2048)
    assert splitter.feed(S01 + b"GET / HTTP/1.1\r\n") == [S01]
    assert "length 18245, more than 2048" in splitter.lost
    assert splitter.feed(S01) == []
    assert splitter.rest == b""
    assert [piece.start for piece in splitter.garbage] == [len(S01), len(S01) + 16]


def test_memory_stays_bounded() -> None:
    splitter = FrameSplitter()
    for _ in range(20_000):
        splitter.feed(b"\x00\x14" + bytes(20))
    assert len(splitter.garbage) == 64
    splitter = FrameSplitter()
    for _ in range(300):
        splitter.feed(b"\xff" * 1000)
        assert len(splitter.rest) <= 0xFFFF + 2


_short = st.binary(max_size=20).map(lambda data: bytes([0, len(data)]) + data)
_stream = st.lists(frames().map(lambda frame: frame.raw) | st.binary(max_size=30) | _short).map(b"".join)


@given(_stream, st.lists(st.integers(0, 10_000), max_size=20), st.sampled_from([64, 2048, 0xFFFF]))
def test_any_cutting_gives_what_the_whole_gives(stream: bytes, cuts: list[int], max_length: int) -> None:
    whole, rest = _pieces([stream], max_length)
    cut, cut_rest = _pieces(_chunks(stream, cuts), max_length)
    assert cut_rest == rest
    assert [piece for piece in cut if not piece.reason] == [piece for piece in whole if not piece.reason]
    assert b"".join(piece.data for piece in cut) + rest == b"".join(piece.data for piece in whole) + rest == stream
    position = 0
    for piece in cut:
        assert piece.start == position
        position = piece.end


@given(st.lists(frames().map(lambda frame: frame.raw), max_size=6), st.lists(st.integers(0, 10_000), max_size=20))
def test_frames_come_out_as_they_went_in(sent: list[bytes], cuts: list[int]) -> None:
    splitter = FrameSplitter()
    assert [frame for chunk in _chunks(b"".join(sent), cuts) for frame in splitter.feed(chunk)] == sent
    assert splitter.rest == b""
    assert not splitter.garbage
