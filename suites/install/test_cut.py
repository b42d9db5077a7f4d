"""The installation is cut at its steps, by power and on the line, and goes on: it ends as if it had not been."""

import pytest

from fixtures.installing import ONLINE, SETTINGS, Installation, blank
from harness.bench.bench import Bench
from harness.errors import TerminalTimeout

pytestmark = pytest.mark.declares("INS-07")


def _with_the_power_cut(bench: Bench, work: Installation, name: str, *, torn: bool, operation: int = 1) -> None:
    """The step loses its power at a flash operation, and is done again."""
    bench.power.cut_at(operation, torn=torn)
    try:
        work.attempt(name)
    except TerminalTimeout:
        bench.power.wait_cut(5)
    else:
        bench.power.disarm()  # it needs fewer operations than that
    if not bench.front.powered:
        bench.power.on()
    bench.terminal.await_idle(20)


@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
def test_power_cut_at_each_setting(bench: Bench, torn: bool) -> None:
    blank(bench)
    work = Installation(bench)
    for name in SETTINGS:
        _with_the_power_cut(bench, work, name, torn=torn)
        work.do(name)
    work.online()


@pytest.mark.parametrize("operation", [1, 4, 5, 6, 7, 8])
def test_power_cut_in_the_activation(bench: Bench, operation: int) -> None:
    """At its first commit before the request leaves, and at those after the answer came."""
    blank(bench)
    code = bench.host.offer_activation(bench.serial)
    work = Installation(bench)
    work.do("parameters", "network", "host")
    assert bench.once_connected(bench.terminal.sign_in).code != "00"
    bench.power.cut_at(operation, torn=operation % 4 == 0)
    try:
        bench.once_connected(lambda: bench.terminal.activate(code))
    except TerminalTimeout:
        bench.power.wait_cut(5)
    bench.power.disarm()
    if not bench.front.powered:
        bench.power.on()
    bench.terminal.await_idle(20)
    told = bench.once_connected(lambda: bench.terminal.activate(code))
    assert told.ok, told.text
    work.key_of_the_others()
    work.online()


def test_the_answer_to_the_activation_is_lost(bench: Bench) -> None:
    blank(bench)
    code = bench.host.offer_activation(bench.serial)
    work = Installation(bench)
    work.do("parameters", "network", "host")
    bench.host.misbehave("0800", "never")
    told = bench.once_connected(lambda: bench.terminal.activate(code))
    assert not told.ok and told.code is None, told.text
    bench.host.behave()
    assert bench.once_connected(lambda: bench.terminal.activate(code)).ok
    work.key_of_the_others()
    work.online()


@pytest.mark.parametrize("name", [name for name in ONLINE if name not in ("sale", "void")])
def test_the_line_is_cut_in_a_step(bench: Bench, name: str) -> None:
    """Its request leaves, the answer does not come, the cable is out; it is put back, and the step done again."""
    blank(bench)
    work = Installation(bench)
    work.do(*SETTINGS)
    for before in ONLINE[: ONLINE.index(name)]:
        told = bench.once_connected(lambda: work.attempt(before))  # noqa: B023
        assert told.ok, f"{before}: {told.text}"
    bench.host.misbehave(MTI[name], "never")
    first = bench.once_connected(lambda: work.attempt(name))
    assert not first.ok
    bench.cable.unplug()
    bench.host.behave()
    bench.cable.plug()
    for rest in ONLINE[ONLINE.index(name) :]:
        told = bench.once_connected(lambda: work.attempt(rest))  # noqa: B023
        assert told.ok, f"{rest}: {told.text}"
    work.done()


MTI = {"sign_in": "0800", "parameter_download": "0800", "capk_update": "0820", "echo": "0820", "settle": "0500"}


@pytest.mark.parametrize("name", ["sign_in", "parameter_download", "capk_update", "sale", "settle"])
def test_power_cut_in_a_step(bench: Bench, name: str) -> None:
    """At its first commit: nothing has left yet. It is done again."""
    blank(bench)
    work = Installation(bench)
    work.do(*SETTINGS)
    for before in ONLINE[: ONLINE.index(name)]:
        told = bench.once_connected(lambda: work.attempt(before))  # noqa: B023
        assert told.ok, f"{before}: {told.text}"
    _with_the_power_cut(bench, work, name, torn=False)
    assert bench.once_connected(bench.terminal.sign_in).ok
    for rest in ONLINE[ONLINE.index(name) :]:
        told = bench.once_connected(lambda: work.attempt(rest))  # noqa: B023
        assert told.ok, f"{rest}: {told.text}"
    work.done()
