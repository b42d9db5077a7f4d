"""The first start of a version: its self-test, what is stored in its format, the confirmation; the supply cut at every
flash operation of it, clean and torn: the old version with its data whole, or the new one. FWU-01, -03, -06."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulator.firmware.app import crypto, selftest
from harness.emulator.firmware.app.dialect import Dialect
from harness.emulator.firmware.app.files import Files
from harness.emulator.firmware.app.parameters import Parameters
from harness.emulator.firmware.app.records import Record, Reversal, Script, Settlement, Signature, State
from harness.emulator.firmware.app.store import Store
from harness.tests.firmware_bench import TMK, Bench, FakeBoard, FakeBoot, MemoryFlash, Rebooted, cuts
from harness.tests.firmware_states import full, nobody_answers
from harness.tests.firmware_versions import OnTrial, main_of, memory, module, update

MODEL = "HT-200"


def power_on(version: str, content: bytes, *, trial: bool = False) -> Bench:
    """A start of ``version`` on a flash with ``content``; nobody answers it."""
    flash = MemoryFlash(content)
    boot = OnTrial(flash) if trial else None
    bench = Bench(model=MODEL, flash=flash, application=main_of(version), boot=boot)
    bench.host.script = nobody_answers
    return bench


def found(version: str, content: bytes, *, trial: bool = False) -> tuple[list[dict[str, Any]], bytes]:
    """What ``version`` has after a start, and the flash then."""
    with power_on(version, content, trial=trial) as bench:
        assert bench.shows("欢迎使用")(), bench.lines
        return memory(bench), bytes(bench.flash.content)


@contextmanager
def first_start(old: str, new: str) -> Iterator[tuple[bytes, list[dict[str, Any]], MemoryFlash, int]]:
    """The flash before the first start of ``new``, what ``old`` had, the flash after it with its operations, and how
    many of them there were when it confirmed itself."""
    with full(old) as bench:
        before, stood = bytes(bench.flash.content), memory(bench)
        boot = update(bench, new)
        assert boot.confirmed_after is not None
        yield before, stood, boot.flash, boot.confirmed_after


# -- power cuts --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("old", "new"), [("1.0.0", "2.0.0"), ("0.9.0", "2.1.0"), ("1.0.0", "1.1.0")])
def test_a_cut_at_any_operation_leaves_the_old_version_whole_or_the_new_one(old: str, new: str) -> None:
    with first_start(old, new) as (before, stood, flash, confirmed_after):
        contents = [content for _, content in cuts(before, flash.operations)]
        migrates = old[0] != new[0]
        assert (len(flash.operations) > 40 and 0 < confirmed_after < len(flash.operations)) == migrates
        for number, content in enumerate(contents):
            if number <= 2 * confirmed_after:  # not confirmed: the boot loader goes back
                kept, after = found(old, content)
                assert kept == stood, f"the old version, cut {number}"
                assert found(new, after, trial=True)[0] == stood, f"the second attempt, cut {number}"
            if number >= 2 * confirmed_after:
                kept, after = found(new, content)
                assert kept == stood, f"the new version, cut {number}"
                files = Files(MemoryFlash(after))
                assert (files.names() == ["format"]) == migrates, "the old data did not go"


def test_a_cut_while_what_a_reset_leaves_is_written_loses_nothing_before_the_confirmation() -> None:
    with first_start("2.1.0", "3.0.0") as (before, stood, flash, confirmed_after):
        blank = found("3.0.0", bytes(MemoryFlash().content))[0]
        assert blank != stood
        for number, (_, content) in enumerate(cuts(before, flash.operations)):
            if number <= 2 * confirmed_after:
                assert found("2.1.0", content)[0] == stood
            if number >= 2 * confirmed_after:
                assert found("3.0.0", content)[0] == blank


def test_a_cut_while_the_old_version_removes_what_a_trial_left_changes_nothing() -> None:
    with first_start("1.0.0", "2.0.0") as (before, stood, flash, confirmed_after):
        migrated = list(cuts(before, flash.operations))[2 * confirmed_after][1]
    with power_on("1.0.0", migrated) as bench:
        cleaning = list(cuts(migrated, bench.flash.operations))
        assert len(cleaning) > 20 and memory(bench) == stood
        assert Files(bench.flash).folders() == [] and "format.next" not in Files(bench.flash).names()
    for _, content in cleaning:
        assert found("1.0.0", content)[0] == stood
        assert found("2.0.0", content, trial=True)[0] == stood


def test_the_second_attempt_takes_what_changed_since_the_first() -> None:
    """Also where nobody has removed what the first one wrote."""
    with first_start("1.0.0", "2.0.0") as (before, _stood, flash, confirmed_after):
        for cut in (2 * confirmed_after, confirmed_after):
            store = Store(MemoryFlash(list(cuts(before, flash.operations))[cut][1]))
            store.commit(trace=977, tid="97009797")
            store.put_table("blacklist", ["979797"])
            content = bytes(store._flash.content)  # type: ignore[attr-defined]
            with power_on("2.0.0", content, trial=True) as bench:
                one = bench.state
                assert (one.trace, one.tid) == (977, "97009797")
                assert bench.terminal._store and bench.terminal._store.table("blacklist") == ["979797"]


@pytest.mark.parametrize("commits_before", range(4))
def test_a_sale_in_the_new_format_is_booked_whole_or_not_at_all(commits_before: int) -> None:
    with Bench(application=main_of("2.0.0")) as bench:
        bench.ready()
        bench.serve("PARAM auto_sign_in=0")
        for number in range(commits_before):
            bench.serve(f"PARAM timeout={30 + number}")
        before, stood = bytes(bench.flash.content), memory(bench)
        bench.flash.operations.clear()
        assert bench.sale(9700)["DF07"] == "00"
        booked, operations = memory(bench), list(bench.flash.operations)
    states = [stood]
    for _, content in cuts(before, operations):
        with Bench(flash=MemoryFlash(content), application=main_of("2.0.0")) as after:
            now = memory(after)
            if now != states[-1]:
                assert now not in states, "a state came back"
                states.append(now)
    assert len(states) == 3 and states[-1] == booked  # the reversal in between
    assert states[1][0]["reversal"] is not None and states[1][0]["log"] == []


# -- what is taken over ------------------------------------------------------------------------------------------------

def everything() -> tuple[State, Record]:
    """Nothing in it is as it was in a new terminal."""
    record = Record("offline_tip", 9797, "6225880000000097", 97, 7, "97" * 6, "979797", "1129", "235959", 2026, 6,
                    "051", "13" * 9, "97" * 10, 97, {2: "6225880000000097", 55: "9F26" + "97" * 8})
    due = {2: "6225", 4: "000000009797", 11: "000009", 60: "2200009700050"}
    state = State(
        tid="97000001", mid="898970000000001", host="host.example", port=97, tpdu="6000970000", host2="second.example",
        port2=98, network="static", address="10.97.0.2/24", router="10.97.0.1", apn="cmnet", dns="10.97.0.3",
        tls_ca="QQ==", tls_cert="Qg==", tls_key="Qw==", timeout_s=97, auto_sign_in=False, tmk="97" * 16, pik="98" * 16,
        mak="99" * 8, tdk="9A" * 16, signed_in=True, trace=9797, batch=97, host_batch=98, generation=3, log_bytes=1,
        reversal=Reversal(due, "98", 7), script=Script(due), settlement=Settlement(True, 2, "95"), undelivered=(7, 8),
        refused=(5,), failed=(record,), signatures=(Signature(due, 2),), last=record, note="97", handed_over=True,
        dialect=Dialect(network="gicc", operator="01 ", categories=(("77", "B"),), f60_digits=14),
        parameters=Parameters("店", "60", False, 97, False, False, 97, "97979797"),
    )
    return state, record


def test_whatever_can_be_stored_is_taken_over() -> None:
    state, record = everything()
    unchanged = [one.name for one in fields(State) if getattr(state, one.name) == getattr(State(), one.name)]
    assert unchanged == [], "give it a value here"
    flash = MemoryFlash()
    for number in (1, 2):
        store = Store(flash, merchant=number)
        changes = {one.name: getattr(state, one.name) for one in fields(State)}
        changes |= {"log_bytes": 0, "tid": f"9700000{number}"}
        store.commit(**changes)
        for _ in range(number):
            store.commit(book=record)
    content = bytes(flash.content)
    with power_on("1.0.0", content) as bench:
        stood = memory(bench)
    assert [len(one["log"]) for one in stood] == [1, 2]
    for version in ("1.1.0", "2.0.0", "2.1.0"):
        assert found(version, content, trial=True)[0] == stood


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["tid", "tmk", "trace", "reversal", "fields", "log_bytes", "identity", "money", "dialect", "sent", "11"]
    ), inner, max_size=6), max_leaves=12,
)


@pytest.fixture(scope="module")
def stored() -> dict[str, bytes]:
    """What 1.0.0 and 2.0.0 have stored."""
    found = {}
    for version in ("1.0.0", "2.0.0"):
        with full(version) as bench:
            found[version] = bytes(bench.flash.content)
    return found


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_wild_content_of_any_file_is_a_storage_fault_or_what_it_says(
    stored: dict[str, bytes], version: str, data: st.DataObject,
) -> None:
    """Bytes, or what has the right checksum and is something else."""
    flash = MemoryFlash(stored[version])
    files = Files(flash)
    names = sorted(files.names() + [f"d2/{name}" for name in files.names("d2")])
    name = data.draw(st.sampled_from(names))
    content = data.draw(st.binary(max_size=60) | _JSON.map(lambda value: json.dumps(value).encode()))
    if data.draw(st.booleans()):
        files.write_checked(name, content)
    else:
        files.write(name, content)
    migration, store = module(version, "migration"), module(version, "store")
    with contextlib.suppress(store.StoreDamaged):
        opened = module(version, "files").Files(flash)
        migration.prepare(opened, 2, trial=data.draw(st.booleans()), feed=lambda: None)
        stores = [store.Store(flash, merchant=number, files=opened) for number in (1, 2)]
        module(version, "selftest").records(stores)
        migration.finish(opened, lambda: None)


def test_a_full_batch_finds_room_beside_itself() -> None:
    """999 transactions of one merchant; both formats are there for a while."""
    _, record = everything()
    flash = MemoryFlash()
    store = Store(flash)
    for _ in range(999):
        store.commit(book=record)
    with power_on("2.0.0", bytes(flash.content), trial=True) as bench:
        assert len(bench.log) == 999 and bench.log[-1].amount == record.amount
        assert bench.board.fed > 2


def test_what_finds_no_room_is_a_trial_without_success() -> None:
    flash = MemoryFlash()
    store = Store(flash)
    store.commit(tid="97000001")
    for name in ("one", "other"):
        store.put_table(name, "97" * 140_000)
    content = bytes(flash.content)
    migration, files = module("2.0.0", "migration"), module("2.0.0", "files")
    with pytest.raises(module("2.0.0", "store").StoreDamaged, match="NOSPC"):
        migration.prepare(files.Files(MemoryFlash(content)), 1, trial=True, feed=lambda: None)
    trial = MemoryFlash(content)
    boot = OnTrial(trial)
    with pytest.raises(Rebooted):
        start(main_of("2.0.0"), trial, boot)
    assert boot.confirmed_after is None
    start(main_of("1.0.0"), trial, FakeBoot())
    back = Store(trial)
    assert back.state == store.state and back.table("other") == store.table("other")
    assert Files(trial).folders() == [] and Files(trial).names() == Files(MemoryFlash(content)).names()


# -- the self-test -----------------------------------------------------------------------------------------------------

def start(application: Any, flash: MemoryFlash, boot: Any) -> FakeBoard:
    board = FakeBoard(flash)
    board.boot = boot
    try:
        application.Terminal(board)
    finally:
        board.close()
    return board


def damaged_state(flash: MemoryFlash) -> None:
    Files(flash).write("state", b"97979797\n{}")


def odd_key(flash: MemoryFlash) -> None:
    Store(flash).commit(mak="9797")


def damaged_table(flash: MemoryFlash) -> None:
    Files(flash).write("capk", b"nothing")


@pytest.mark.parametrize("damage", [damaged_state, odd_key, damaged_table])
@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_a_trial_that_can_not_read_what_is_stored_ends_in_a_reset(
    damage: Callable[[MemoryFlash], None], version: str,
) -> None:
    flash = MemoryFlash()
    Store(flash).commit(tmk=TMK.hex())
    damage(flash)
    boot = OnTrial(flash)
    with pytest.raises(Rebooted):
        start(main_of(version), flash, boot)
    assert boot.confirmed_after is None


@pytest.mark.parametrize(("damage", "name"), [(damaged_state, "state"), (damaged_table, "capk")])
def test_a_confirmed_version_names_the_file_that_was_changed(damage: Callable[[MemoryFlash], None], name: str) -> None:
    flash = MemoryFlash()
    Store(flash).commit(tmk=TMK.hex())
    damage(flash)
    shown = "".join(start(main_of("1.0.0"), flash, FakeBoot()).screens[-1])
    assert "存储故障" in shown and f"数据被改:{name}" in shown


@pytest.mark.parametrize("what", ["now", "glyph", "random", "kcv"])
def test_hardware_that_does_not_answer_fails_the_self_test(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"now": lambda self: 0.0, "glyph": lambda self, character: None, "random": lambda self, n: bytes(n)}
    if what == "kcv":
        monkeypatch.setattr(crypto, "kcv", lambda key, *, sm=False: bytes(4))
    else:
        monkeypatch.setattr(FakeBoard, what, broken[what])
    monkeypatch.setattr(FakeBoard, "show", lambda self, bits: self.screens.append([]))
    flash = MemoryFlash()
    boot = OnTrial(flash)
    with pytest.raises(Rebooted):
        start(main_of_the_tree(), flash, boot)
    assert boot.confirmed_after is None and flash.operations == []


def main_of_the_tree() -> Any:
    from harness.emulator.firmware.app import main

    return main


def test_a_module_that_is_missing_fails_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "modules", lambda: (_ for _ in ()).throw(ImportError("no module app.dns")))
    boot = OnTrial(MemoryFlash())
    with pytest.raises(Rebooted):
        start(main_of_the_tree(), boot.flash, boot)
    assert start(main_of_the_tree(), MemoryFlash(), FakeBoot()).screens[-1][1:] == ["欢迎使用", "请按确认键消费"]


@pytest.mark.parametrize("part", ["Network", "Operator", "ServicePort", "Updates", "Unattended"])
def test_a_part_that_can_not_be_made_is_found_before_it_is_confirmed(
    part: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A version that dies here at every start would never come back once it is confirmed."""
    def dies(*_: object, **__: object) -> None:
        raise RuntimeError(part)

    monkeypatch.setattr(main_of_the_tree(), part, dies)
    boot = OnTrial(MemoryFlash())
    with pytest.raises(RuntimeError, match=part):
        start(main_of_the_tree(), boot.flash, boot)
    assert boot.confirmed_after is None and boot.flash.operations == []


def test_no_key_is_taken_before_a_trial_is_confirmed_and_nothing_is_sent() -> None:
    with Bench() as bench:
        bench.ready()
        requests = len(bench.host.requests)
        confirmed: list[int] = []
        flash = MemoryFlash(bytes(bench.flash.content))
        boot = OnTrial(flash)
        boot.confirm = lambda: confirmed.append(len(bench.host.requests))  # type: ignore[method-assign]
        bench.reboot(flash, boot=boot)
        assert confirmed == [requests] and bench.lines[1:] == ["欢迎使用", "请按确认键消费"]
