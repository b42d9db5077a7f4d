"""A bench made ready before a test, and brought to its end after it.

Ready: everything around the terminal honest and plugged in, the terminal registered, provisioned, signed in, nothing
stored.
Where the terminal does not come back by itself we climb: sign-in, power cycle, key load, and on an emulated bench a new
unit. Each step is in the history, so that the judge sees who helped; none of it hides anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.errors import BenchError, TerminalTimeout
from harness.history.events import Measurement
from harness.terminal.contracts import Completion

if TYPE_CHECKING:
    from harness.bench.bench import Bench

FIRST_BATCH = "000001"  # where a new registration begins too, so that 97 and recovery leave the number as it is
HOST_ADDRESS, HOST_PORT, TPDU = "10.97.0.1", 8583, "6000030000"


def surroundings(bench: Bench) -> None:
    """The world outside the terminal as it should be."""
    bench.host.behave()
    bench.host.set_clock(None)
    bench.cable.heal()
    if not bench.host.merchant_registered:
        bench.host.register_merchant()
    if bench.host.suspended:
        bench.host.restore()
    if not bench.host.terminal_registered:
        bench.host.register()
    if not bench.front.powered:
        bench.power.on()


def provision(bench: Bench) -> None:
    """Key, host, identity and timers into a unit that has none. Raises BenchError when the unit refuses."""
    tid, mid = bench.plan.identity
    steps: list[tuple[str, Callable[[], Completion]]] = [
        ("load the terminal master key", lambda: bench.terminal.load_tmk(bench.host.tmk)),
        ("set the host address", lambda: bench.terminal.set_host(HOST_ADDRESS, HOST_PORT, TPDU)),
        ("set the identity", lambda: bench.terminal.set_identity(tid, mid)),
    ]
    if bench.plan.receive_timeout_s is not None:
        seconds = f"{bench.plan.receive_timeout_s:.0f}"
        steps.append(("set the receive time-out", lambda: bench.terminal.set_parameter("timeout", seconds)))
    for what, step in steps:
        completion = step()
        if not completion.ok:
            raise BenchError(
                f"could not {what}: the terminal said {completion.text!r}",
                bench=bench.name,
                evidence=str(bench.plan.folder / "history.jsonl"),
                remedy="the unit must be empty before it is provisioned: settle it, or use another unit",
            )
    bench.provisioned = True


def make_ready(bench: Bench) -> None:
    """Before a test. Raises BenchError when not even a new unit gets ready."""
    ladder: list[tuple[str, Callable[[], None]]] = [
        ("as it is", lambda: None),
        ("power cycle", lambda: _cycle(bench)),
        ("key loaded again", lambda: _reload_key(bench)),
        ("new unit", lambda: _another_unit(bench)),
    ]
    troubles = []
    for name, step in ladder:
        try:
            surroundings(bench)
            step()
            if not bench.provisioned:
                provision(bench)
            _serve(bench)
            return
        except TerminalTimeout as error:
            troubles.append(f"{name}: {str(error).splitlines()[0]}")
        except _NotReadyError as error:
            troubles.append(f"{name}: {error}")
    raise BenchError(
        "the terminal can't be made ready: " + "; ".join(troubles),
        bench=bench.name,
        evidence=str(bench.plan.folder / "history.jsonl"),
        remedy="look at the last screens and at logs/terminal.log",
    )


def conclude(bench: Bench) -> None:
    """After a test: registration restored, recovered by one sign-in, and if money moved a settlement that lists the
    batch.

    The settlement is answered "not balanced" on purpose, so that the terminal uploads what it holds; then the host's
    books are read. Raises TerminalTimeout when the terminal says nothing in time, AssertionError when it does not do
    its part although everything around it is honest: what it held would be lost from sight with the next unit.
    """
    surroundings(bench)
    terminal = bench.terminal
    terminal.to_idle(30.0)
    if "counters" in bench.model.offers and not bench.plan.physical_like:
        terminal.read_counters()
    began = time.monotonic()
    signed_in = bench.once_connected(terminal.sign_in)
    if signed_in.ok:
        value = round(time.monotonic() - began, 3)
        bench.history.append(Measurement(t=time.monotonic_ns(), name="sign_in_s", value=value, unit="s"))
    settled = signed_in
    if terminal.money_moved and signed_in.ok:
        bench.host.misbehave("0500", "unbalanced")
        settled = terminal.settle()
        terminal.money_moved = not settled.ok
    bench.host.read_ledger()
    bench.sync()
    assert signed_in.ok, f"registered again, the terminal did not sign in at the end of the test: {signed_in.text}"
    assert settled.ok, f"the terminal did not settle at the end of the test: {settled.text}"


def _serve(bench: Bench) -> None:
    """Signed in with nothing stored, or _NotReadyError."""
    terminal = bench.terminal
    terminal.to_idle(30.0)
    if not terminal.money_moved:
        bench.host.set_batch(FIRST_BATCH)
    completion = bench.once_connected(terminal.sign_in)
    if not completion.ok:
        raise _NotReadyError(f"sign-in failed: {completion.text}")
    if terminal.money_moved:
        completion = terminal.begin_settlement().wait()
        if not completion.ok:
            raise _NotReadyError(f"settlement failed: {completion.text}")
        terminal.money_moved = False
    terminal.to_idle()


def _cycle(bench: Bench) -> None:
    bench.power.off()
    bench.power.on()
    bench.terminal.await_idle(20.0)


def _another_unit(bench: Bench) -> None:
    bench.host.deregister()
    bench.replace_unit("the old one did not come back to service")
    bench.host.register(write_off=True)
    bench.power.on()
    bench.terminal.await_idle(20.0)


def _reload_key(bench: Bench) -> None:
    bench.terminal.to_idle()
    bench.terminal.load_tmk(bench.host.tmk)


class _NotReadyError(Exception):
    """The terminal works, but is not where it should be."""
