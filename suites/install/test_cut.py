"""The installation is cut at its steps, by power and on the line, and goes on: it ends as if it had not been."""

import pytest

from fixtures.installing import ONLINE, SETTINGS, Installation, blank
from harness.bench.bench import Bench
from harness.errors import TerminalTimeout
from harness.terminal.contracts import Completion

pytestmark = pytest.mark.declares("INS-07")


def _with_the_power_cut(bench: Bench, work: Installation, name: str, *, torn: bool, operation: int = 1) -> None:
    """The step loses its power at a flash operation, and is done again."""
    bench.power.cut_at(operation, torn=torn)
    try:
        if name in ONLINE:
            under_way = work.begin(name)
            bench.power.wait_cut(5)
            under_way.wait(0.5)  # the screen is dark
        else:
            work.attempt(name)
    except TerminalTimeout:
        bench.power.wait_cut(5)
    finally:
        bench.power.disarm()  # it may need fewer operations than that
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


def _activated_or_dark(bench: Bench, code: str) -> Completion:
    """What it says; raises TerminalTimeout where it loses its power, soon after."""
    under_way = bench.terminal.begin_activation(code)
    try:
        bench.power.wait_cut(3)
    except TerminalTimeout:
        return under_way.wait()
    return under_way.wait(0.5)


@pytest.mark.parametrize("operation", [1, 4, 5, 6, 7, 8, 9])
def test_power_cut_in_the_activation(bench: Bench, operation: int) -> None:
    """At its first commit before the request leaves, and at those after the answer came."""
    blank(bench)
    code = bench.host.offer_activation(bench.serial)
    work = Installation(bench)
    work.do("parameters", "network", "host")
    assert bench.once_connected(bench.terminal.sign_in).code != "00"
    bench.power.cut_at(operation, torn=operation % 4 == 0)
    try:
        bench.once_connected(lambda: _activated_or_dark(bench, code))
    except TerminalTimeout:
        bench.power.wait_cut(5)
    finally:
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


MTI = {
    "sign_in": "0800", "parameter_download": "0800", "capk_update": "0820", "echo": "0820", "sale": "0200",
    "void": "0200", "settle": "0500",
}  # fmt: skip


def _up_to(bench: Bench, name: str) -> Installation:
    """A unit with everything set, and done what comes before this step."""
    blank(bench)
    work = Installation(bench)
    work.do(*SETTINGS)
    _do(bench, work, ONLINE[: ONLINE.index(name)])
    return work


def _from(bench: Bench, work: Installation, name: str) -> None:
    """This step and what comes after it."""
    _do(bench, work, ONLINE[ONLINE.index(name) :])
    work.done()


def _do(bench: Bench, work: Installation, names: tuple[str, ...]) -> None:
    for name in names:
        told = bench.once_connected(lambda: work.attempt(name))  # noqa: B023
        assert told.ok, f"{name}: {told.text}"


@pytest.mark.parametrize("name", ONLINE)
def test_the_line_is_cut_in_a_step(bench: Bench, name: str) -> None:
    """Its request leaves, the answer does not come, the cable is out; it is put back, and the step done again."""
    work = _up_to(bench, name)
    bench.host.misbehave(MTI[name], "never")
    first = bench.once_connected(lambda: work.attempt(name))
    assert not first.ok
    bench.cable.unplug()
    bench.host.behave()
    bench.cable.plug()
    _from(bench, work, name)


@pytest.mark.parametrize("name", ONLINE)
def test_power_cut_in_a_step(bench: Bench, name: str) -> None:
    """At its first commit, when nothing has left yet; then while its answer is awaited. It is done again."""
    work = _up_to(bench, name)
    if name != "echo":  # it commits nothing
        _with_the_power_cut(bench, work, name, torn=False)
        _do(bench, work, ("sign_in",))
    bench.host.misbehave(MTI[name], "never")
    under_way = work.begin(name)
    bench.await_frame(MTI[name])
    bench.power.off()
    with pytest.raises(TerminalTimeout):
        under_way.wait(0.5)
    bench.host.behave()
    bench.power.on()
    bench.terminal.await_idle(20)
    _do(bench, work, ("sign_in",))
    _from(bench, work, name)
