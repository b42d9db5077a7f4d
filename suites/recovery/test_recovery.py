"""From 97 back to service: registered again, signed in, everything works and balances - with and without a reboot."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC

pytestmark = pytest.mark.declares("REC-01", "REC-04", "REC-08", "REC-10", "MON-07", "MON-08")

AFTER = ["sign_in", "sale", "void", "settle", "batch_upload", "reversal"]


def meet_97(bench: Bench, on: str) -> None:
    """Bring the terminal to a 97 on one kind of message, with money in the batch."""
    terminal, host = bench.terminal, bench.host
    first = terminal.sale(10_00, card=MAGNETIC, via="cashier")
    assert first.ok
    match on:
        case "reversal":
            host.misbehave("0200", "never")
            assert not terminal.sale(20_00, card=MAGNETIC).ok
            host.deregister()
            assert terminal.sale(21_00, card=MAGNETIC).code == "97"
        case "batch_upload":
            host.misbehave("0500", "unbalanced")
            host.answer("0320", "97")
            assert terminal.settle().code == "97"
            host.deregister()
        case _:
            host.deregister()
            answered = {
                "sign_in": lambda: terminal.sign_in(),
                "sale": lambda: terminal.sale(20_00, card=CHIP),
                "void": lambda: terminal.void(first.trace),
                "settle": lambda: terminal.settle(),
            }[on]()
            assert answered.code == "97"


@pytest.mark.parametrize("reboot", [False, True], ids=["as-it-is", "rebooted"])
@pytest.mark.parametrize("on", AFTER)
def test_after_97_on(bench: Bench, on: str, reboot: bool) -> None:
    meet_97(bench, on)
    if reboot:
        bench.power.cycle()
        bench.terminal.await_idle(20)
    bench.host.register()
    recovery = bench.start_recovery()
    assert bench.terminal.sign_in().ok
    if on == "batch_upload":
        assert bench.terminal.settle().ok  # the upload goes on where it was cut; only then may new money come
    sale = bench.terminal.sale(30_00, card=CHIP, pin=True)
    assert sale.ok
    recovery.done()
    assert bench.terminal.void(sale.trace).ok
    assert bench.terminal.sale(31_00, card=MAGNETIC, via="cashier").ok


@pytest.mark.physical
def test_back_to_work(bench: Bench) -> None:
    """The shortest way round: sold, forgotten, registered, and a whole day's work done."""
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()
    assert bench.terminal.sale(11_00, card=CHIP).code == "97"
    bench.host.register()
    recovery = bench.start_recovery()
    assert bench.terminal.sign_in().ok
    sale = bench.terminal.sale(12_00, card=CHIP, pin=True)
    assert sale.ok
    recovery.done()
    assert bench.terminal.void(sale.trace).ok
    assert bench.terminal.settle().ok


@pytest.mark.physical
@pytest.mark.declares("STA-04")
def test_power_cut_while_unregistered(bench: Bench) -> None:
    """The state survives: not signed in, nothing sold before a sign-in, the batch still there."""
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    bench.power.cycle()
    bench.terminal.await_idle(20)
    assert not bench.terminal.sale(11_00, card=MAGNETIC).ok

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok
    assert bench.terminal.settle().ok


@pytest.mark.physical
def test_registered_with_a_new_master_key(bench: Bench) -> None:
    """The old key no longer opens the sign-in: a key error, never 97; loaded, it works."""
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    bench.host.register(new_tmk=True)
    refused = bench.terminal.sign_in()
    assert not refused.ok
    assert refused.code != "97"

    assert bench.terminal.load_tmk(bench.host.tmk).ok
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok


@pytest.mark.declares("REC-02")
def test_sign_in_brings_keys_clock_and_batch_number(bench: Bench) -> None:
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    bench.host.register()
    bench.host.set_clock(bench.another_day())
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok


@pytest.mark.declares("REC-02")
def test_keys_with_a_wrong_check_value_are_no_sign_in(bench: Bench) -> None:
    bench.host.misbehave("0800", "bad_kcv")
    assert not bench.terminal.sign_in().ok
    assert not bench.terminal.sale(10_00, card=MAGNETIC).ok


@pytest.mark.declares("REC-05")
def test_host_asks_for_another_sign_in(bench: Bench) -> None:
    """Header nibble 5 = 3 in an answer after recovery: the terminal signs in again by itself."""
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    bench.host.register()
    assert bench.terminal.sign_in().ok
    bench.host.misbehave("0200", "processing_request", header_request="3")
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.await_frame("0810", deadline_s=30)
    bench.terminal.to_idle(30)
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok
