"""Another unit in the place of one whose batch is not settled: backup, restore, key, sign-in, settlement."""

import pytest

from fixtures.installing import ENGINEERS_KEY, Installation
from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC

pytestmark = pytest.mark.declares("REC-09")
OTHER_KEY = "FF" * 16


def _up(bench: Bench) -> None:
    bench.power.on()
    bench.terminal.await_idle(20)


@pytest.mark.parametrize("by", ["key", "code"])
def test_hardware_swap(bench: Bench, by: str) -> None:
    """The old unit sells no more and gets 97; the new one goes on where it stopped, and settles what both have sold."""
    old, new, code = bench.serial, bench.units.second, bench.profile.not_registered[0]
    if old == new:  # the one before left the second there
        new = bench.plan.serial_number
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    assert bench.terminal.sale(20_00, card=CHIP).ok
    text = bench.terminal.back_up(ENGINEERS_KEY)
    assert text
    assert not bench.terminal.sale(30_00, card=MAGNETIC).ok
    activation = ""
    if by == "code":
        activation = bench.host.swap_unit(new)
    else:
        bench.host.register(new_tmk=True, serial=new)
    assert bench.terminal.sign_in().code == code

    bench.put_unit(new, "a unit takes the place of another", new=True)
    _up(bench)
    work = Installation(bench)
    assert not bench.terminal.restore(text, OTHER_KEY).ok
    assert bench.terminal.restore(text, ENGINEERS_KEY).ok
    if by == "code":
        told = bench.once_connected(lambda: bench.terminal.activate(activation))
        assert told.ok, told.text
        work.key_of_the_others()
    else:
        work.do("key")
    assert bench.once_connected(bench.terminal.sign_in).ok
    assert bench.terminal.sale(40_00, card=MAGNETIC).ok
    assert bench.terminal.settle().ok

    bench.put_unit(old, "the old one, once more")
    _up(bench)
    assert bench.once_connected(bench.terminal.sign_in).code == code
    bench.put_unit(new, "back in service")
    _up(bench)
    assert bench.once_connected(bench.terminal.sign_in).ok
    work.done()


def test_a_reversal_that_is_due_goes_with_the_batch(bench: Bench) -> None:
    """The old unit delivers it no more, the new one does."""
    old, new = bench.serial, bench.units.second
    if old == new:  # the one before left the second there
        new = bench.plan.serial_number
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.misbehave("0200", "never")
    assert not bench.terminal.sale(20_00, card=MAGNETIC).ok
    bench.host.misbehave("0400", "never", count=50)
    text = bench.terminal.back_up(ENGINEERS_KEY)
    assert text
    bench.host.register(new_tmk=True, serial=new)
    assert bench.terminal.sign_in().code == bench.profile.not_registered[0]
    bench.put_unit(new, "a unit takes the place of another", new=True)
    _up(bench)
    assert bench.terminal.restore(text, ENGINEERS_KEY).ok
    Installation(bench).do("key")
    bench.host.behave()
    assert bench.once_connected(bench.terminal.sign_in).ok
    bench.await_frame("0410", deadline_s=30)
    bench.terminal.to_idle(30)
    assert bench.terminal.settle().ok
    bench.put_unit(old, "the old one, once more")
    _up(bench)
    assert bench.once_connected(bench.terminal.sign_in).code == bench.profile.not_registered[0]
    bench.put_unit(new, "back in service")
    _up(bench)
    assert bench.once_connected(bench.terminal.sign_in).ok
    bench.provisioned = True
