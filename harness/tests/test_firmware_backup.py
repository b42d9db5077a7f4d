"""Backup of one unit, restored on another: what is in the text, who may take it, what a power cut leaves."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulator.firmware.app import backup
from harness.emulator.firmware.app.provisioning import Refused
from harness.tests.firmware_bench import CHIP, MAGNETIC, MID, TID, TMK, Answer, Bench, MemoryFlash, cuts

KEY = "0F1E2D3C4B5A69788796A5B4C3D2E1F0"
OTHER_KEY = "F0" * 16
TERMINALS_OWN = ("generation", "log_bytes", "tmk", "pik", "mak", "tdk", "signed_in", "note")


def back_up(bench: Bench, key: str = KEY) -> list[str]:
    """As an engineer's program does it."""
    status, what, count = bench.serve(f"BACKUP {key}").split()
    assert (status, what) == ("OK", "BACKUP")
    return [bench.serve(f"BACKUP LINE {n}").removeprefix("OK ") for n in range(1, int(count) + 1)]


def restore(bench: Bench, lines: list[str], key: str = KEY) -> str:
    begun = bench.serve(f"RESTORE {key}")
    if begun != "OK RESTORE":
        return begun
    for number, line in enumerate(lines, 1):
        assert bench.serve(f"RESTORE LINE {line}") == f"OK RESTORE {number}"
    return bench.serve("RESTORE END")


def busy_day(bench: Bench) -> None:
    """Two sales, one stored, a reversal that is due."""
    bench.ready()
    assert bench.sale(1000)["DF07"] == "00"
    assert bench.sale(2000, CHIP)["DF07"] == "00"
    assert bench.order("13", MAGNETIC, DF03="000000000300", DF17="123456")["DF07"] == "00"
    bench.host.script = lambda request: Answer(act="close") if request.mti in ("0200", "0220", "0400") else None
    bench.key("CANCEL")


def taken() -> tuple[list[str], Bench]:
    bench = Bench()
    busy_day(bench)
    return back_up(bench), bench


def test_a_new_unit_goes_on_where_the_old_one_stopped() -> None:
    lines, old = taken()
    with old, Bench() as new:
        assert restore(new, lines) == f"OK RESTORED merchants=1 records={len(old.log)}"
        assert new.log == old.log and len(old.log) == 3
        kept = {name: value for name, value in vars(old.state).items() if name not in (*TERMINALS_OWN, "handed_over")}
        assert {name: getattr(new.state, name) for name in kept} == kept
        assert not new.state.handed_over and not new.state.tmk and not new.state.mak and not new.state.signed_in
        assert new.sale_is_refused() == "Z4"
        assert new.serve(f"KEY TMK {TMK.hex()}").startswith("OK ")
        new.key("CANCEL")
        assert new.serve(f"HOST 127.0.0.1 {new.host.port} 6000030000").startswith("OK ")
        assert new.sign_in()["DF07"] == "00"
        assert new.settle()["DF07"] == "00"
        assert not new.log and new.state.batch == 2
        (advice,) = new.host.seen("0220")
        assert advice.get(4) == "000000000300"


def test_no_key_and_no_card_number_is_in_it() -> None:
    lines, old = taken()
    with old:
        secrets = [card.pan for card in (MAGNETIC, CHIP)]
        secrets += [old.state.tmk, old.state.pik, old.state.mak, KEY]
        data = base64.b64decode("".join(line[5:] for line in lines if line.startswith("data ")))
        for secret in secrets:
            assert not any(secret.lower() in line.lower() for line in lines)
            assert secret.encode() not in data and bytes.fromhex(secret + "0" * (len(secret) % 2)) not in data
        shown = [line for line in lines if line.startswith("record ")]
        assert len(shown) == 3 and all("******" in line for line in shown)
        assert all(len(line) < 4000 for line in lines)  # a pty that nobody reads keeps them


def test_a_unit_that_was_backed_up_takes_no_money_and_delivers_nothing() -> None:
    lines, old = taken()
    with old:
        assert lines and old.state.handed_over
        before = len(old.host.requests)
        assert old.sale_is_refused() == "ZC"
        assert old.settle()["DF07"] == "ZC"
        old.reboot()
        old.host.script = lambda request: None
        assert old.sale_is_refused() == "ZC"
        old.run(old.shows("数据已移交"))
        old.settle_down(50)
        assert {request.mti for request in old.host.requests[before:]} <= {"0800"}
        assert old.serve("BACKUP CANCEL") == "OK BACKUP CANCELLED"
        old.key("CANCEL")
        assert old.sign_in()["DF07"] == "00"
        assert old.settle()["DF07"] == "00"


def test_what_can_not_be_restored_changes_nothing() -> None:
    lines, old = taken()
    spoilt = [line.replace("sale 1000", "sale 9000") for line in lines]
    swapped = [line[:-8] + "AAAAAAAA" if line.startswith("data ") else line for line in lines]
    with old, Bench() as new:
        assert restore(new, lines, OTHER_KEY).startswith("ERR 71 ")
        for damaged in (spoilt, swapped, lines[:-1], lines[1:], [], ["", *lines], [*lines, lines[-1]]):
            assert restore(new, damaged).startswith(("ERR 70 ", "ERR 71 ")), damaged
        assert new.serve("RESTORE END").startswith("ERR 77 ")
        assert new.serve("RESTORE LINE x").startswith("ERR 77 ")
        assert new.serve("RESTORE 1234").startswith("ERR 03 ")
        assert not new.state.tid and not new.log


def test_another_model_is_refused() -> None:
    lines, old = taken()
    with old, Bench(model="HT-200") as new:
        assert restore(new, lines).startswith("ERR 72 ")


def test_a_unit_with_transactions_of_its_own_is_refused() -> None:
    lines, old = taken()
    with old, Bench().ready() as new:
        assert new.sale(700)["DF07"] == "00"
        new.key("CANCEL")
        assert restore(new, lines) == "ERR 85 transactions stored"
        assert [record.amount for record in new.log] == [700]


def test_one_batch_is_not_settled_twice_by_one_unit() -> None:
    """The successor gets the same backup once more, and the old one its own after it was cancelled: 87."""
    lines, old = taken()
    with old, Bench() as new:
        for unit in (old, new):
            if unit is new:
                assert restore(new, lines).startswith("OK ")
                assert new.serve(f"KEY TMK {TMK.hex()}").startswith("OK ")
                assert new.serve(f"HOST 127.0.0.1 {new.host.port} 6000030000").startswith("OK ")
            else:
                old.host.script = lambda request: None
                assert old.serve("BACKUP CANCEL").startswith("OK ")
            unit.key("CANCEL")
            assert unit.sign_in()["DF07"] == "00"
            assert unit.settle()["DF07"] == "00"
            unit.key("CANCEL")
            assert restore(unit, lines) == "ERR 87 this unit has sold under that number itself"
            assert not unit.log and unit.state.batch == 2


def test_a_number_that_never_sold_does_not_hinder_a_restore() -> None:
    lines, old = taken()
    with old, Bench().ready() as new:
        assert new.state.tid == old.state.tid
        assert restore(new, lines) == "OK RESTORED merchants=1 records=3"


def test_what_waits_for_the_line_while_the_batch_is_handed_over_is_not_sent() -> None:
    """Another merchant's message holds the line; in the moment it ends, the backup is taken."""
    with Bench().ready() as bench:
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        assert bench.sale(4000)["DF07"] == "Z2"
        bench.key("CANCEL")
        operator = bench.terminal._operator
        assert operator is not None
        desk = operator.merchant.transactions
        waiting = desk.deliver_reversal(lambda step: None)
        back_up(bench)
        before = len(bench.host.requests)
        with pytest.raises(StopIteration) as ended:
            while True:
                next(waiting)
        assert ended.value.value is not None and ended.value.value.code == "ZC"
        assert len(bench.host.requests) == before


def test_a_blank_unit_has_nothing_to_hand_over() -> None:
    with Bench() as bench:
        assert bench.serve(f"BACKUP {KEY}").startswith("ERR 77 ")
        assert not bench.state.handed_over
        for wrong in ("BACKUP", "BACKUP 12", f"BACKUP {KEY}0", "BACKUP LINE 1", "BACKUP LINE x", "BACKUP A B C"):
            assert bench.serve(wrong).startswith("ERR ")


def test_a_pending_reversal_is_handed_over_with_the_batch() -> None:
    with Bench().ready() as old, Bench() as new:
        old.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        assert old.sale(4000)["DF07"] == "Z2"
        assert old.state.reversal is not None
        old.key("CANCEL")
        assert restore(new, back_up(old)).startswith("OK ")
        assert new.state.reversal == old.state.reversal
        assert new.state.trace == old.state.trace


def test_both_merchants_go_together() -> None:
    with Bench(model="HT-200") as old, Bench(model="HT-200") as new:
        old.provision()
        for command in ("MERCHANT 2", f"KEY TMK {TMK.hex()}", "SET TID=97020001 MID=898970000000002"):
            assert old.serve(command).startswith("OK ")
        assert restore(new, back_up(old)) == "OK RESTORED merchants=2 records=0"
        assert new.serve("IDENTITY") == f"OK TID={TID} MID={MID} SN=SN97000001"
        assert new.serve("MERCHANT 2") and "TID=97020001" in new.serve("IDENTITY")


def _ends(before: bytes, operations: list[tuple[int, bytes]], end_of: Callable[[Bench], object]) -> set[object]:
    ends = set()
    for _, content in cuts(before, operations):
        with Bench(flash=MemoryFlash(content)) as again:
            ends.add(end_of(again))
    return ends


def test_a_power_cut_while_restoring_leaves_all_of_it_or_nothing() -> None:
    lines, old = taken()
    with old, Bench() as new:
        before, done = bytes(new.flash.content), len(new.flash.operations)
        assert restore(new, lines).startswith("OK ")
        operations = new.flash.operations[done:]
    whole = (TID, old.state.trace, 3)
    assert _ends(before, operations, lambda b: (b.state.tid, b.state.trace, len(b.log))) == {("", 1, 0), whole}


def test_a_power_cut_while_backing_up_costs_nothing() -> None:
    with Bench() as bench:
        busy_day(bench)
        before, done = bytes(bench.flash.content), len(bench.flash.operations)
        back_up(bench)
        operations = bench.flash.operations[done:]
    assert _ends(before, operations, lambda b: (b.state.handed_over, len(b.log))) == {(False, 3), (True, 3)}


@pytest.fixture(scope="module")
def a_backup() -> list[str]:
    lines, old = taken()
    old.__exit__()
    return lines


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_text_is_taken_whole_or_refused(a_backup: list[str], data: st.DataObject) -> None:
    """Lines lost, doubled, changed, or not of a backup at all."""
    line = st.one_of(st.sampled_from(a_backup), st.text(st.characters(codec="ascii"), max_size=60))
    lines = data.draw(st.one_of(st.lists(line, max_size=12), st.permutations(a_backup)))
    key = bytes.fromhex(KEY)
    try:
        carried = backup.opened(lines, key, model="HT-100", merchants=1)
    except Refused:
        assert lines != a_backup
    else:
        assert lines == a_backup and carried[0].state.tid == TID
