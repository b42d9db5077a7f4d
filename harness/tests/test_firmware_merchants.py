"""Two merchants on one terminal against the acquirer: each with its own numbers, keys, sign-in, batch and reversal."""

from __future__ import annotations

import pytest

from harness.emulator.firmware.app.records import State
from harness.emulator.firmware.app.store import Store, StoreDamaged
from harness.protocol.frames import Frame
from harness.tests.acquirer_terminal import profile
from harness.tests.firmware_acquirer import MIDS, TIDS, AcquirerBench
from harness.tests.firmware_bench import Answer, Bench, MemoryFlash, cuts


def two(time_scale: float = 1.0) -> AcquirerBench:
    """Both signed in, the first one selected."""
    delivered = profile(reversal_success=["00", "25"])  # a request that was cut off never reached the host
    bench = AcquirerBench(merchants=2, time_scale=time_scale, with_profile=delivered)
    assert bench.sign_in()["DF07"] == "00"
    bench.select(2)
    assert bench.sign_in()["DF07"] == "00"
    bench.select(1)
    return bench



def test_each_has_its_own_keys_trace_numbers_and_batch() -> None:
    with two() as bench:
        one, other = bench.store(1).state, bench.store(2).state
        assert (one.tid, one.mid, other.tid, other.mid) == (TIDS[0], MIDS[0], TIDS[1], MIDS[1])
        assert len({one.tmk, other.tmk, one.pik, other.pik, one.mak, other.mak}) == 6
        assert bench.sale(100)["DF10"] == "000002"
        bench.select(2)
        assert bench.sale(200)["DF10"] == "000002"
        assert bench.settle()["DF07"] == "00"
        assert len(bench.store(1).log) == 1 and bench.store(2).log == [] and bench.store(2).state.batch == 2
        assert [entry["amount"] for entry in bench.office("ledger", 1)["entries"]] == [100]
        assert [entry["amount"] for entry in bench.office("ledger", 2)["entries"]] == [200]
        assert bench.store(1).state.batch == 1


def test_97_for_one_neither_signs_out_nor_blocks_the_other() -> None:
    with two() as bench:
        bench.office("remove_terminal", 2)
        bench.select(2)
        assert bench.sale()["DF07"] == "97" and bench.sign_in()["DF07"] == "97"
        assert not bench.store(2).state.signed_in and bench.sale_is_refused() == "Z4"
        bench.select(1)
        assert bench.store(1).state.signed_in and bench.sale()["DF07"] == "00" and bench.settle()["DF07"] == "00"
        bench.office("register_terminal", 2, tmk=bench.store(2).state.tmk)
        bench.select(2)
        assert bench.sign_in()["DF07"] == "00" and bench.sale()["DF07"] == "00"


def test_a_reversal_of_one_does_not_hold_up_the_other_and_goes_out_by_itself() -> None:
    with two(time_scale=60) as bench:
        cut = [True]

        def script(request: Frame) -> Answer | None:
            if request.get(41) == TIDS[1] and request.mti in ("0200", "0400") and cut:
                return Answer(act="close")
            return None

        bench.host.script = script
        bench.select(2)
        assert bench.sale()["DF07"] == "Z2"
        assert bench.store(2).state.reversal is not None and bench.store(1).state.reversal is None
        bench.select(1)
        assert bench.sale()["DF07"] == "00"
        cut.clear()
        bench.key("CANCEL")
        bench.run(lambda: bench.store(2).state.reversal is None, 20)
        assert bench.host.seen("0400")[-1].get(41) == TIDS[1]
        assert bench.serve("COUNTERS").startswith("OK batch=000001 trace=000003 sales=1/1234 ")


def test_after_power_on_both_sign_in_and_the_one_that_was_selected_goes_on() -> None:
    with two() as bench:
        bench.select(2)
        bench.host.requests.clear()
        bench.reboot()
        bench.run(lambda: len(bench.host.seen("0800")) == 2)
        bench.settle_down()
        assert {frame.get(41) for frame in bench.host.seen("0800")} == set(TIDS)
        assert bench.sale()["DF07"] == "00" and bench.host.seen("0200")[-1].get(41) == TIDS[1]


def test_an_unattended_97_of_the_other_is_seen_at_the_next_key() -> None:
    with two() as bench:
        bench.office("remove_terminal", 2)
        bench.reboot()
        bench.run(lambda: len(bench.host.seen("0800")) == 4)
        bench.settle_down()
        assert bench.store(1).state.signed_in and not bench.store(2).state.signed_in
        bench.key("FUNC")
        bench.run(bench.shows("提示", "应答码:97"))
        bench.key("ENTER")
        assert bench.sale()["DF07"] == "00"


def test_a_download_that_one_of_them_is_asked_for_is_done_under_its_number() -> None:
    with two(time_scale=60) as bench:
        bench.office("demand_download", 2, kind="parameters")
        bench.select(2)
        bench.sign_in()
        bench.key("CANCEL")
        bench.run(lambda: not bench.office("downloads", 2)["due"])
        assert bench.store(2).state.parameters.merchant_name and not bench.store(1).state.parameters.merchant_name


def test_the_service_port_speaks_of_the_merchant_that_was_named() -> None:
    with AcquirerBench(merchants=2) as bench:
        assert bench.serve("MERCHANT 1") == "OK MERCHANT 1"
        assert bench.serve("IDENTITY").startswith(f"OK TID={TIDS[0]} MID={MIDS[0]} ")
        assert bench.serve("MERCHANT 2") == "OK MERCHANT 2"
        assert bench.serve("IDENTITY").startswith(f"OK TID={TIDS[1]} MID={MIDS[1]} ")
        assert bench.serve("COUNTERS").startswith("OK batch=000001 trace=000001 ")
        for wrong in ("MERCHANT 0", "MERCHANT 3", "MERCHANT x"):
            assert bench.serve(wrong) == "ERR 03 there are merchants 1 to 2"
        assert bench.serve("PARAM timeout=33") == "OK timeout=33"
        assert bench.store(1).state.timeout_s == bench.store(2).state.timeout_s == 33
        bench.reboot()
        assert bench.serve("IDENTITY").startswith(f"OK TID={TIDS[0]} ")


def test_a_terminal_of_one_merchant_has_no_second() -> None:
    with Bench() as bench:
        assert bench.serve("MERCHANT 1") == "OK MERCHANT 1"
        assert bench.serve("MERCHANT 2").startswith("ERR 03 ")


def test_the_identity_of_one_can_be_changed_while_the_other_has_something_stored() -> None:
    with two() as bench:
        bench.sale()
        assert bench.serve(f"SET TID=97009999 MID={MIDS[0]}").startswith("ERR 85")
        bench.serve("MERCHANT 2")
        assert bench.serve(f"SET TID=97029999 MID={MIDS[1]}").startswith("OK ")


def test_a_power_cut_at_any_moment_of_the_choice_leaves_both_as_they_were() -> None:
    with two() as bench:
        before, states = bytes(bench.flash.content), (bench.store(1).state, bench.store(2).state)
        bench.flash.operations.clear()
        bench.select(2)
        for _, content in cuts(before, bench.flash.operations):
            first = Store(MemoryFlash(content))
            assert (first.state, first.of_merchant(2).state) == states
            assert first.table("selected") in (None, 0, 1)


def test_a_second_memory_that_can_not_be_read_is_reported() -> None:
    with two() as bench:
        store = Store(bench.flash)
        store.files.write("2.state", b"nothing\n{}")
        with pytest.raises(StoreDamaged):
            store.of_merchant(2)
        bench.reboot()
        bench.run(bench.shows("存储故障"))
        assert bench.store(1).state != State()
