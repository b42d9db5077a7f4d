"""Every misbehaviour, met by a terminal over TCP at the acquirer's own process; and wrong rules refused."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.acquirer.misbehaviour import ACTIONS, Misbehaviour, Rule, parse_rule
from harness.errors import BadInput, BenchError
from harness.protocol import keys
from harness.protocol.codes import answers
from harness.protocol.frames import Frame, decode
from harness.protocol.nested import BatchRecord, Totals, settlement_totals
from harness.tests.acquirer_terminal import MID, PAN, Pos, Process, await_row, profile, running

DELAY_S = 0.3


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("acquirer")) as process:
        yield process


@pytest.fixture
def acquirer(shared: Process) -> Iterator[Process]:
    shared.client.clear_misbehaviour()
    yield shared


def rows_of(acquirer: Process, rule_id: int) -> list[tuple[str, str]]:
    acquirer.client.sync()
    return [(row["direction"], row["note"]) for row in acquirer.rows if row["rule_id"] == rule_id]


def booked(acquirer: Process, pos: Pos) -> list[tuple[int, str]]:
    return [(entry.amount, entry.state) for entry in acquirer.client.ledger(MID, pos.tid)]


def sale_in(acquirer: Process, pos: Pos) -> tuple[Frame, bytes | None]:
    """A sale on a connection of its own: the request, and the answer's bytes if one came in time."""
    request = pos.request("0200", pos.sale_fields(100), sealed=True)
    with acquirer.line() as line:
        line.socket.sendall(request.raw)
        try:
            return request, line.read(DELAY_S)
        except TimeoutError:
            return request, None


# -- answer ------------------------------------------------------------------------------------------------------------


def test_answer_instead_of_deciding(acquirer: Process) -> None:
    pos = acquirer.terminal()
    rule_id = acquirer.client.misbehave({"mti": "0200", "count": 2, "action": "answer", "code": "97"})
    for _ in range(2):
        request = pos.request("0200", pos.sale_fields(100), sealed=True)
        answer = decode(pos.exchange(request.raw) or b"")
        assert answer.get(39) == "97" and answers(request, answer) == [] and keys.verify(answer, pos.mak) == "ok"
    assert pos.sale(100).get(39) == "00"
    assert booked(acquirer, pos) == [(100, "approved")]
    assert [direction for direction, _ in rows_of(acquirer, rule_id)] == ["in", "out"] * 2


@pytest.mark.parametrize("with_mac", [True, False])
def test_answer_with_and_without_mac(acquirer: Process, with_mac: bool) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "answer", "code": "91", "with_mac": with_mac})
    answer = pos.sale(100)
    assert (answer.get(39), keys.verify(answer, pos.mak)) == ("91", "ok" if with_mac else "absent")


def test_answer_with_fields_and_a_processing_request(acquirer: Process) -> None:
    pos = acquirer.terminal()
    text = "终端未登记".encode("gbk") * 20
    acquirer.client.misbehave(
        {"mti": "0200", "action": "answer", "code": "97", "f62": "00ff", "f63": text.hex(), "header_request": "3"}
    )
    answer = pos.sale(100)
    assert answer.binary(62) == b"\x00\xff" and answer.text(63) == text.decode("gbk")
    assert answer.processing_request == "3" and keys.verify(answer, pos.mak) == "ok"


def test_a_declined_sign_in_with_keys_that_fit_and_that_nobody_uses(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0800", "action": "answer", "code": "97", "f62": "keys"})
    answer = pos.ask("0800", pos.sign_in_fields())
    offered = keys.working_keys(answer.binary(62), "003", pos.tmk)
    assert answer.get(39) == "97" and offered.ok and offered.mak != pos.mak
    assert pos.sale(100).get(39) == "00"  # the old keys are still the host's
    pos.mak = offered.mak
    assert pos.sale(100).get(39) == "A0"


def test_a_decline_on_demand_leaves_nothing_to_reverse(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "answer", "code": "97"})
    trace = pos.sale(100).get(11)
    assert pos.reverse(trace, 100).get(39) == "00"
    assert booked(acquirer, pos) == []


# -- late, never, drop, close ------------------------------------------------------------------------------------------


def test_late_on_a_connection_that_waits(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "late", "delay_s": DELAY_S})
    began = time.monotonic()
    assert pos.sale(100).get(39) == "00"
    assert DELAY_S <= time.monotonic() - began < DELAY_S + 5
    assert booked(acquirer, pos) == [(100, "approved")]


def test_late_is_booked_at_once_and_may_be_overtaken(acquirer: Process) -> None:
    pos = acquirer.terminal()
    rule_id = acquirer.client.misbehave({"mti": "0200", "action": "late", "delay_s": DELAY_S})
    request = pos.request("0200", pos.sale_fields(100), sealed=True)
    with acquirer.line() as line:
        line.socket.sendall(request.raw)
        await_row(acquirer, lambda row: row["rule_id"] == rule_id)
        assert booked(acquirer, pos) == [(100, "approved")]
        pos.exchange = line
        assert pos.echo().get(39) == "00"
        late = line.read()
    assert late is not None and answers(request, decode(late)) == []
    (came, first), (sent, second) = rows_of(acquirer, rule_id)
    assert (came, sent) == ("in", "out") and "held back for 0.3 s" in first and "0.3 s late" in second


def test_late_with_a_code_is_not_booked(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "late", "delay_s": DELAY_S, "code": "97"})
    assert pos.sale(100).get(39) == "97"
    assert booked(acquirer, pos) == []


def test_late_for_a_terminal_that_went_away_is_withheld(acquirer: Process) -> None:
    pos = acquirer.terminal()
    rule_id = acquirer.client.misbehave({"mti": "0200", "action": "late", "delay_s": 30})
    with acquirer.line() as line:
        line.socket.sendall(pos.request("0200", pos.sale_fields(100), sealed=True).raw)
        await_row(acquirer, lambda row: row["rule_id"] == rule_id)
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
    row = await_row(acquirer, lambda row: row["rule_id"] == rule_id and row["direction"] != "in")
    assert row["direction"] == "withheld" and "gone" in row["note"]


def test_late_for_a_terminal_that_closed_its_side_is_still_sent(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "late", "delay_s": DELAY_S})
    with acquirer.line() as line:
        line.socket.sendall(pos.request("0200", pos.sale_fields(100), sealed=True).raw)
        line.socket.shutdown(socket.SHUT_WR)
        answer = line.read()
        assert answer is not None and decode(answer).get(39) == "00"
        assert line.read() is None


def test_never_is_booked_and_journalled_as_withheld(acquirer: Process) -> None:
    pos = acquirer.terminal()
    rule_id = acquirer.client.misbehave({"mti": "0200", "action": "never"})
    request, answer = sale_in(acquirer, pos)
    assert answer is None
    assert booked(acquirer, pos) == [(100, "approved")]
    assert [d for d, _ in rows_of(acquirer, rule_id)] == ["in", "withheld"]
    withheld = next(row for row in acquirer.rows if row["rule_id"] == rule_id and row["direction"] == "withheld")
    assert answers(request, decode(bytes.fromhex(withheld["hex"]))) == []
    assert pos.reverse(request.get(11), 100).get(39) == "00"
    assert booked(acquirer, pos) == [(100, "reversed")]


def test_drop_is_not_decided_and_the_connection_stays(acquirer: Process) -> None:
    pos = acquirer.terminal()
    rule_id = acquirer.client.misbehave({"mti": "0200", "action": "drop"})
    with acquirer.line() as line:
        request = pos.request("0200", pos.sale_fields(100), sealed=True)
        line.socket.sendall(request.raw)
        await_row(acquirer, lambda row: row["rule_id"] == rule_id)
        pos.exchange = line
        assert pos.echo().get(39) == "00"  # the first answer on the line is the echo's
    assert [d for d, _ in rows_of(acquirer, rule_id)] == ["in"]
    assert booked(acquirer, pos) == []
    pos.exchange = acquirer.short
    assert pos.reverse(request.get(11), 100).get(39) == "25"


def test_close_instead_of_an_answer(acquirer: Process) -> None:
    pos = acquirer.terminal()
    rule_id = acquirer.client.misbehave({"mti": "0200", "action": "close"})
    assert pos.send("0200", pos.sale_fields(100), sealed=True) is None
    assert [d for d, _ in rows_of(acquirer, rule_id)] == ["in"]
    assert booked(acquirer, pos) == []
    assert pos.sale(100).get(39) == "00"


# -- spoilt answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [None, "97"])
@pytest.mark.parametrize("action", ["bad_mac", "foreign_trace", "no_mac"])
def test_spoilt_answers(acquirer: Process, action: str, code: str | None) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": action, "code": code})
    request = pos.request("0200", pos.sale_fields(100), sealed=True)
    answer = decode(pos.exchange(request.raw) or b"")
    assert answer.get(39) == (code or "00")
    expected = {"bad_mac": "bad", "foreign_trace": "ok", "no_mac": "absent"}[action]
    assert keys.verify(answer, pos.mak) == expected
    mismatches = answers(request, answer)
    assert len(mismatches) == 1 and "F11" in mismatches[0] if action == "foreign_trace" else mismatches == []
    assert booked(acquirer, pos) == ([] if code else [(100, "approved")])


def test_sign_ins_without_keys_and_with_bad_check_values(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0800", "action": "no_keys"})
    acquirer.client.misbehave({"mti": "0800", "action": "bad_kcv"})
    without = pos.ask("0800", pos.sign_in_fields())
    assert without.get(39) == "00" and 62 not in without
    bad = pos.ask("0800", pos.sign_in_fields())
    working = keys.working_keys(bad.binary(62), "003", pos.tmk)
    assert bad.get(39) == "00" and not working.pik_ok and not working.mak_ok
    assert pos.sign_in().get(39) == "00" and pos.sale(100).get(39) == "00"


def test_a_sign_in_rule_changes_no_decline(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.remove_terminal(MID, pos.tid)
    acquirer.client.misbehave({"mti": "0800", "action": "bad_kcv"})
    answer = pos.ask("0800", pos.sign_in_fields())
    assert answer.get(39) == "97" and 62 not in answer


def test_a_settlement_told_to_be_unbalanced(acquirer: Process) -> None:
    pos = acquirer.terminal()
    sale = pos.sale(100)
    acquirer.client.misbehave({"mti": "0500", "action": "unbalanced"})
    told, honest = pos.settle(Totals(100, 1)), pos.settle(Totals(100, 1))
    assert settlement_totals(told) == (Totals(100, 1, 0, 0, 2), Totals(result=1))
    assert settlement_totals(honest) == (Totals(100, 1, 0, 0, 1), Totals(result=1))
    assert pos.upload([BatchRecord("00", sale.get(11), PAN, 100)]).get(39) == "00"
    assert pos.end_batch("202", 1).get(39) == "00"


@pytest.mark.parametrize(("given", "expected"), [({}, "3"), ({"header_request": "5"}, "5")])
def test_a_processing_request_on_an_honest_answer(acquirer: Process, given: dict[str, str], expected: str) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "processing_request", **given})
    answer = pos.sale(100)
    assert (answer.get(39), answer.processing_request) == ("00", expected) and keys.verify(answer, pos.mak) == "ok"
    assert booked(acquirer, pos) == [(100, "approved")]
    assert pos.sale(100).processing_request == "0"


# -- another content than was decided ----------------------------------------------------------------------------------


def test_rewritten_on_the_way_out(acquirer: Process) -> None:
    pos = acquirer.terminal()
    rule_id = acquirer.client.misbehave(
        {"mti": "0200", "action": "rewrite", "fields": {"39": "97", "44": None}, "mac": "recompute"}
    )
    answer = pos.sale(100)
    assert (answer.get(39), 44 in answer, keys.verify(answer, pos.mak)) == ("97", False, "ok")
    assert booked(acquirer, pos) == [(100, "approved")]
    assert [direction for direction, _ in rows_of(acquirer, rule_id)] == ["in", "withheld", "out"]
    assert pos.sale(100).get(39) == "00"


@pytest.mark.parametrize(("mac", "said"), [("keep", "bad"), ("break", "bad"), ("strip", "absent"), ("recompute", "ok")])
def test_the_mac_of_a_rewritten_answer(acquirer: Process, mac: str, said: str) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "rewrite", "fields": {"37": "979797979797"}, "mac": mac})
    assert keys.verify(pos.sale(100), pos.mak) == said


def test_other_bytes_in_the_answers_place(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0200", "action": "replace", "hex": "0003616263"})
    _, answer = sale_in(acquirer, pos)
    assert answer == b"\0\x03abc"
    assert booked(acquirer, pos) == [(100, "approved")]


@pytest.mark.parametrize(("when", "order"), [("instead", "e"), ("before", "et"), ("after", "te")])
def test_an_earlier_answer_again(acquirer: Process, when: str, order: str) -> None:
    pos = acquirer.terminal()
    earlier = pos.sale(100)
    acquirer.client.misbehave({"mti": "0200", "action": "replay", "hex": earlier.raw.hex(), "when": when})
    request = pos.request("0200", pos.sale_fields(200), sealed=True)
    with acquirer.line() as line:
        line.socket.sendall(request.raw)
        read = [line.read() for _ in order]
    for name, raw in zip(order, read, strict=True):
        assert raw is not None
        assert raw == earlier.raw if name == "e" else answers(request, decode(raw)) == []
    assert booked(acquirer, pos) == [(100, "approved"), (200, "approved")]


@pytest.mark.parametrize("then", ["swallow", "deliver"])
def test_a_forged_answer_with_the_true_one_or_without(acquirer: Process, then: str) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave(
        {"mti": "0200", "action": "forge", "code": "97", "fields": {"63": "CUP"}, "mac": "recompute", "then": then}
    )
    request = pos.request("0200", pos.sale_fields(100), sealed=True)
    with acquirer.line() as line:
        line.socket.sendall(request.raw)
        made = decode(line.read() or b"")
        assert (made.get(39), made.get(63), keys.verify(made, pos.mak)) == ("97", "CUP", "ok")
        assert answers(request, made) == []
        if then == "deliver":
            assert decode(line.read() or b"").get(39) == "00"
    assert booked(acquirer, pos) == [(100, "approved")]


def test_one_rule_can_be_forgotten(acquirer: Process) -> None:
    pos = acquirer.terminal()
    first = acquirer.client.misbehave({"mti": "0820", "count": 0, "action": "answer", "code": "91"})
    acquirer.client.misbehave({"mti": "0820", "count": 0, "action": "answer", "code": "96"})
    assert pos.echo().get(39) == "91"
    acquirer.client.clear_misbehaviour(first)
    acquirer.client.clear_misbehaviour(first)  # forgotten already
    assert pos.echo().get(39) == "96"


# -- which requests ----------------------------------------------------------------------------------------------------


def test_rules_are_for_a_kind_of_message(acquirer: Process) -> None:
    pos, other = acquirer.terminal(), acquirer.terminal()
    acquirer.client.misbehave({"mti": "0320", "network_code": "202", "count": 1, "action": "answer", "code": "97"})
    acquirer.client.misbehave({"mti": "0200", "message_type": "23", "count": 1, "action": "answer", "code": "58"})
    acquirer.client.misbehave({"mti": "0820", "tid": other.tid, "count": 1, "action": "answer", "code": "96"})
    sale = pos.sale(100)
    assert sale.get(39) == "00"
    assert [pos.void(sale).get(39), pos.void(sale).get(39)] == ["58", "00"]
    assert pos.echo().get(39) == "00"
    assert other.echo().get(39) == "96"
    assert pos.end_batch("202").get(39) == "97"
    assert pos.end_batch("202").get(39) == "00"


def test_the_first_requests_can_be_skipped(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0820", "skip": 2, "count": 2, "action": "answer", "code": "97"})
    assert [pos.echo().get(39) for _ in range(5)] == ["00", "00", "97", "97", "00"]


def test_rules_are_used_in_the_order_of_arming_and_can_be_cleared(acquirer: Process) -> None:
    pos = acquirer.terminal()
    acquirer.client.misbehave({"mti": "0820", "count": 1, "action": "answer", "code": "91"})
    acquirer.client.misbehave({"mti": None, "count": 0, "action": "answer", "code": "96"})
    assert [pos.echo().get(39) for _ in range(4)] == ["91", "96", "96", "96"]
    acquirer.client.clear_misbehaviour()
    assert pos.echo().get(39) == "00"


def test_wrong_rules_are_refused_and_arm_nothing(acquirer: Process) -> None:
    for rule in WRONG_RULES:
        with pytest.raises(BenchError, match="refused misbehave"):
            acquirer.client.misbehave(rule)
    assert acquirer.client.ask("status")["armed"] == {}


WRONG_RULES: list[dict[str, Any]] = [
    {}, {"action": "explode"}, {"action": "answer"}, {"action": "answer", "code": "9"}, {"action": "late"},
    {"action": "late", "delay_s": -1}, {"action": "late", "delay_s": float("nan")}, {"action": "never", "count": -1},
    {"action": "never", "count": True}, {"action": "never", "mti": "200"}, {"action": "never", "f62": "00"},
    {"action": "answer", "code": "97", "f62": "0"}, {"action": "answer", "code": "97", "f63": "00" * 1000},
    {"action": "answer", "code": "97", "header_request": "33"}, {"action": "drop", "code": "97"},
    {"action": "never", "colour": "red"}, {"action": "never", "skip": -1}, {"action": "script"},
    {"action": "script", "f55": ""},
    {"action": "never", "header_request": "3"}, {"action": "answer", "code": "97", "with_mac": "yes"},
    {"action": "rewrite"}, {"action": "rewrite", "mac": "recompute"}, {"action": "rewrite", "fields": {"64": "00"}},
    {"action": "rewrite", "fields": {"39": "too long"}}, {"action": "rewrite", "fields": ["39"]},
    {"action": "rewrite", "mac": "none"}, {"action": "forge"}, {"action": "forge", "code": "00", "mac": "keep"},
    {"action": "forge", "code": "00", "then": "both"}, {"action": "replace"}, {"action": "replace", "hex": "0"},
    {"action": "replay", "hex": "00", "when": "now"}, {"action": "never", "hex": "00"},
]  # fmt: skip


@pytest.mark.parametrize("rule", WRONG_RULES, ids=str)
def test_wrong_rules(rule: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_rule(rule)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_contracts_form_of_a_rule(action: str) -> None:
    needed: dict[str, dict[str, Any]] = {
        "answer": {"code": "97"}, "late": {"delay_s": 3}, "script": {"f55": "7100"}, "rewrite": {"mac": "strip"},
        "replace": {"hex": "00"}, "replay": {"hex": "00"}, "forge": {"code": "97"},
    }
    more = {"with_mac": True, **needed.get(action, {})}
    rule = parse_rule({"mti": "0800", "network_code": None, "message_type": None, "count": 2, "action": action, **more})
    assert (rule.action, rule.mti, rule.count) == (action, "0800", 2)


@given(st.dictionaries(
    st.sampled_from([
        "action", "mti", "count", "code", "delay_s", "f55", "f62", "f63", "with_mac", "tid", "x", "fields", "mac",
        "hex",
    ]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(ACTIONS)
    | st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=4), max_size=3),
))  # fmt: skip
def test_wild_rules_are_rules_or_bad_input(data: dict[str, Any]) -> None:
    with contextlib.suppress(BadInput):
        assert isinstance(parse_rule(data), Rule)


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 12))
def test_counts_are_kept(counts: list[int], requests: int) -> None:
    armed = Misbehaviour()
    ids = [armed.arm(parse_rule({"action": "never", "count": count})) for count in counts]
    expected: list[int] = []
    for rule_id, count in zip(ids, counts, strict=True):
        expected += [rule_id] * (count or requests)  # 0: without end
    taken = [armed.take("0200", "000", "22", "10000001") for _ in range(requests)]
    assert [None if rule is None else rule[0] for rule in taken] == (expected + [None] * requests)[:requests]


def test_declines_without_mac_by_profile_but_with_one_when_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("quiet")
    with running(folder, with_profile=profile(declines_carry_mac=False)) as acquirer:
        pos = acquirer.terminal()
        told: dict[str, Any] = {"mti": "0200", "action": "answer", "code": "97"}
        acquirer.client.misbehave(told)
        acquirer.client.misbehave({**told, "with_mac": True})
        assert keys.verify(pos.sale(100), pos.mak) == "absent"
        assert keys.verify(pos.sale(100), pos.mak) == "ok"
