"""The site's DHCP and name server against the terminal's client and resolver, in memory: written apart, they agree."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any

import dnslib
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.emulator.firmware.app import dhcp_message, dns_message
from harness.emulator.firmware.app.dhcp_message import ACK, DISCOVER, NAK, OFFER, REQUEST
from harness.site import dhcp, names

HARDWARE = bytes.fromhex("029700000001")
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABEL, min_size=1, max_size=5).map(".".join).filter(dns_message.is_name)
ADDRESSES = st.ip_addresses(v=4)


def offer(**values: Any) -> dhcp.Offer:
    given_: dict[str, Any] = {
        "server": ipaddress.IPv4Address("10.97.0.1"), "address": ipaddress.IPv4Interface("10.97.0.2/24"),
        "router": ipaddress.IPv4Address("10.97.0.1"), "dns": (ipaddress.IPv4Address("10.97.0.1"),),
    }
    return dhcp.Offer(**(given_ | values))


def answered(kind: int, offered: dhcp.Offer, **values: Any) -> dhcp_message.Reply | None:
    """What the client reads in what the server says to its message."""
    message = dhcp.read(dhcp_message.message(kind, 0x97, HARDWARE, **values))
    assert message is not None and message.hardware == HARDWARE
    answer = dhcp.decide(message, offered)
    return None if answer is None else dhcp_message.parse(answer.data, 0x97, HARDWARE)


# -- DHCP --------------------------------------------------------------------------------------------------------------


@given(st.integers(8, 30), st.integers(1, 0xFFFFFFFE), st.data())
def test_an_offer_arrives_as_it_was_made(prefix: int, lease: int, data: st.DataObject) -> None:
    net = ipaddress.IPv4Network(f"10.97.0.0/{prefix}", strict=False)
    host = data.draw(st.integers(1, net.num_addresses - 2))
    offered = offer(address=ipaddress.IPv4Interface(f"{net[host]}/{prefix}"), lease_s=lease)
    reply = answered(DISCOVER, offered)
    assert reply is not None and reply.kind == OFFER and reply.lease is not None
    told = reply.lease
    assert (told.address, told.prefix, told.router) == (str(net[host]), prefix, "10.97.0.1")
    assert (told.dns, told.server, told.lease_s) == (("10.97.0.1",), "10.97.0.1", lease)
    assert told.renew_s == lease // 2 and told.renew_s <= told.rebind_s <= lease


def test_what_the_server_says_about_times_counts_and_for_ever_is_for_ever() -> None:
    reply = answered(DISCOVER, offer(lease_s=1000, renew_s=100, rebind_s=300))
    assert reply is not None and reply.lease is not None and reply.lease[5:] == (1000, 100, 300)
    reply = answered(DISCOVER, offer(lease_s=0xFFFFFFFF))
    assert reply is not None and reply.lease is not None and reply.lease.lease_s is None


@pytest.mark.parametrize(("values", "kind"), [
    ({"wanted": "10.97.0.2", "server": "10.97.0.1"}, ACK),  # after an offer
    ({"wanted": "10.97.0.9", "server": "10.97.0.1"}, NAK),
    ({"wanted": "10.97.0.2", "server": "10.97.0.7"}, None),  # another's offer was taken
    ({"wanted": "10.97.0.2"}, ACK),  # after the carrier was away
    ({"wanted": "192.168.1.5"}, NAK),
    ({"own": "10.97.0.2"}, ACK),  # renewing, rebinding
    ({"own": "10.97.0.9"}, NAK),
])
def test_requests(values: dict[str, str], kind: int | None) -> None:
    reply = answered(REQUEST, offer(), **values)
    assert (reply.kind if reply else None) == kind


def test_who_has_an_address_is_answered_there_and_others_by_broadcast() -> None:
    for values, to in (({"own": "10.97.0.2"}, "10.97.0.2"), ({"own": "10.97.0.9"}, "255.255.255.255"),
                       ({"wanted": "10.97.0.2"}, "255.255.255.255")):
        message = dhcp.read(dhcp_message.message(REQUEST, 1, HARDWARE, **values))  # type: ignore[arg-type]
        assert message is not None
        answer = dhcp.decide(message, offer())
        assert answer is not None and answer.to == to


@given(st.binary(max_size=700))
def test_any_bytes_are_no_message_or_one(data: bytes) -> None:
    dhcp.read(data)
    with pytest.raises(dhcp_message.NotOurs):
        dhcp_message.parse(data, 0x97, HARDWARE)


def reply_bytes() -> bytes:
    message = dhcp.read(dhcp_message.message(DISCOVER, 0x97, HARDWARE))
    assert message is not None
    answer = dhcp.decide(message, offer())
    assert answer is not None
    return answer.data


@given(st.data())
def test_a_spoilt_reply_is_none_or_still_a_sensible_lease(data: st.DataObject) -> None:
    spoilt = bytearray(reply_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    try:
        reply = dhcp_message.parse(bytes(spoilt[: data.draw(st.integers(200, 300))]), 0x97, HARDWARE)
    except dhcp_message.NotOurs:
        return
    if reply.lease is not None:
        assert 8 <= reply.lease.prefix <= 32 and reply.lease.renew_s <= reply.lease.rebind_s
        assert reply.lease.lease_s is None or reply.lease.rebind_s <= reply.lease.lease_s
        assert 0 < int(reply.lease.address.split(".")[0]) < 224


@pytest.mark.parametrize("change", [
    (0, b"\x01"), (4, b"\x00\x00\x00\x98"), (28, b"\x02\x97\x00\x00\x00\x02"), (236, b"\x00\x00\x00\x00"),
    (16, b"\x00\x00\x00\x00"), (16, b"\x7f\x00\x00\x01"), (16, b"\xe0\x00\x00\x01"),
], ids=["a request", "another transaction", "another client", "no cookie", "nowhere", "this host", "a group"])
def test_a_reply_that_is_not_for_us_or_gives_nothing(change: tuple[int, bytes]) -> None:
    at, new = change
    data = reply_bytes()
    with pytest.raises(dhcp_message.NotOurs):
        dhcp_message.parse(data[:at] + new + data[at + len(new) :], 0x97, HARDWARE)


def test_options_in_parts_and_in_the_fields_of_names() -> None:
    """RFC 3396 and option 52: the lease's time in two parts, the router in ``file``."""
    data = bytearray(reply_bytes()[:240])
    data[108:236] = b"\x03\x04\x0a\x61\x00\x07\xff".ljust(128, b"\0")
    data += bytes([53, 1, OFFER, 54, 4, 10, 97, 0, 1, 52, 1, 1, 51, 2, 0, 0, 51, 2, 14, 16, 255])
    lease = dhcp_message.parse(bytes(data), 0x97, HARDWARE).lease
    assert lease is not None and (lease.lease_s, lease.router) == (3600, "10.97.0.7")


@given(st.binary(max_size=600), st.integers(0, 0xFFFF))
def test_a_packet_unwraps_to_what_was_in_it(data: bytes, number: int) -> None:
    packet = dhcp_message.broadcast(data, number)
    assert dhcp_message.checksum(packet[:20]) == 0
    back = bytearray(packet)
    back[20:24] = struct.pack(">HH", 67, 68)  # as a server would send it; the sum over both ports stays
    assert dhcp_message.unwrap(bytes(back), checked=True) == data
    with pytest.raises(dhcp_message.NotOurs):
        dhcp_message.unwrap(packet, checked=True)  # to the server's port
    if data:
        back[-1] ^= 1
        with pytest.raises(dhcp_message.NotOurs):
            dhcp_message.unwrap(bytes(back), checked=True)
        assert dhcp_message.unwrap(bytes(back), checked=False) != data


@given(st.binary(max_size=100))
def test_any_packet(data: bytes) -> None:
    with pytest.raises(dhcp_message.NotOurs):
        dhcp_message.unwrap(data, checked=True)


# -- names -------------------------------------------------------------------------------------------------------------


@given(NAMES, ADDRESSES, st.integers(0, 0x7FFFFFFF), st.integers(0, 0xFFFF))
def test_a_name_that_is_known(name: str, address: ipaddress.IPv4Address, ttl: int, number: int) -> None:
    reply = names.answer(dns_message.question(number, name), {name: str(address)}, ttl)
    assert reply is not None and (reply.name, reply.says) == (name, str(address))
    assert dns_message.parse(reply.data, number, name.upper()) == ((str(address),), ttl)


def test_a_name_that_is_not_known() -> None:
    reply = names.answer(dns_message.question(7, "elsewhere.hil97.test"), {}, 60)
    assert reply is not None and reply.says == "no such name"
    assert dns_message.parse(reply.data, 7, "elsewhere.hil97.test") == ((), names.NO_S)


@pytest.mark.parametrize("code", [1, 2, 4, 5])
def test_a_server_that_can_not_tell(code: int) -> None:
    reply = dnslib.DNSRecord.parse(dns_message.question(7, "a.test")).reply()
    reply.header.rcode = code
    with pytest.raises(dns_message.Unable):
        dns_message.parse(reply.pack(), 7, "a.test")


def record(*lines: str, name: str = "a.test", truncated: bool = False) -> bytes:
    made = dnslib.DNSRecord.parse(dns_message.question(7, name)).reply()
    made.header.tc = truncated
    for line in lines:
        made.add_answer(*dnslib.RR.fromZone(line))
    return bytes(made.pack())


def test_aliases_are_followed_and_what_belongs_to_others_is_left_out() -> None:
    data = record("a.test 300 CNAME b.test", "b.test 20 CNAME c.test", "c.test 100 A 10.0.0.3", "c.test 90 A 10.0.0.4",
                  "evil.test 5 A 10.6.6.6")
    assert dns_message.parse(data, 7, "a.test") == (("10.0.0.3", "10.0.0.4"), 20)
    assert dns_message.parse(record("evil.test 5 A 10.6.6.6"), 7, "a.test").addresses == ()


def test_aliases_that_go_round_end() -> None:
    data = record("a.test 300 CNAME b.test", "b.test 20 CNAME a.test")
    assert dns_message.parse(data, 7, "a.test").addresses == ()


def test_an_answer_that_was_cut_short_counts_only_with_an_address() -> None:
    assert dns_message.parse(record("a.test 9 A 10.0.0.3", truncated=True), 7, "a.test").addresses == ("10.0.0.3",)
    with pytest.raises(dns_message.Unable):
        dns_message.parse(record(truncated=True), 7, "a.test")


@pytest.mark.parametrize(("number", "name"), [(8, "a.test"), (7, "b.test"), (7, "a.test.b")])
def test_the_answer_to_another_question(number: int, name: str) -> None:
    with pytest.raises(dns_message.NotOurs):
        dns_message.parse(record("a.test 9 A 10.0.0.3"), number, name)


def test_our_own_question_is_no_answer() -> None:
    with pytest.raises(dns_message.NotOurs):
        dns_message.parse(dns_message.question(7, "a.test"), 7, "a.test")


@pytest.mark.parametrize("pointer", [b"\xc0\x0c", b"\xc0\x10", b"\xc0\xff", b"\xff\xff", b"\x40\x01", b"\x80\x01"])
def test_pointers_that_lead_nowhere_or_round(pointer: bytes) -> None:
    header = struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0)
    with pytest.raises(dns_message.NotOurs):
        dns_message.parse(header + pointer + b"\0\1\0\1", 7, "a.test")


@given(st.binary(max_size=300))
def test_any_bytes_as_an_answer(data: bytes) -> None:
    with pytest.raises((dns_message.NotOurs, dns_message.Unable)):
        dns_message.parse(data, 7, "a.test")
    names.answer(data, {"a.test": "10.0.0.1"}, 60)


@given(st.data())
def test_a_spoilt_answer_never_brings_another_names_address(data: st.DataObject) -> None:
    good = record("a.test 300 CNAME b.test", "b.test 20 A 10.0.0.3")
    spoilt = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    assume(spoilt[2:4] == good[2:4])
    try:
        answer = dns_message.parse(bytes(spoilt), 7, "a.test")
    except (dns_message.NotOurs, dns_message.Unable):
        return
    assert len(answer.addresses) <= dns_message.MOST_ADDRESSES and 0 <= answer.ttl <= 0xFFFFFFFF


@pytest.mark.parametrize("text", [
    "", ".", "a..b", "-a", "a-", "a b", "1.2.3.4", "999.1.1.1", "a" * 64, "a." * 127 + "ab", "ü.test", "a_b",
    "a.5",
])
def test_what_is_no_name_of_a_host(text: str) -> None:
    assert not dns_message.is_name(text)


@pytest.mark.parametrize("text", ["host", "acquirer.hil97.test", "A-1.b2", "1host", "a" * 63])
def test_names_of_hosts(text: str) -> None:
    assert dns_message.is_name(text)
