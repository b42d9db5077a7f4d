"""A terminal with a modem loses its network: at start, during a sale, during recovery. Never a 97; back by itself."""

from collections.abc import Callable

import pytest

from harness.bench.bench import Bench
from harness.history.events import WireFrame
from harness.instruments.modem import Modem
from harness.terminal.cards import CHIP, MAGNETIC
from harness.terminal.contracts import Completion

pytestmark = [pytest.mark.needs(modem=True), pytest.mark.declares("NET-04", "MSG-02")]
Lose = Callable[[Modem], None]
LOSSES = {
    "no signal": (lambda modem: modem.signal("none"), "无信号"),
    "registration denied": (Modem.deny_registration, "网络注册失败"),
    "no session": (Modem.refuse_session, "数据连接失败"),
    "no SIM": (Modem.take_sim, "未插SIM卡"),
}
EACH_LOSS = pytest.mark.parametrize(("lose", "shown"), LOSSES.values(), ids=[name.replace(" ", "-") for name in LOSSES])


def trouble(told: Completion, shown: str) -> None:
    """The terminal says what is the matter, and no code."""
    assert not told.ok and not told.connected and shown in told.text, told.text
    assert told.code in (None, "Z1") and "97" not in told.text


def back(bench: Bench, action: Callable[[], Completion]) -> Completion:
    """With everything around the modem as it should be, and nobody to visit the terminal."""
    bench.modem.heal()
    bench.modem.await_session(True, bench.profile.limits.recovery_s)
    return bench.once_connected(action)


@pytest.mark.declares("NET-01")
@EACH_LOSS
def test_before_a_sale(bench: Bench, lose: Lose, shown: str) -> None:
    """Nothing is sent, so nothing is to be reversed."""
    lose(bench.modem)
    bench.modem.await_session(False, 5.0)
    trouble(bench.terminal.sale(10_00, card=CHIP), shown)
    sold = back(bench, lambda: bench.terminal.sale(11_00, card=CHIP))
    assert sold.ok
    assert bench.terminal.void(sold.trace).ok


@EACH_LOSS
def test_at_start(bench: Bench, lose: Lose, shown: str) -> None:
    """Switched on where there is no network: idle, and it says why it is not connected."""
    lose(bench.modem)
    bench.power.cycle()
    bench.terminal.await_idle(20)
    trouble(bench.terminal.sign_in(), shown)
    assert back(bench, bench.terminal.sign_in).ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok


@pytest.mark.declares("NET-01")
@EACH_LOSS
def test_while_a_sale_is_answered(bench: Bench, lose: Lose, shown: str) -> None:
    """The request has left, the answer finds nobody: the outcome is unknown, and reversed once there is a network."""
    bench.host.misbehave("0200", "late", delay_s=0.5)
    operation = bench.terminal.begin_sale(10_00, card=MAGNETIC)
    bench.await_frame("0200")
    lose(bench.modem)
    told = operation.wait()
    assert not told.ok and told.code in (None, "Z2") and "97" not in told.text
    assert back(bench, lambda: bench.terminal.sale(11_00, card=MAGNETIC)).ok


@pytest.mark.declares("NET-01")
def test_a_short_break_while_a_sale_is_answered(bench: Bench) -> None:
    """The network ends the session and grants another at once: TCP brings the answer, or the sale is reversed."""
    bench.host.misbehave("0200", "late", delay_s=0.3)
    operation = bench.terminal.begin_sale(10_00, card=MAGNETIC)
    bench.await_frame("0200")
    bench.modem.drop_session()
    operation.wait()
    assert back(bench, lambda: bench.terminal.sale(11_00, card=MAGNETIC)).ok


def test_a_dropped_session_is_made_again(bench: Bench) -> None:
    """While nobody does anything: the next sale finds the network there."""
    bench.modem.drop_session()
    bench.modem.await_session(True, bench.profile.limits.recovery_s)
    assert bench.once_connected(lambda: bench.terminal.sale(10_00, card=MAGNETIC)).ok


def test_a_weak_signal_is_enough(bench: Bench) -> None:
    """97 over it is a definite 97, and the recovery from it works."""
    code = bench.profile.not_registered[0]
    bench.modem.signal("weak")
    bench.host.deregister()
    assert bench.terminal.sale(10_00, card=MAGNETIC).code == code
    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok


@pytest.mark.declares("NET-05")
@EACH_LOSS
def test_during_recovery(bench: Bench, lose: Lose, shown: str) -> None:
    """97, registered again, and no network to learn it over: the recovery is late, and nothing else."""
    code = bench.profile.not_registered[0]
    bench.host.deregister()
    assert bench.terminal.sale(10_00, card=MAGNETIC).code == code
    bench.host.register()
    bench.sync()
    before = sum(isinstance(event, WireFrame) for event in bench.history.events)
    lose(bench.modem)
    trouble(bench.terminal.sign_in(), shown)
    bench.sync()
    assert sum(isinstance(event, WireFrame) for event in bench.history.events) == before
    assert back(bench, bench.terminal.sign_in).ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok
