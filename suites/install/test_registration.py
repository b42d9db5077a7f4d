"""The application at the acquirer, and units that are not the one it means."""

import pytest

from fixtures.installing import Installation, blank
from harness.bench.bench import Bench


@pytest.mark.declares("INS-05")
@pytest.mark.parametrize("state", ["pending", "rejected"])
def test_an_application_that_is_not_approved(bench: Bench, state: str) -> None:
    """97 until it is; then the installation goes on."""
    blank(bench)
    bench.host.set_state(state)
    work = Installation(bench)
    work.do("parameters", "network", "host", "identity", "key")
    code = bench.profile.not_registered[0]
    assert bench.once_connected(bench.terminal.sign_in).code == code
    bench.host.register()
    work.online()


@pytest.mark.declares("INS-06")
def test_a_second_unit_with_the_same_number(bench: Bench) -> None:
    """The number is bound to another unit: whatever key this one has."""
    blank(bench)
    first, second = bench.serial, bench.units.second
    bench.host.register(serial=first)
    Installation(bench).whole()
    bench.put_unit(second, "a second unit gets the number of the first", new=True)
    bench.power.on()
    bench.terminal.await_idle(20)
    work = Installation(bench)
    work.do("parameters", "network", "host", "identity", "key")
    assert bench.once_connected(bench.terminal.sign_in).code == bench.profile.not_registered[0]
    bench.put_unit(first, "the first is put back")
    bench.power.on()
    bench.terminal.await_idle(20)
    assert bench.once_connected(bench.terminal.sign_in).ok


@pytest.mark.declares("INS-06")
def test_the_same_unit_under_a_second_merchant(bench: Bench) -> None:
    """A unit belongs to one terminal: under another merchant nobody has registered it."""
    blank(bench)
    bench.host.register(serial=bench.serial)
    other = bench.host.stranger("898970000000776", "97000776")
    other.register_merchant()
    work = Installation(bench)
    work.do("parameters", "network", "host", "key")
    assert work.identity(bench.host.tid, other.mid).ok
    assert bench.once_connected(bench.terminal.sign_in).code == bench.profile.not_registered[0]
    work.do("identity", "key")
    work.online()
