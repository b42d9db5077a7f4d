# SPDX-License-Identifier: GPL-2.0-only
"""Rules: they mean what the kernel's u32, nftables' expressions and our own bytes say, and there are no more of them
than needed."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from harness.wire.faults.base import Side
from harness.wire.injector import divert_netlink, netlink
from harness.wire.injector.divert import Kind, Rule, rules, without_repeats
from harness.wire.injector.divert_nft import _expression
from harness.wire.injector.reading import compiled, end, payload, protocol, tcp_flags
from harness.wire.injector.tests.packets import arp, tcp, udp
from harness.wire.packets import parse

SIDES: tuple[Side, Side] = ("terminal", "acquirer")
KINDS: tuple[Kind, ...] = ("all", "arp", "ip", "tcp", "udp")
FRAMES = [
    (came, frame)
    for came in SIDES
    for frame in (tcp(came, b"0200"), tcp(came, flags="S"), udp(came), udp(came, port=67), arp(came, 1), arp(came, 2))
]

a_rule = st.builds(
    Rule, st.sampled_from(SIDES), st.sampled_from(KINDS), st.sampled_from([None, "10.97.0.1", "10.97.0.3"]),
    st.sampled_from([None, 53, 8583]),
).filter(lambda rule: rule.kind in ("tcp", "udp") or rule.port is None).filter(
    lambda rule: rule.kind != "all" or rule.address is None
)


def u32_fits(rule: Rule, frame: bytes) -> bool:
    """What the kernel's classifier does with our keys."""
    wanted = {"all": None, "arp": b"\x08\x06"}.get(rule.kind, b"\x08\x00")
    if wanted is not None and frame[12:14] != wanted:
        return False
    behind = frame[14:] + bytes(64)
    return all(
        int.from_bytes(behind[at : at + 4], "big") & mask == value & mask
        for at, mask, value in divert_netlink._keys(rule)
    )


@given(a_rule)
def test_the_kernel_and_we_read_a_rule_alike(rule: Rule) -> None:
    for came, frame in FRAMES:
        assert compiled(rule)(frame, came) == (came == rule.came and u32_fits(rule, frame))


@given(a_rule, a_rule)
def test_a_rule_that_covers_another_fits_whatever_it_fits(one: Rule, other: Rule) -> None:
    if one.covers(other):
        assert all(compiled(one)(frame, came) for came, frame in FRAMES if compiled(other)(frame, came))


@given(st.lists(a_rule, max_size=8))
def test_without_repeats_nothing_is_missing_and_nothing_said_twice(wanted: list[Rule]) -> None:
    kept = without_repeats(wanted)
    assert kept <= set(wanted)
    assert all(any(rule.covers(one) for rule in kept) for one in wanted)
    assert not any(one is not other and one.covers(other) for one in kept for other in kept)


def test_wishes_become_rules() -> None:
    assert rules("both", "ip") == {Rule("terminal", "ip"), Rule("acquirer", "ip")}
    assert rules("to_terminal", "ip", None, 53) == {
        Rule("acquirer", "tcp", None, 53), Rule("acquirer", "udp", None, 53),
    }
    assert rules("to_acquirer", "all", "10.97.0.1") == {
        Rule("terminal", "ip", "10.97.0.1"), Rule("terminal", "arp", "10.97.0.1"),
    }


def test_expressions_of_nft() -> None:
    assert _expression(Rule("terminal")) == ""
    assert _expression(Rule("acquirer", "arp", "10.97.0.1")) == "ether type arp arp saddr ip 10.97.0.1"
    assert _expression(Rule("terminal", "tcp", "10.97.0.1", 8583)) == (
        "ether type ip ip daddr 10.97.0.1 ip protocol tcp "
        "ip hdrlength 5 ip frag-off & 0x1fff == 0 tcp dport 8583"
    )


@given(st.integers(0, 60), st.binary(min_size=1, max_size=8), st.binary(min_size=80, max_size=80))
def test_keys_compare_the_bytes_that_are_meant(at: int, value: bytes, data: bytes) -> None:
    def fits(bytes_: bytes) -> bool:
        return all(
            int.from_bytes(bytes_[place : place + 4], "big") & mask == wanted & mask
            for place, mask, wanted in netlink.keys_of(at, value)
        )

    assert fits(data) == (data[at : at + len(value)] == value)
    assert fits(data[:at] + value + data[at + len(value) :])


@given(st.binary(max_size=120))
def test_any_bytes_can_be_read(frame: bytes) -> None:
    protocol(frame), tcp_flags(frame)
    if protocol(frame) >= 0:
        assert payload(frame) >= 34
        assert end(frame) <= len(frame)
    for came in SIDES:
        for rule in (Rule(came), Rule(came, "arp", "10.97.0.1"), Rule(came, "tcp", "10.97.0.1", 1)):
            compiled(rule)(frame, came)


@given(
    st.sampled_from(SIDES), st.binary(max_size=64), st.integers(0, 2**32 - 1), st.sampled_from(["S", "SA", "FA", "R"])
)
def test_what_is_read_from_bytes_is_what_the_parser_reads(came: Side, data: bytes, seq: int, flags: str) -> None:
    frame = tcp(came, data, seq=seq, flags=flags)
    segment = parse(frame, t=0, packet=0)
    assert segment is not None
    assert tcp_flags(frame) == segment.flags
    assert frame[payload(frame) : end(frame)] == segment.payload == data


def test_addresses_are_bytes() -> None:
    assert ipaddress.IPv4Address("10.97.0.1").packed == tcp("acquirer")[26:30]
