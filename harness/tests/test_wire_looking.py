"""Packets counted from a capture: of hand-made ones, of wild bytes, and of a real terminal's on a real wire."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.looking import Mark, Passed, mark, passed
from harness.wire.pcapng import INBOUND, OUTBOUND, PcapngWriter

CARD, OTHER = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
HERE, HOST = "10.97.0.2", "10.97.0.1"


def address(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


def arp(operation: int, sender: str, target: str) -> bytes:
    head = OTHER + CARD + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation)
    return head + CARD + address(sender) + bytes(6) + address(target)


def ip(protocol: int, source: str, destination: str, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    return OTHER + CARD + b"\x08\x00" + head + address(source) + address(destination) + payload


def udp(source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    head = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0)
    return ip(17, source[0], destination[0], head + payload)


def tcp(source: tuple[str, int], destination: tuple[str, int], flags: int, seq: int = 0, data: bytes = b"") -> bytes:
    head = struct.pack("!HHIIBBHHH", source[1], destination[1], seq, 0, 0x50, flags, 1000, 0, 0)
    return ip(6, source[0], destination[0], head + data)


def dns(code: int = 0, answers: int = 0, name: str = "acquirer.test") -> bytes:
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    return struct.pack("!HBBHHHH", 7, 1, code, 1, answers, 0, 0) + labels + b"\0\0\1\0\1"


def dhcp(kind: int) -> bytes:
    return bytes(236) + b"\x63\x82\x53\x63" + bytes([0, 12, 1, 65, 53, 1, kind, 255])


def look(path: Path, *packets: tuple[int, bytes], gap_ms: int = 1) -> Passed:
    writer = PcapngWriter(path, "t0", application="test", comment="odd")
    for number, (direction, frame) in enumerate(packets):
        writer.write(frame, wall_ns=10**18 + number * gap_ms * 10**6, direction=direction)
    writer.close()
    return passed(path, Mark())


OUT, IN = INBOUND, OUTBOUND  # of the terminal; the tap names them as its port sees them
ME, THEM = (HERE, 40000), (HOST, 8583)
SYN, ACK, RST, PSH = 2, 16, 4, 8


def test_who_is_asked_for_and_does_not_answer(tmp_path: Path) -> None:
    found = look(
        tmp_path / "a", (OUT, arp(1, HERE, HOST)), (IN, arp(2, HOST, HERE)), (OUT, arp(1, HERE, "10.97.0.77")),
        (OUT, arp(1, HERE, "10.97.0.77")), (OUT, arp(1, HERE, HERE)),
    )  # fmt: skip
    assert found.asked_for == ["10.97.0.77"]
    assert (found.counts["arp_asked"], found.counts["arp_answered"], found.counts["packets"]) == (3, 1, 4)
    assert (found.first, found.last) == (1, 5)


def test_names(tmp_path: Path) -> None:
    out, back = ((HERE, 5000), (HOST, 53)), ((HOST, 53), (HERE, 5000))
    for reply, count in (
        (dns(0, 1), "dns_answered"), (dns(0, 0), "dns_unknown"), (dns(3), "dns_unknown"), (dns(2), "dns_failed"),
    ):
        found = look(tmp_path / "n", (OUT, udp(*out, dns())), (IN, udp(*back, reply)))
        assert found.counts[count] == 1 and found.names == ["acquirer.test"]


def test_leases(tmp_path: Path) -> None:
    client, server = ("0.0.0.0", 68), ("255.255.255.255", 67)
    kinds = {1: "dhcp_asked", 3: "dhcp_asked", 2: "dhcp_offered", 5: "dhcp_granted", 6: "dhcp_refused"}
    for kind, name in kinds.items():
        way = (client, server) if name == "dhcp_asked" else ((HOST, 67), (HERE, 68))
        assert look(tmp_path / "d", (OUT, udp(*way, dhcp(kind)))).counts[name] == 1


def test_connections_that_are_made_refused_and_left_alone(tmp_path: Path) -> None:
    opening = (OUT, tcp(ME, THEM, SYN))
    made = look(tmp_path / "c", opening, (IN, tcp(THEM, ME, SYN | ACK)), gap_ms=700)
    assert made.counts["syn_answered"] == 1 and made.slowest_ms == 700 and made.peers == [f"{HOST}:8583"]
    refused = look(tmp_path / "c", opening, (IN, tcp(THEM, ME, RST | ACK)))
    assert refused.counts["syn_refused"] == 1 and not refused.counts["reset_by_host"]
    later = look(tmp_path / "c", opening, (IN, tcp(THEM, ME, SYN | ACK)), (IN, tcp(THEM, ME, RST)))
    assert later.counts["reset_by_host"] == 1 and not later.counts["syn_refused"]
    nobody = look(tmp_path / "c", opening, opening)
    assert nobody.counts["syn"] == 2 and not nobody.counts["syn_answered"]
    router = look(tmp_path / "c", opening, (IN, ip(1, HOST, HERE, bytes([3, 1]) + bytes(30))))
    assert router.counts["icmp_refused"] == 1


def test_what_is_sent_again(tmp_path: Path) -> None:
    said = (OUT, tcp(ME, THEM, PSH | ACK, 100, b"hello"))
    found = look(
        tmp_path / "s", said, said, (OUT, tcp(ME, THEM, PSH | ACK, 105, b"more")), (IN, tcp(THEM, ME, ACK)),
        (IN, tcp(THEM, ME, PSH | ACK, 1, b"yes")),
    )  # fmt: skip
    counts = found.counts
    assert (counts["sent"], counts["sent_again"], counts["acknowledged"], counts["got"]) == (2, 1, 1, 1)


def test_only_what_came_since(tmp_path: Path) -> None:
    path = tmp_path / "since"
    writer = PcapngWriter(path, "t0", application="test")
    writer.write(arp(1, HERE, HOST), wall_ns=1, direction=OUT)
    before = mark(path)
    writer.write(arp(1, HERE, "10.97.0.9"), wall_ns=2, direction=OUT)
    whole = path.read_bytes()
    path.write_bytes(whole[:-6])  # the tap is writing just now
    assert passed(path, before).asked_for == [] and before.packets == 1
    path.write_bytes(whole)
    found = passed(path, before)
    assert (found.first, found.last, found.asked_for) == (2, 2, ["10.97.0.9"])
    writer.close()


@given(st.lists(st.tuples(st.sampled_from([OUT, IN]), st.binary(max_size=90)), max_size=6), st.binary(max_size=40))
def test_wild_packets_are_counted_and_no_more(packets: list[tuple[int, bytes]], tail: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "wild")
        found = look(path, *packets)
        assert found.counts["packets"] == sum(direction == OUT for direction, _ in packets)
        path.write_bytes(path.read_bytes() + tail)
        assert passed(path, Mark()).last >= 0


TYPES = st.sampled_from([b"\x08\x00\x45", b"\x08\x06\x00", b"\x08\x00\x4f"])


@given(TYPES, st.binary(min_size=20, max_size=120))
@pytest.mark.parametrize("protocol", [1, 6, 17])
def test_packets_cut_short_anywhere(protocol: int, kind: bytes, rest: bytes) -> None:
    import tempfile

    frame = OTHER + CARD + kind + rest[:8] + bytes([protocol]) + rest[8:]
    with tempfile.TemporaryDirectory() as folder:
        for direction in (OUT, IN):
            look(Path(folder, "x"), (direction, frame))
