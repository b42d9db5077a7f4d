"""Troubles to practise on: each sets up one cause on an emulated bench, and says which it is.

For ``hil97 diagnose --live --with NAME`` and for the measurement (``benchmarks/diagnosis.py``). What varies from one
time to the next (numbers, addresses, how much of a fault) is drawn from ``chance``. :func:`honest` undoes all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from harness.acquirer.registry import new_key
from harness.bench.bench import Bench
from harness.bench.network import GIVES
from harness.bench.ready import HOST_PORT, TPDU, make_ready
from harness.campaigns.practice_disturbed import OF_DISTURBANCES
from harness.campaigns.practice_unit import OF_THE_UNIT, calm
from harness.campaigns.practising import Arrange, Trouble
from harness.errors import BenchError
from harness.terminal.contracts import Completion, Order
from harness.wire.topology import ROUTER_ADDRESS

MANY = 1000
FINANCIAL = ("0100", "0200", "0800", "0820")


def _done(told: Completion) -> None:
    if not told.ok:
        raise BenchError(f"the trouble could not be set up: the terminal said {told.text!r}")


def _digits(chance: Random, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _restart(bench: Bench) -> None:
    """What it was told of names and addresses before is forgotten with the power."""
    bench.power.cycle()
    bench.terminal.await_idle(20)


# -- the back office ---------------------------------------------------------------------------------------------------


def _other_unit(bench: Bench, chance: Random) -> None:
    bench.host.register(serial=f"HT{_digits(chance, 8)}X")


def _wrong_tid(bench: Bench, chance: Random) -> None:
    tid = f"{chance.choice(('97', '98', '00'))}{_digits(chance, 6)}"
    _done(bench.terminal.set_identity(tid if tid != bench.host.tid else "97000999", bench.host.mid))


def _of_another(bench: Bench, chance: Random) -> None:
    other = bench.host.stranger(f"8989700{_digits(chance, 8)}", f"97{_digits(chance, 6)}")
    other.register_merchant()
    other.register()
    _done(bench.terminal.set_identity(other.tid, bench.host.mid))


def _wrong_mid(bench: Bench, chance: Random) -> None:
    _done(bench.terminal.set_identity(bench.host.tid, f"8989{_digits(chance, 11)}"))


def _signed_out(bench: Bench, chance: Random) -> None:
    bench.host.sign_out(chance.choice(("signed_off", "maintenance")))


def _batch(bench: Bench, chance: Random) -> None:
    bench.host.set_batch(f"{chance.randrange(2, 999_999):06d}")


# -- keys --------------------------------------------------------------------------------------------------------------


def _wrong_key(bench: Bench, chance: Random) -> None:
    del chance
    _done(bench.terminal.load_tmk(new_key(16).hex().upper()))


def _no_key(bench: Bench, chance: Random) -> None:
    """A unit that has everything but its key."""
    del chance
    host, network = bench.host, bench.plan.network
    host.deregister()
    bench.replace_unit("a unit that has lost its key")
    host.register(write_off=True)
    bench.power.on()
    bench.terminal.await_idle(20)
    _done(bench.terminal.set_network(network.setting))
    _done(bench.terminal.set_host(network.host, HOST_PORT, TPDU))
    _done(bench.terminal.set_identity(host.tid, host.mid))


# -- settings ----------------------------------------------------------------------------------------------------------


def _host(bench: Bench, address: str = "", port: int = HOST_PORT, tpdu: str = TPDU) -> None:
    _done(bench.terminal.set_host(address or bench.plan.network.host, port, tpdu))


def _wrong_address(bench: Bench, chance: Random) -> None:
    own = bench.plan.network.listening
    address = chance.choice([f"10.97.0.{chance.randrange(20, 250)}", f"10.97.1.{chance.randrange(20, 250)}"])
    _host(bench, address if address not in own else "10.97.0.77")


def _wrong_port(bench: Bench, chance: Random) -> None:
    _host(bench, port=chance.choice([one for one in range(8000, 9000) if one != HOST_PORT]))


def _wrong_nii(bench: Bench, chance: Random) -> None:
    _host(bench, tpdu=f"60{chance.randrange(100, 999):04d}0000")


def _wrong_name(bench: Bench, chance: Random) -> None:
    _host(bench, f"acquirer{_digits(chance, 3)}.elsewhere.test")


def _name_server(bench: Bench, chance: Random) -> None:
    _done(bench.terminal.set_network(f"DNS 10.97.0.{chance.randrange(20, 250)}"))
    _restart(bench)


def _router(bench: Bench, chance: Random) -> None:
    router = f"10.97.0.{chance.randrange(20, 250)}"
    _done(bench.terminal.set_network(f"STATIC {GIVES} {router} {ROUTER_ADDRESS}"))


def _no_setting(bench: Bench, chance: Random) -> None:
    del chance
    _done(bench.terminal.set_network("NONE"))


# -- line and host -----------------------------------------------------------------------------------------------------


def _fault(*words: str) -> Arrange:
    """One of these faults for as long as it takes; what stands in braces is drawn."""

    def arrange(bench: Bench, chance: Random) -> None:
        said = chance.choice(words).format(seed=chance.randrange(1_000_000), share=chance.randrange(75, 96))
        bench.cable.arm(f"{said} count=none")
        if said.startswith(("dhcp", "dns")):
            _restart(bench)

    return arrange


def _misbehaves(action: str, *codes: str) -> Arrange:
    def arrange(bench: Bench, chance: Random) -> None:
        extra = {"code": chance.choice(codes)} if codes else {}
        for mti in FINANCIAL:
            bench.host.misbehave(mti, action, count=MANY, **extra)

    return arrange


def _plain(act: Callable[[Bench], object]) -> Arrange:
    def arrange(bench: Bench, chance: Random) -> None:
        del chance
        act(bench)

    return arrange


def _without_session(act: Callable[[Bench], object]) -> Arrange:
    def arrange(bench: Bench, chance: Random) -> None:
        del chance
        act(bench)
        bench.modem.await_session(False, 5.0)

    return arrange


_CABLE, _MODEM, _NAME, _DHCP = (frozenset({need}) for need in ("cable", "modem", "name", "dhcp"))
_STATIC = frozenset({"cable", "static"})

TROUBLES: Mapping[str, Trouble] = {
    "nothing": Trouble("nothing", _plain(lambda bench: None)),
    "row-removed": Trouble("not_registered", _plain(lambda bench: bench.host.deregister())),
    "merchant-removed": Trouble("not_registered", _plain(lambda bench: bench.host.remove_merchant())),
    "other-unit-bound": Trouble("not_registered", _other_unit),
    "pending": Trouble("under_review", _plain(lambda bench: bench.host.set_state("pending"))),
    "rejected": Trouble("under_review", _plain(lambda bench: bench.host.set_state("rejected"))),
    "wrong-tid": Trouble("wrong_tid", _wrong_tid),
    "tid-of-another": Trouble("wrong_tid", _of_another),
    "wrong-mid": Trouble("wrong_mid", _wrong_mid),
    "terminal-suspended": Trouble("suspended", _plain(lambda bench: bench.host.suspend())),
    "merchant-suspended": Trouble("suspended", _plain(lambda bench: bench.host.suspend_merchant())),
    "signed-out": Trouble("not_signed_in", _signed_out),
    "closed-until-sign-in": Trouble("not_signed_in", _plain(lambda bench: bench.host.sign_out("closed"))),
    "signed-off": Trouble("not_signed_in", _plain(lambda bench: bench.terminal.perform(Order("sign_off")))),
    "other-batch": Trouble("not_signed_in", _batch),
    "new-key-at-host": Trouble("keys", _plain(lambda bench: bench.host.issue_tmk())),
    "wrong-key": Trouble("keys", _wrong_key),
    "key-lost": Trouble("keys", _no_key),
    "wrong-host": Trouble("network_settings", _wrong_address),
    "wrong-port": Trouble("network_settings", _wrong_port),
    "wrong-nii": Trouble("network_settings", _wrong_nii),
    "wrong-name": Trouble("network_settings", _wrong_name, _NAME),
    "wrong-name-server": Trouble("network_settings", _name_server, _NAME),
    "wrong-router": Trouble("network_settings", _router, _STATIC | _NAME),
    "no-network-setting": Trouble("network_settings", _no_setting, _CABLE),
    "unplugged": Trouble("no_link", _plain(lambda bench: bench.cable.unplug()), _CABLE),
    "no-signal": Trouble("no_link", _without_session(lambda bench: bench.modem.signal("none")), _MODEM),
    "no-sim": Trouble("no_link", _without_session(lambda bench: bench.modem.take_sim()), _MODEM),
    "not-let-in": Trouble("no_link", _without_session(lambda bench: bench.modem.deny_registration()), _MODEM),
    "no-session": Trouble("no_link", _without_session(lambda bench: bench.modem.refuse_session()), _MODEM),
    "line-cut": Trouble("line", _fault("partition")),
    "line-lossy": Trouble("line", _fault("drop percent={share} seed={seed}")),
    "line-black-hole": Trouble("line", _fault("syn_blackhole")),
    "line-swallows": Trouble("line", _fault("swallow direction=to_terminal", "swallow direction=to_acquirer")),
    "line-resets": Trouble("line", _fault("rst direction=to_terminal", "rst direction=to_acquirer")),
    "line-damages": Trouble(
        "line", _fault("corrupt bits=3 offset=30 fix_checksum=true direction=to_terminal seed={seed}",
                       "cut after_bytes=20 direction=to_terminal"),
    ),
    "line-refused-by-router": Trouble("line", _fault("icmp_unreachable code=host", "icmp_unreachable code=net")),
    "dhcp-fails": Trouble("line", _fault("dhcp answer=silent", "dhcp answer=no_offer", "dhcp answer=nak"), _DHCP),
    "dns-fails": Trouble("line", _fault("dns answer=servfail", "dns answer=drop"), _NAME),
    "host-silent": Trouble("host_down", _misbehaves("never")),
    "host-drops": Trouble("host_down", _misbehaves("drop")),
    "host-closes": Trouble("host_down", _misbehaves("close")),
    **OF_THE_UNIT,
    **OF_DISTURBANCES,
    "host-in-trouble": Trouble("host_down", _misbehaves("answer", "96", "91", "98", "90")),
}  # fmt: skip


def honest(bench: Bench) -> None:
    """Everything around the bench and in its terminal as it should be again. Raises BenchError."""
    if bench.instruments is not None:
        calm(bench.instruments)
    bench.front.hardware.mend()
    bench.host.behave()
    bench.cable.heal()
    bench.host.restore_merchant()
    if bench.host.bound not in ("", bench.serial):
        bench.host.deregister()
    bench.provisioned = False  # identity, key or settings may be other ones
    network = bench.plan.network
    if network.resolve == "name":
        bench.terminal.set_network("DNS NONE")
    make_ready(bench)

