# SPDX-License-Identifier: GPL-2.0-only
"""The splicer's parts by themselves: offsets, headers, keys of sessions, HTTP and TLS cut anywhere, refusals, plans."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from harness.acquirer.certificates import make
from harness.errors import BadInput
from harness.protocol import frames, keys
from harness.tests.links_helpers import TlsTalk
from harness.tests.splicer_sockets import message
from harness.wire import faults
from harness.wire.faults import catalogue
from harness.wire.faults.base import Side
from harness.wire.injector.dice import dice
from harness.wire.injector.splicer import TcpSplicer
from harness.wire.injector.splicer.assembly import Assembly
from harness.wire.injector.splicer.deeds import deed, names
from harness.wire.injector.splicer.edits import Edits
from harness.wire.injector.splicer.links import assemblies
from harness.wire.injector.splicer.plan import Message, Plan
from harness.wire.injector.splicer.segments import build, has_true_checksums, header, renumbered
from harness.wire.injector.splicer.session_keys import SessionKeys, read_masters
from harness.wire.layers import TO_ACQUIRER
from harness.wire.packets import parse


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 5)), max_size=6))
def test_offsets_are_those_of_a_plain_model(made: list[tuple[int, int, int]]) -> None:
    """The model: for each original byte, which delivered bytes stand for it."""
    edits, at = Edits(), 0
    delivered: list[int | None] = []  # by delivered byte: the original one, None where it is ours
    regions: list[tuple[int, int, int, int]] = []
    for gap, length, size in made:
        delivered += range(at, at + gap)
        at += gap
        if length or size:
            regions.append((at, at + length, len(delivered), len(delivered) + size))
            edits.add(at, length, size)
        delivered += [None] * size
        at += length
    delivered += range(at, at + 10)
    for place, original in enumerate(delivered):
        if original is not None:
            assert edits.place(original) == place
            assert edits.end_place(original + 1) == place + 1
            assert edits.origin(place + 1) >= original + 1
    for start, end, first, last in regions:
        for partial in range(first + 1, last):
            assert edits.origin(partial) == start, "a part of what replaces something is nothing of it"
        assert edits.origin(last) >= end
        assert start == end or not edits.untouched(start, end)
    known = [edits.origin(place) for place in range(len(delivered) + 1)]
    assert known == sorted(known), "more was acknowledged, and less told"
    places = [edits.place(original) for original in range(at + 10)]
    assert places == sorted(places)
    for upto in range(len(delivered) + 1):
        edits.forget(upto)
        assert edits.place(at + 5) == len(delivered) - 5
        assert edits.origin(len(delivered)) == at + 10


def segment(payload: bytes = b"abc", options: list[Any] | None = None, vlan: bool = False) -> bytes:
    below = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    if vlan:
        below /= Dot1Q(vlan=97)
    packet = below / IP(src="10.97.0.2", dst="10.97.0.1") / TCP(
        sport=40000, dport=8583, seq=1000, ack=2000, flags="PA", window=500,
        options=options if options is not None else [("NOP", None), ("NOP", None), ("Timestamp", (7, 8))],
    )
    return bytes(packet / Raw(payload))


@given(st.binary(max_size=40), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.booleans())
def test_new_numbers_have_a_true_checksum_and_touch_nothing_else(
    payload: bytes, seq: int, ack: int, vlan: bool
) -> None:
    blocks = [("SAck", (100, 200, 300, 400)), ("NOP", None), ("NOP", None), ("Timestamp", (7, 8))]
    for options in (None, [], blocks):
        frame = segment(payload, options, vlan)
        head = header(frame)
        moved = renumbered(
            frame, head.layout, seq=seq, ack=ack, window=9, stamp=99,
            blocks=lambda left, right: (left + 5, right + 5) if left == 300 else None,
        )
        assert has_true_checksums(moved)
        parsed = Ether(moved)
        assert (parsed[TCP].seq, parsed[TCP].ack, parsed[TCP].window) == (seq, ack, 9)
        if options is blocks:
            assert dict(option for option in parsed[TCP].options if option[1]) == {
                "SAck": (305, 405), "Timestamp": (99, 8)
            }
        told = parse(moved, t=0, packet=0)
        assert told is not None and told.payload == payload
    assert renumbered(frame, head.layout, seq=1000, ack=2000) is frame, "with the same numbers it is the same packet"


def test_a_segment_of_our_own_looks_like_its_senders() -> None:
    made = Ether(build(segment(vlan=True), seq=5, ack=6, flags="PA", window=7, stamp=(1, 2), payload=b"hello"))
    assert (made.src, made[Dot1Q].vlan, made[IP].src, made[TCP].dport) == ("02:00:00:00:00:02", 97, "10.97.0.2", 8583)
    assert bytes(made[TCP].payload) == b"hello" and has_true_checksums(bytes(made))
    assert ("Timestamp", (1, 2)) in made[TCP].options


TMK, MAK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("1122334455667788")


def sign_in(mak: bytes = MAK) -> frames.Frame:
    f62 = keys.make_f62(TMK, "003", bytes(range(16)), mak)
    return frames.build("0810", {
        11: "000001", 39: "00", 41: "12345678", 42: "123456789012345", 60: "00000001003", 62: f62.hex().upper(),
    })


def test_the_key_of_a_session_is_learned_from_its_sign_in_before_or_after_the_master_key() -> None:
    request = keys.seal(frames.decode(message("0200", 1)), MAK)
    plain = request.but({64: None, 4: "000000009700"})
    masters = [{"tid": "12345678", "mid": "123456789012345", "tmk": TMK.hex()}]
    for first in (True, False):
        session = SessionKeys()
        with pytest.raises(BadInput, match="master key is not known"):
            session.seal(plain, like=request)
        if first:
            session.learn(sign_in().raw)
        session.give(read_masters(masters))
        if not first:
            with pytest.raises(BadInput, match="no sign-in of it has passed"):
                session.seal(plain, like=request)
            session.learn(sign_in().raw)
        assert keys.verify(session.seal(plain, like=request), MAK) == "ok"


def test_a_key_under_which_the_message_itself_is_wrong_is_not_used() -> None:
    session, other = SessionKeys(), bytes.fromhex("8877665544332211")
    session.give(read_masters([{
        "tid": "12345678", "mid": "123456789012345", "tmk": TMK.hex(), "sign_in": sign_in().raw.hex(),
    }]))
    strange = keys.seal(frames.decode(message("0200", 1)), other)
    with pytest.raises(BadInput, match="not right under the keys"):
        session.seal(strange, like=strange)
    session.learn(sign_in(other).raw)
    assert keys.verify(session.seal(strange, like=strange), other) == "ok"
    older = keys.seal(frames.decode(message("0200", 2)), MAK)
    assert keys.verify(session.seal(older, like=older), MAK) == "ok", "the session before is not forgotten at once"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"tmk": "xy"}, {"tmk": "00"}, {"tmk": "00" * 16, "sign_in": "0"}, {"tmk": "00" * 16, "tid": ["1"]}],
)
def test_wrong_master_keys_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read_masters([{"tid": "1", "mid": "2"} | wrong])


def found(assembly: Assembly, sender: Side, stream: bytes, cuts: list[int]) -> list[tuple[int, int, bytes]]:
    """The units of a stream that comes in these pieces."""
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    units = []
    for start, end in pairwise(edges):
        units += assembly.feed(sender, stream[start:end], 0) if end > start else []
    assert [one.start for one in units] == [0, *(one.end for one in units)][: len(units)], "without gaps"
    return [(one.start, one.end, one.frame) for one in units]


def post(body: bytes, kind: bytes = b"x-ISO-TPDU/x-auth", extra: bytes = b"") -> bytes:
    head = b"POST /x HTTP/1.1\r\nHost: a\r\n" + extra + b"content-type: " + kind
    return head + b"\r\nCONTENT-length: %d\r\n\r\n" % len(body) + body


@given(st.lists(st.integers(0, 5000), max_size=20))
def test_messages_in_http_are_found_however_they_are_cut(cuts: list[int]) -> None:
    frame, other = message("0200", 1), message("0200", 2, 300)
    stream = post(frame) + post(b"no message") + post(frame, b"text/html") + post(other, extra=b"X: y\r\n")
    units = found(assemblies("http", None)(True), "terminal", stream, cuts)
    assert [one[2] for one in units] == [frame, b"", b"", other]
    assert units[-1][1] == len(stream)


def test_a_head_gets_the_length_of_its_new_body() -> None:
    assembly = assemblies("http", None)(True)
    raw = post(message("0200", 1))
    (unit,) = assembly.feed("terminal", raw, 0)
    told = assembly.message(unit, raw)
    assert told.wrap(b"x" * 7) == post(b"x" * 7)
    assert told.answer(b"yes").startswith(b"HTTP/1.1 200 OK\r\n") and told.answer(b"yes").endswith(b": 3\r\n\r\nyes")


@given(st.lists(st.integers(0, 5000), max_size=20), st.integers(1, 40))
def test_messages_are_found_again_after_bytes_that_were_missed(cuts: list[int], missed: int) -> None:
    assembly = assemblies("tcp", None)(True)
    frame = message("0200", 1)
    assembly.feed("terminal", frame[:10], 0)
    assembly.lost("terminal", 1000)
    assert all(not unit.frame for unit in assembly.feed("terminal", frame[-missed:], 0))
    (unit,) = assembly.feed("terminal", frame, 0)
    assert (unit.start, unit.end, unit.frame) == (1000 + missed, 1000 + missed + len(frame), frame)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ssl.TLSVersion], tuple[TlsTalk, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    make(folder)

    def speak(version: ssl.TLSVersion) -> tuple[TlsTalk, Path]:
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        server.load_cert_chain(folder / "server.pem", folder / "server.key")
        server.keylog_filename = str(folder / "keys")
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.minimum_version = client.maximum_version = version
        client.set_ciphers("ECDHE+AESGCM")
        return TlsTalk(client, server).shake_hands(), folder / "keys"

    return speak


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_records_are_told_by_what_is_in_them_however_they_are_cut(
    talk: Callable[[ssl.TLSVersion], tuple[TlsTalk, Path]], version: ssl.TLSVersion
) -> None:
    """A message in one record, one over two, two in one; handshake and tickets are units without a message."""
    spoken, log = talk(version)
    first, second, third, fourth = (message("0200", number) for number in range(1, 5))
    for part in (first, second[:20], second[20:], third + fourth):
        spoken.say(TO_ACQUIRER, part)
    for seed in range(20):
        random_ = random.Random(seed)
        assembly = assemblies("tls", log)(True)
        units = []
        for direction, data in spoken.bytes:
            sender: Side = "terminal" if direction == TO_ACQUIRER else "acquirer"
            while data:
                size = random_.choice([1, 5, 40, len(data)])
                units += assembly.feed(sender, data[:size], 0)
                data = data[size:]
        told = [unit for unit in units if unit.frame]
        assert [(unit.frame, unit.also) for unit in told] == [
            (first, ()), (second, ()), (third, (fourth,)),
        ]
        assert all(unit.head is None for unit in told)
        for side in ("terminal", "acquirer"):
            own = [unit for unit in units if unit.sender == side]
            assert [one.start for one in own] == [0, *(one.end for one in own)][: len(own)]


def test_every_message_fault_has_a_deed_and_no_other() -> None:
    assert names() == {name for name, kind in catalogue().items() if kind.level == "message"}
    for name in names():
        values: dict[str, Any] = {"fault": name, "match": {"moment": "0200"}}
        values |= {"hex": "00"} if name in ("replace", "replay") else {}
        values |= {"mac": "strip"} if name == "rewrite" else {}
        fault = faults.read(values)
        raw = keys.seal(frames.decode(message("0200", 1)), MAK).raw
        same: Callable[[bytes], bytes] = bytes
        plan = Plan(Message("terminal", raw, raw, 0, same, same), raw)
        what, _ = deed(fault).strike(fault, plan, SessionKeys(), 1)
        assert what


@pytest.mark.parametrize(("link", "values", "why"), [
    ("tcp", {"fault": "delay"}, "acts on packets"),
    ("tcp", {"fault": "rst"}, "without a message"),
    ("tcp", {"fault": "rewrite", "fields": {39: "97"}, "mac": "recompute"}, "no master key"),
    ("tcp", {"fault": "swallow", "match": {"moment": "0210", "direction": "to_acquirer"}}, "goes to_terminal"),
    ("tcp", {"fault": "forge", "match": {"moment": "0210"}}, "no request"),
    ("tls", {"fault": "replace", "hex": "00"}, "nobody on the wire can write into a TLS session"),
    ("https", {"fault": "forge"}, "misbehaviour"),
])
def test_what_cannot_be_done_is_refused_with_the_reason(link: str, values: dict[str, Any], why: str) -> None:
    fault = faults.read(values)
    with pytest.raises(BadInput, match=why):
        TcpSplicer(link).arm(1, fault, dice(fault))
