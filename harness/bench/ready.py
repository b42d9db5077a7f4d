"""A bench made ready before a test, and brought to its end after it.

Ready: everything around the terminal honest and plugged in, the terminal registered, provisioned, signed in, nothing
stored.
Where the terminal does not come back by itself we climb: sign-in, power cycle, key load, and on an emulated bench a new
unit. Each step is in the history, so that the judge sees who helped; none of it hides anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from harness.bench.updating import sound, update
from harness.errors import BenchError, TerminalTimeout
from harness.history.events import Measurement
from harness.lab.firmware_images import Image
from harness.terminal.contracts import AGAIN_S, BUSY, Completion
from harness.terminal.dialect import parameters

if TYPE_CHECKING:
    from harness.bench.bench import Bench
    from harness.bench.host import Host

FIRST_BATCH = "000001"  # where a new registration begins too, so that 97 and recovery leave the number as it is
HOST_PORT, TPDU = 8583, "6000030000"


def surroundings(bench: Bench) -> None:
    """The world outside the terminal as it should be."""
    bench.host.behave()
    bench.host.set_clock(None)
    bench.cable.heal()
    for host in bench.host.merchants:
        if not host.merchant_registered:
            host.register_merchant()
        if host.suspended:
            host.restore()
        if host.bound not in ("", bench.serial):
            host.deregister()  # with it goes the binding of a unit that does not stand here
        if not host.terminal_registered:
            host.register()
    if not bench.front.powered:
        bench.power.on()
    _mend(bench)


def _mend(bench: Bench) -> None:
    """The terminal's own parts, where a test has broken them. One whose case was open is seen to by an engineer."""
    hardware = bench.front.hardware
    hardware.mend()
    if hardware.opened:
        _once_at_rest(bench, bench.terminal.reset_tamper)
        if bench.provisioned:
            _reload_key(bench)
        hardware.seen_to()


def provision(bench: Bench) -> None:
    """The profile's dialect, host, timers, and key and identity of each merchant into a unit that has none. Raises
    BenchError when the unit refuses."""
    network = bench.plan.network
    steps: list[tuple[str, Callable[[], Completion]]] = [
        ("set the network", partial(bench.terminal.set_network, network.setting))
    ]
    steps += [
        (f"set {name}", partial(bench.terminal.set_parameter, name, value))
        for name, value in parameters(bench.profile).items()
    ]
    if bench.profile.link == "tls":
        from harness.acquirer.certificates import Certificates  # only where there are any: it takes its time to load

        authority = Certificates(bench.certificates).ca
        steps.append(("load the authority's certificate", partial(bench.terminal.set_tls, "CA", authority)))
    for number, host in enumerate(bench.host.merchants, 1):
        if len(bench.host.merchants) > 1:
            steps.append((f"turn to merchant {number}", partial(bench.terminal.address_merchant, number)))
        steps += [
            ("load the terminal master key", partial(bench.terminal.load_tmk, host.tmk)),
            ("set the host address", partial(bench.terminal.set_host, network.host, HOST_PORT, TPDU)),
            ("set the identity", partial(bench.terminal.set_identity, host.tid, host.mid)),
        ]
    if len(bench.host.merchants) > 1:
        steps.append(("turn back to merchant 1", partial(bench.terminal.address_merchant, 1)))
    if bench.plan.receive_timeout_s is not None:
        seconds = f"{bench.plan.receive_timeout_s:.0f}"
        steps.append(("set the receive time-out", lambda: bench.terminal.set_parameter("timeout", seconds)))
    for what, step in steps:
        completion = _once_at_rest(bench, step)
        if not completion.ok:
            raise BenchError(
                f"could not {what}: the terminal said {completion.text!r}",
                bench=bench.name,
                evidence=str(bench.plan.folder / "history.jsonl"),
                remedy="the unit must be empty before it is provisioned: settle it, or use another unit",
            )
    bench.provisioned = True


def _once_at_rest(bench: Bench, step: Callable[[], Completion]) -> Completion:
    """A unit that has an identity may be signing in by itself, and takes no setting meanwhile."""
    end = time.monotonic() + bench.profile.limits.recovery_s
    while (completion := step()).code == BUSY and time.monotonic() < end:
        time.sleep(AGAIN_S)
    return completion


def make_ready(bench: Bench) -> None:
    """Before a test. Raises BenchError when not even a new unit gets ready."""
    ladder: list[tuple[str, Callable[[], None]]] = [
        ("as it is", lambda: _own_firmware(bench)),
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
            _check_firmware(bench)
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
    _one_host(bench)
    if "counters" in bench.model.offers and not bench.plan.physical_like:
        terminal.read_counters()
    moved, ended = terminal.money_moved, []
    for host in _merchants_in_turn(bench):
        began = time.monotonic()
        signed_in = settled = bench.once_connected(terminal.sign_in)
        if signed_in.ok and host is bench.host:
            value = round(time.monotonic() - began, 3)
            bench.history.append(Measurement(t=time.monotonic_ns(), name="sign_in_s", value=value, unit="s"))
        if moved and signed_in.ok:
            bench.host.misbehave("0500", "unbalanced")
            settled = terminal.settle()
        ended.append((host, signed_in, settled))
    if moved:
        terminal.money_moved = not all(settled.ok and signed_in.ok for _, signed_in, settled in ended)
    for host in bench.host.merchants:
        host.read_ledger()
    bench.sync()
    for host, signed_in, settled in ended:
        when = f"at the end of the test{f', for terminal {host.tid}' if len(ended) > 1 else ''}"
        assert signed_in.ok, f"registered again, the terminal did not sign in {when}: {signed_in.text}"
        assert settled.ok, f"the terminal did not settle {when}: {settled.text}"


def _merchants_in_turn(bench: Bench) -> Iterator[Host]:
    """Each merchant of the unit, selected at the terminal where there are several; the first again afterwards."""
    merchants = bench.host.merchants
    for number, host in enumerate(merchants, 1):
        if len(merchants) > 1:
            _select(bench, number)
        yield host
    if len(merchants) > 1:
        _select(bench, 1)


def _select(bench: Bench, number: int) -> None:
    completion = bench.terminal.select_merchant(number)
    if not completion.ok:
        raise _NotReadyError(f"merchant {number} could not be selected: {completion.text}")


def _serve(bench: Bench) -> None:
    """Signed in with nothing stored, or _NotReadyError."""
    terminal = bench.terminal
    terminal.to_idle(30.0)
    _one_host(bench)
    moved = terminal.money_moved
    for host in _merchants_in_turn(bench):
        if not moved:
            host.set_batch(FIRST_BATCH)
        completion = bench.once_connected(terminal.sign_in)
        if not completion.ok:
            raise _NotReadyError(f"sign-in failed: {completion.text}")
        if moved:
            completion = terminal.begin_settlement().wait()
            if not completion.ok:
                raise _NotReadyError(f"settlement failed: {completion.text}")
            host.set_batch(FIRST_BATCH)
            completion = bench.once_connected(terminal.sign_in)  # it takes the number over, as a test finds it that
            if not completion.ok:  # follows one which left nothing
                raise _NotReadyError(f"sign-in after the settlement failed: {completion.text}")
    terminal.money_moved = False
    terminal.to_idle()
    if bench.plan.network.network == "dhcp" and not bench.plan.physical_like:
        terminal.read_network()  # what it was given is in the history


def _one_host(bench: Bench) -> None:
    """A second host that a test told the terminal of is forgotten."""
    if bench.second_host:
        completion = bench.terminal.set_second_host()
        if not completion.ok:
            raise _NotReadyError(f"the second host could not be taken away: {completion.text}")
        bench.second_host = False


def _own_firmware(bench: Bench) -> None:
    """A unit that the test before left with other software, or not even that, is no unit for the next."""
    own = bench.plan.firmware
    if bench.runs == (own.name, own.version):
        return
    if bench.plan.comes_from is None or bench.provisioned:
        _another_unit(bench, "the one before was left with other software")
        return
    try:
        _by_update(bench)
    except (TerminalTimeout, _NotReadyError) as error:  # what it did is in the history; the test needs a unit
        _another_unit(bench, f"the update did not succeed: {str(error).splitlines()[0]}")


def _check_firmware(bench: Bench) -> None:
    """A step that skipped the update must not leave the test to an older version."""
    own = bench.plan.firmware
    if bench.runs != (own.name, own.version):
        raise _NotReadyError(f"it runs {' '.join(bench.runs).strip() or 'nobody knows what'}")


def _by_update(bench: Bench) -> None:
    """The first unit of a bench, which has an older version from its factory, is put into service and updated."""
    own = bench.plan.firmware
    bench.terminal.await_idle(20.0)
    provision(bench)
    _serve(bench)
    software = sound(Image(str(bench.plan.image), own.name, own.version, own.sha256))
    told = update(bench, software)
    if bench.runs != (own.name, own.version):
        raise _NotReadyError(told.text or f"it runs {' '.join(bench.runs)}")
    bench.provisioned = not software.resets


def _cycle(bench: Bench) -> None:
    bench.power.off()
    bench.power.on()
    bench.terminal.await_idle(20.0)


def _another_unit(
    bench: Bench, why: str = "the old one did not come back to service", image: Image | None = None
) -> None:
    for host in bench.host.merchants:
        host.read_ledger()  # what the books hold of it is not the next one's, though numbers begin anew
        host.deregister()
    bench.replace_unit(why, image)
    for host in bench.host.merchants:
        host.register(write_off=True)
    bench.power.on()
    bench.terminal.await_idle(20.0)


def fresh_unit(bench: Bench, why: str = "a new one is wanted", image: Image | None = None) -> None:
    """Another unit in the place of this one, which has nothing stored: provisioned and signed in. ``image``: what its
    factory put on it, if not the bench's own firmware."""
    _another_unit(bench, why, image)
    provision(bench)
    _serve(bench)


def _reload_key(bench: Bench) -> None:
    bench.terminal.to_idle()
    several = len(bench.host.merchants) > 1
    for number, host in enumerate(bench.host.merchants, 1):
        if several:
            bench.terminal.address_merchant(number)
        bench.terminal.load_tmk(host.tmk)
    if several:
        bench.terminal.address_merchant(1)


class _NotReadyError(AssertionError):
    """The terminal works, but is not where it should be."""
