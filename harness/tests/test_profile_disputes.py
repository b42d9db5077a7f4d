"""Every parameter of a profile changes the judgement: one history, two profiles, another verdict or another reason.

What a terminal or host does otherwise under such a parameter is shown by the tests of the rooms that do it
(docs/profiles.md names them).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from harness.checkers.batches import totals_of
from harness.checkers.departures import departures
from harness.checkers.reading import Reading
from harness.checkers.recovery import missing_recoveries
from harness.history.events import AnyEvent, RunOpened
from harness.protocol.frames import build, decode
from harness.protocol.profile import Profile
from harness.terminal.cashier import Framing, Receiver
from harness.tests.golden import TID, World, dropped, flawed, late, lost, says
from harness.tests.golden_kinds import rewritten
from harness.tests.golden_parts import Reply
from harness.tests.golden_stories import findings
from harness.tests.histories.money_kinds import a_card_that_refuses_after_approval_is_reversed
from harness.tests.histories.steps import meet_97, recovered
from harness.tests.judging import verdict

LINK = {"link", "http_path"}  # what the tap reads on every link is the same frames (wire.md)
NO_DISPUTE = {"name", "title", "network", "assumed", "texts", "limits"}


@dataclass(frozen=True)
class Row:
    """``telling`` a history under the shipped profile with ``base``; judged by it and by the one with ``other`` too."""

    parameter: str
    other: Any
    rule: str
    telling: Callable[[World], None]
    base: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.parameter}={self.other}"


def by_profile(events: Sequence[AnyEvent], **changes: Any) -> list[AnyEvent]:
    """The same history, said to be recorded under another profile."""
    return [
        e.model_copy(update={"profile": {**e.profile, **changes}}) if isinstance(e, RunOpened) else e for e in events
    ]


def honest(world: World) -> None:
    """As if the host had decided by itself what the story made it say."""
    world.events = [
        e.model_copy(update={"rule_id": None}) if e.kind == "host.journal" and e.rule_id else e for e in world.events
    ]


# -- the histories -----------------------------------------------------------------------------------------------------


def a_reversal_answered_25(world: World) -> None:
    world.sign_in()
    world.sale(500, dropped())
    world.send_reversal("97")
    world.send_reversal("25")
    world.sale(700)


def sent_again_after(code: str) -> Callable[[World], None]:
    def telling(world: World) -> None:
        world.sign_in()
        sale = world.sale(500, code)
        completed = world.events.pop(max(i for i, e in enumerate(world.events) if e.kind == "operation.completed"))
        request = world._request("0200", dict(world.terminal.last_request))
        world._exchange(request, Reply(code="97"))
        world.result("97")
        world.append(completed)
        world.idle()
        assert sale.code == code

    return telling


def parameters_asked_for(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in(says(processing="1"))
    world.download("parameter_download", by_itself=True)
    world.sale(500)


def a_sale_after_recovery(world: World) -> None:
    recovered(world)
    world.sale(500)


def a_recorded_deletion(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, lost())
    for _ in range(3):
        world.send_reversal("97")
    assert world.terminal.pending is not None
    world.slip("冲正失败", f"凭证号:{world.terminal.pending.trace}", "已删除")
    world.terminal.pending = None
    world.sale(500)


def a_dropped_reversal(world: World) -> None:
    world.sign_in()
    world.perform("sale", 1200, flawed("foreign_trace", "97"))
    world.terminal.pending = None
    world.sale(500)


def approved_with_10(world: World) -> None:
    world.sign_in()
    world.sale(500, "10")
    world.sale(700, "97")
    world.settle("97")


def refused(code: str, name: str = "sale", **options: Any) -> Callable[[World], None]:
    """After recovery a transaction is refused by the host itself."""

    def telling(world: World) -> None:
        recovered(world)
        original = world.sale(1200).trace if name == "void" else ""
        if name == "settle":
            world.settle(code)
        elif name == "void":
            world.void(original, code)
        elif name == "offline_chip_sale":
            world.perform(name, 900, card="chip")
            world.deliver(code)
        else:
            world.perform(name, 900, code, **options)
        honest(world)

    return telling


def a_batch_end_refused(world: World) -> None:
    recovered(world)
    world.sale(1200)
    world.settle(upload=["30"])
    honest(world)


def an_upload_end_refused(world: World) -> None:
    recovered(world)
    world.sale(1200)
    world.settle(unbalanced=True, upload=[None, "30"])
    honest(world)


def without_mac(world: World) -> None:
    recovered(world)
    world.sale(1200)
    change: dict[bool, dict[int, str | None]] = {True: {39: "30", 64: None}, False: {64: None}}
    rewritten(world.events, 2, world.host.working.mak, lambda frame: change[frame.is_response])


def a_decline_without_mac(world: World) -> None:
    world.sign_in()
    world.sale(500, flawed("no_mac", "97"))
    world.sale(700)


def refused_sign_in(world: World) -> None:
    world.sign_in()
    world.sign_in("97")
    world.terminal.signed_in = False
    world.sale(500)


def a_reversal_while_signed_out(world: World) -> None:
    world.sign_in()
    world.sale(500, lost())
    world.sign_in("97")
    world.send_reversal()


def a_settlement_while_signed_out(world: World) -> None:
    world.sign_in()
    world.sign_in("97")
    world.settle()


def a_voided_pair(world: World) -> None:
    world.sign_in()
    sale = world.sale(500)
    world.void(sale.trace)
    world.sale(700, "97")
    world.settle()


def a_sign_off_after_settlement(world: World) -> None:
    world.sign_in()
    world.sale(500)
    world.settle()
    completed = world.events.pop(max(i for i, e in enumerate(world.events) if e.kind == "operation.completed"))
    world._exchange(world._request("0820", {11: "000009", 60: "00000001002"}), Reply(code="97"))
    world.result("97")
    world.append(completed)


def the_wrong_reason(delivery: Reply) -> Callable[[World], None]:
    def telling(world: World) -> None:
        world.sign_in()
        world.sale(500, delivery)
        if not world.terminal.signed_in:
            world.sign_in()
        world.sale(700)

    return telling


def totals_reset(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    world.sign_in("89")
    world.register_terminal()
    world.sign_in()
    sale = world.sale(500)
    world.void(sale.trace)
    world.settle("97")
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "ok", "code": None})


def an_old_batch(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.set_host_batch("000009")
    world.sign_in()
    world.settle("77")


def a_new_number_after_delivery(world: World) -> None:
    world.sign_in()
    world.sale(1200)
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.set_host_batch("000009")
    world.sign_in()
    world.settle()
    world.settle(upload=["97"])
    world.sale(500)


def an_answer_as_the_time_is_over(world: World) -> None:
    world.sign_in()
    world.sale(500, late("97"))
    left = next(e for e in reversed(world.events) if e.kind == "wire.connection" and e.state == "closed")
    world.events.remove(left)
    world.sale(700)


def forced_sign_ins(world: World) -> None:
    world.sign_in()
    world.sale(400, "97")
    for _ in range(5):
        world.sale(500, "77")
        world.background_sign_in("97")


DELETES: dict[str, Any] = {"reversal_exhausted": "delete_recorded"}
ONLY_00: dict[str, Any] = {"reversal_success": ["00"]}
BY_ITSELF: dict[str, Any] = {"categories": {"codes": {"77": "B", "68": "C"}}}
ROWS = [
    # facts, section 14, in its order
    Row("reversal_success", ["00"], "MON-03", a_reversal_answered_25),
    Row("categories", {"codes": {"77": "B", "68": "C"}}, "MSG-01", sent_again_after("77")),
    Row("categories", {"codes": {"77": "D", "68": "B"}}, "MSG-01", sent_again_after("68")),
    Row("parameter_download_code", "364", "REC-05", parameters_asked_for),
    Row("mak_length", 16, "REC-02", a_sale_after_recovery),
    Row("reversal_attempts", 4, "MON-03", a_recorded_deletion, {**DELETES, "reversal_attempts": 3}),
    Row("reversal_on_mismatch", "delete", "MON-10", a_dropped_reversal),
    Row("success", ["00", "A2"], "MON-01", approved_with_10),
    Row("f60_digits", 14, "REC-04", refused("30")),
    Row("f48_encoding", "ascii", "REC-04", refused("30", "settle")),
    Row("batch_end_balanced", "202", "REC-04", a_batch_end_refused),
    Row("batch_end_unbalanced", "207", "REC-04", an_upload_end_refused),
    Row("declines_carry_mac", False, "MON-02", a_decline_without_mac),
    Row("decline_mac", "required", "MON-02", a_decline_without_mac),
    Row("sign_in_network_code", "005", "STA-01", refused_sign_in),
    # what the sources leave open, and what is not disputed
    Row("not_registered", ["89"], "MON-02", a_decline_without_mac),
    Row("settlement_success", ["00", "97"], "REC-04", totals_reset, {"not_registered": ["89"]}),
    Row("force_sign_in", ["99"], "STA-05", forced_sign_ins, BY_ITSELF),
    Row("not_signed_in", "58", "REC-04", refused("58")),
    Row("mac_missing", "30", "REC-04", without_mac),
    Row("reversal_of_unknown", "22", "MON-03", a_reversal_answered_25, ONLY_00),
    Row("reversal_of_declined", "25", "MON-03", a_reversal_answered_25, {**ONLY_00, "reversal_of_unknown": "22"}),
    Row("reversal_reason_no_answer", "06", "MON-09", an_answer_as_the_time_is_over),
    Row("reversal_reason_bad_mac", "06", "MON-10", the_wrong_reason(flawed("bad_mac", "97"))),
    Row("reversal_reason_mismatch", ["98"], "MON-10", the_wrong_reason(flawed("foreign_trace", "97"))),
    Row("reversal_reason_fault", "06", "MON-03", a_card_that_refuses_after_approval_is_reversed),
    Row("reversal_exhausted", "delete_recorded", "MON-03", a_recorded_deletion),
    Row("reversal_before_sign_in", False, "STA-01", a_reversal_while_signed_out),
    Row("settlement_before_sign_in", True, "STA-01", a_settlement_while_signed_out),
    Row("void_carries_card", True, "REC-04", refused("30", "void")),
    Row("settlement_voids", "net", "MON-01", a_voided_pair),
    Row("auto_sign_off", True, "MSG-01", a_sign_off_after_settlement),
    Row("operator", "01 ", "REC-04", refused("30", "settle")),
    Row("accepts_old_batch", False, "REC-06", an_old_batch),
    Row("batch_moves", "settlement", "REC-06", a_new_number_after_delivery),
    Row("offline_chip_mti", "0200", "REC-04", refused("30", "offline_chip_sale")),
    Row("entry_scan", "031", "REC-04", refused("30", card="alipay")),
    Row("receive_timeout_s", 10.0, "MON-09", an_answer_as_the_time_is_over),
]


def said(events: Sequence[AnyEvent], rule: str) -> list[tuple[str, str]]:
    return [(f.verdict, f.reason) for f in findings(rule, events)]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_changes_the_judgement(row: Row) -> None:
    world = World(**(row.base or {}))
    with world.test(str(row)):
        row.telling(world)
    world.close()
    events = world.checked()
    here, there = said(events, row.rule), said(by_profile(events, **{row.parameter: row.other}), row.rule)
    assert here != there, here
    assert here or there


def test_settlements_in_ascii_are_read_and_are_a_departure_where_the_profile_packs_them() -> None:
    world = World()
    world.sign_in()
    world.sale(500)
    world.settle()
    exchange = next(e for e in Reading.of(world.events).exchanges if e.mti == "0500")
    ascii_ = decode(build("0500", exchange.sent.fields, f48="ascii").raw)
    asked = type(exchange)(**{**vars(exchange), "sent": ascii_})
    assert totals_of(asked) == totals_of(exchange) == (500, 1, 0, 0)
    told = "F48 is written in ASCII, the profile says BCD"
    assert departures(world.profile, asked) == [told]
    assert departures(world.profile.model_copy(update={"f48_encoding": "ascii"}), asked) == []


def test_the_key_digit_of_sm_keys() -> None:
    """F53 digit 2: 3 in one source, 4 in another; 6 with double-length keys."""
    world = World()
    world.sign_in()
    world.sale(500)
    exchange = next(e for e in Reading.of(world.events).exchanges if e.financial)
    with_pin = exchange.sent.but({52: "00" * 8, 53: "2300000000000000"})
    asked = type(exchange)(**{**vars(exchange), "sent": with_pin})

    def told(code: str, digit: str) -> list[str]:
        profile = world.profile.model_copy(update={"sign_in_network_code": code, "sm_key_digit": digit})
        return [line for line in departures(profile, asked) if line.startswith("F53")]

    assert told("005", "3") == []
    assert told("006", "4") == ["F53 says that the PIN key is of kind 3, the profile says 4"]
    assert told("003", "3") == ["F53 says that the PIN key is of kind 3, the profile says 6"]


@pytest.mark.parametrize(("parameter", "other"), [("cashier_lrc", "without_etx"), ("cashier_length", "binary")])
def test_the_till_is_read_by_the_profile(parameter: str, other: str) -> None:
    """What the driver makes of the bytes is in the history: told 97 by one framing, told nothing by the other."""
    world = World()
    world.sign_in()
    world.sale(500, "97", via="cashier")
    world.wait(10)
    world.idle()

    def read_by(profile: Profile) -> str:
        receiver = Receiver(Framing(length=profile.cashier_length, lrc=profile.cashier_lrc))
        read = []
        for event in world.checked():
            if event.kind == "cashier" and event.direction == "from_terminal":
                messages = receiver.feed(bytes.fromhex(event.hex))
                fields = next((m.fields for m in messages if m.kind == "frame"), {})
                event = event.model_copy(update={"fields": fields})
            read.append(event)
        return verdict(read, "MSG-04")

    assert read_by(world.profile) == "PASS"
    assert read_by(world.profile.model_copy(update={parameter: other})) == "FAIL"


@pytest.mark.parametrize(
    ("parameter", "other"), [("terminal_unknown_on", "sign_in"), ("keys_outlive_registration", False)]
)
def test_it_changes_on_what_97_is_to_be_seen(parameter: str, other: Any) -> None:
    world = World()
    meet_97(world)
    here = missing_recoveries([Reading.of(world.events)])
    there = missing_recoveries([Reading.of(by_profile(world.events, **{parameter: other}))])
    assert ("refund", False) in here
    assert ("refund", False) not in there
    assert ("sign_in", True) in there
    assert world.tid == TID


def test_no_parameter_is_left_out() -> None:
    alone = {"sm_key_digit", "terminal_unknown_on", "keys_outlive_registration", "cashier_lrc", "cashier_length"}
    tested = {row.parameter for row in ROWS} | alone
    assert set(Profile.model_fields) == tested | LINK | NO_DISPUTE
    assert not tested & (LINK | NO_DISPUTE)
