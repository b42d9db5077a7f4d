"""Something is wrong at each step, and is put right: what the acquirer really says is shown; where nothing answers it
is a communication error and never 97; corrected, the unit comes into service."""

from collections.abc import Callable

import pytest

from fixtures.installing import Installation, blank
from harness.bench.bench import Bench
from harness.bench.network import GIVES
from harness.terminal.contracts import Via
from harness.wire.topology import BACKUP_ADDRESS, ROUTER_ADDRESS

MERCHANT_UNKNOWN = "03"
NOBODY = "10.97.0.77"
ANOTHER_NII, ANOTHER_PORT = "6000990000", 8599
Wrong = Callable[[Installation], None]


# -- identity ----------------------------------------------------------------------------------------------------------


def _of_another_merchant(work: Installation) -> str:
    """A terminal number that the acquirer knows, of another merchant."""
    other = work.bench.host.stranger("898970000000777", "97000777")
    other.register_merchant()
    other.register()
    return other.tid


@pytest.mark.declares("INS-03")
@pytest.mark.parametrize("what", ["tid", "mid", "tid of another merchant"])
def test_a_wrong_identity(bench: Bench, what: str) -> None:
    blank(bench)
    work = Installation(bench)
    unknown = bench.profile.not_registered[0]
    wrong, code = {
        "tid": (("97000778", ""), unknown),
        "mid": (("", "898970000000778"), MERCHANT_UNKNOWN),
        "tid of another merchant": ((_of_another_merchant(work), ""), unknown),
    }[what]
    work.do("parameters", "network", "host", "key")
    assert work.identity(*wrong).ok
    told = bench.once_connected(bench.terminal.sign_in)
    assert told.code == code, told.text
    work.do("identity", "key")
    work.online()


@pytest.mark.declares("INS-03")
@pytest.mark.parametrize(
    ("why", "via"),
    [("unknown", "keypad"), ("unknown", "service"), ("another unit's", "keypad"), ("expired", "keypad")],
)
def test_a_wrong_activation_code(bench: Bench, why: str, via: Via) -> None:
    """It is answered not registered, nothing is stored of it; with the right one the unit comes into service."""
    blank(bench, registered=False)
    work = Installation(bench)
    wrong = {
        "unknown": lambda: "000000000000",
        "another unit's": lambda: bench.host.offer_activation(bench.units.second),
        "expired": lambda: bench.host.offer_activation(bench.serial, valid_s=0),
    }[why]()
    work.do("parameters", "network", "host")
    told = bench.once_connected(lambda: bench.terminal.activate(wrong, via=via))
    assert told.code == bench.profile.not_registered[0], told.text
    assert not bench.terminal.sign_in().ok
    if len(bench.host.merchants) > 1:
        bench.host.for_merchant(2).register(write_off=True)
    assert bench.terminal.activate(bench.host.offer_activation(bench.serial), via=via).ok
    work.key_of_the_others()
    work.online()


# -- the way to the acquirer -------------------------------------------------------------------------------------------

WRONG: dict[str, Wrong] = {
    "host address": lambda work: _done(work.host(NOBODY).ok),
    "port": lambda work: _done(work.host(port=ANOTHER_PORT).ok),
    "NII": lambda work: _done(work.host(tpdu=ANOTHER_NII).ok),
    "no network": lambda work: _done(work.network("NONE").ok),
    "unplugged": lambda work: work.bench.cable.unplug(),
}
BY_NAME: dict[str, Wrong] = {
    "host name": lambda work: _done(work.host("acquirer.elsewhere.test").ok),
    "name server": lambda work: _done(work.network(f"DNS {NOBODY}").ok),
    "router": lambda work: _done(work.network(f"STATIC {GIVES} {NOBODY} {ROUTER_ADDRESS}").ok),
}


def _done(ok: bool) -> None:
    assert ok, "the terminal refused a setting"


def _in_vain_then_corrected(bench: Bench, wrong: Wrong) -> None:
    blank(bench)
    work = Installation(bench)
    work.do("parameters", "network", "host", "identity", "key")
    wrong(work)
    told = bench.terminal.sign_in()
    assert not told.ok and told.code in (None, "Z1", "Z2"), told.text
    bench.cable.plug()
    if bench.plan.network.resolve == "name":
        work.network("DNS NONE")
    work.do("network", "host")
    work.online()


@pytest.mark.declares("INS-04")
@pytest.mark.parametrize(
    "what",
    [pytest.param(what, marks=[pytest.mark.needs(modem=False)] if what == "no network" else []) for what in WRONG],
)
def test_a_wrong_way(bench: Bench, what: str) -> None:
    _in_vain_then_corrected(bench, WRONG[what])


@pytest.mark.declares("INS-04")
@pytest.mark.needs(resolve="name")
@pytest.mark.parametrize("what", BY_NAME)
def test_a_wrong_name_or_router(bench: Bench, what: str) -> None:
    _in_vain_then_corrected(bench, BY_NAME[what])


@pytest.mark.declares("INS-04")
def test_another_acquirer_answers_97(bench: Bench) -> None:
    """Who answers there does not know the terminal, and says so: that is a 97, and shown as one."""
    blank(bench)
    work = Installation(bench)
    work.do("parameters", "network", "identity", "key")
    assert work.host(BACKUP_ADDRESS).ok
    code = bench.profile.not_registered[0]
    bench.host.answer("0800", code)
    told = bench.once_connected(bench.terminal.sign_in)
    assert told.code == code, told.text
    work.do("host")
    work.online()
