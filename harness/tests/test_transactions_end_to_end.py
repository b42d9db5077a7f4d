"""Every transaction of the terminal against the acquirer, by keypad and by till: done, and answered 97; on the slip, in
the books, in the terminal's report and in the acquirer's settlement report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from harness.acquirer.fees import Fee, Fees
from harness.emulator.firmware.app.kinds import KINDS as TITLES
from harness.protocol.transactions import KINDS, Kind
from harness.terminal.cards import CHIP, MAGNETIC
from harness.terminal.cashier import TYPES
from harness.terminal.contracts import Order, Via
from harness.terminal.drivers.dialogs import steps, tags
from harness.terminal.orders import NEEDS
from harness.tests.emulator_bench import model
from harness.tests.firmware_acquirer import MIDS, TIDS, AcquirerBench

SOLD, TIP = 9797, 97  # cents
ORIGINALS: Mapping[str, tuple[str, ...]] = {  # a stored one is delivered, so that 97 comes on what names it
    "void": ("sale",), "refund": ("sale",), "pre_authorisation_void": ("pre_authorisation",),
    "completion": ("pre_authorisation",), "completion_advice": ("pre_authorisation",),
    "completion_void": ("pre_authorisation", "completion"), "offline_adjust": ("offline_sale", "sale"),
    "offline_tip": ("sale",),
}
MANAGEMENT = [name for name in NEEDS if name not in KINDS and name not in ("settle", "reprint")]
DONE = (
    "交易成功", "结算成功", "签到成功", "签退成功", "回响成功", "下载完成", "状态上送完成", "无新版本",
    "余额:", "应答码:",
)
VIAS: list[Via] = ["keypad", "cashier"]


class Shop:
    """Does orders at a bench, and remembers the last answer for what names an original."""

    def __init__(self, bench: AcquirerBench, via: Via) -> None:
        self.bench, self.via = bench, via
        self.fees = Fees(bench.acquirer.host.store, {})
        with bench.acquirer.host.store.transaction():
            self.fees.set_rates(MIDS[0], {"debit": Fee(50)})
        assert self.perform("sign_in") == ""

    def perform(self, name: str) -> str:
        """The code that is shown and, by the till, told; "" where it is done."""
        order, bench = self._order(name), self.bench
        open_ = steps(order, signature=False)
        told: dict[str, str] = {}
        if self.via == "cashier":
            bench.send_order(TYPES[name], **tags(order))
        else:
            keys = model("HT-100").keys_to(name)
            assert keys is not None
            bench.key("CANCEL", "FUNC", *keys)

        def step() -> bool:
            asked = next((one for one in open_ if bench.shows(one.prompt)()), None)
            if asked is not None:
                open_.remove(asked)
                if asked.how == "present":
                    assert order.card is not None
                    bench.present(order.card)
                else:
                    bench.key(*asked.text, "ENTER")
            told.update(bench._till_fields() if self.via == "cashier" else {})
            return bool(told) or (self.via == "keypad" and any(text in "".join(bench.lines) for text in DONE))

        bench.run(step)
        bench.board.put_event({"remove": True})
        shown = next((line.removeprefix("应答码:") for line in bench.lines if line.startswith("应答码:")), "")
        if self.via == "cashier":
            assert told["DF07"] == (shown or "00")
        return shown

    def _order(self, name: str) -> Order:
        """With everything that the last approved transaction has to be named by."""
        fitting = [r for r in self.bench.log if name not in KINDS or r.kind in KINDS[name].originals]
        trace = f"{fitting[-1].trace:06d}" if fitting else ""
        answers = [entry for entry in self.entries() if entry["kind"] in ("sale", "pre_authorisation")]
        last = answers[-1] if answers else {"rrn": "", "date": "", "trace": ""}
        known: dict[str, Any] = {
            "amount": SOLD, "card": CHIP if name == "offline_chip_sale" else MAGNETIC, "trace": trace, "tip": TIP,
            "reference": last["rrn"], "date": last["date"], "authorisation": self._authorisation(last["trace"]),
        }
        return Order(name, via=self.via, **{need: known[need] for need in NEEDS[name]})

    def _authorisation(self, trace: str) -> str:
        ledger = self.bench.acquirer.host.ledger.entries(MIDS[0], TIDS[0])
        return next((entry.auth_code for entry in ledger if entry.trace == trace), "")

    def prepare(self, name: str) -> None:
        for original in ORIGINALS.get(name, ()):
            assert self.perform(original) == ""

    def entries(self) -> list[dict[str, Any]]:
        return list(self.bench.office("ledger")["entries"])

    def gross(self) -> int:
        """Debits less credits in the settlement report of batch 000001."""
        report = self.fees.newest(MIDS[0], TIDS[0], 1)
        return 0 if report is None else report.gross

    def settle_and_read(self) -> list[str]:
        """Settled, balanced, and the batch closed at the host; the terminal's report."""
        assert self.perform("settle") == ""
        report = self.bench.board.slips[-1]
        assert report[0] == "结算总计单" and "对账平" in report
        found = self.fees.newest(MIDS[0], TIDS[0], 1)
        assert found is None or not found.open
        return report


def counted(kind: Kind) -> tuple[int, int]:
    """(amount, number) of the kind's line in the terminal's report."""
    return (SOLD + TIP if kind.name == "offline_tip" else SOLD), 1


def worth(names: list[str]) -> int:
    """What the settlement report says of these, done one after the other: what replaces another stands for it."""
    total = 0
    for name in names:
        kind = KINDS[name]
        amount, _ = counted(kind)
        total += {"debit": amount, "credit": -amount, "none": 0}[kind.side] - (SOLD if kind.replaces else 0)
    return total


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("name", KINDS)
def test_done_it_is_on_the_slip_in_the_books_and_in_both_reports(name: str, via: Via) -> None:
    kind = KINDS[name]
    with AcquirerBench() as bench:
        shop = Shop(bench, via)
        shop.prepare(name)
        slips = len(bench.board.slips)
        assert shop.perform(name) == ""
        request = bench.host.requests[-1]
        amount, number = counted(kind)
        if name == "balance":
            assert len(bench.board.slips) == slips
        else:
            slip = bench.board.slips[-1]
            assert len(bench.board.slips) == slips + 1 and "交易成功" in slip
            assert {f"交易类型:{TITLES[name].title}", f"金额:RMB {amount // 100}.{amount % 100:02d}"} <= set(slip)
        done = [*ORIGINALS.get(name, ()), name]
        if kind.stored:
            assert shop.perform("sale") == ""
            done.append("sale")
            request = next(one for one in reversed(bench.host.requests) if one.message_type == kind.message_type)
        assert (request.mti, request.message_type) == (kind.mti, kind.message_type)
        booked = [entry["kind"] for entry in shop.entries()]
        assert booked == [one for one in done if one != "balance"]
        report = shop.settle_and_read()
        if kind.in_batch:
            assert f"{TITLES[name].title}:{number}笔 RMB {amount // 100}.{amount % 100:02d}" in report
        assert shop.gross() == worth(done)


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("name", KINDS)
def test_answered_97_it_is_nowhere_but_on_the_screen_and_at_the_till(name: str, via: Via) -> None:
    kind = KINDS[name]
    with AcquirerBench() as bench:
        shop = Shop(bench, via)
        shop.prepare(name)
        if kind.stored:
            assert shop.perform(name) == ""
        slips, books, log = len(bench.board.slips), shop.entries(), bench.log
        bench.office("remove_terminal")
        assert shop.perform("sale" if kind.stored else name) == "97" and bench.shows("终端未登记")()
        answered = bench.host.requests[-1]
        assert (answered.mti, answered.message_type) == (kind.mti, kind.message_type)
        assert (len(bench.board.slips), shop.entries(), bench.log) == (slips, books, log)
        assert bench.state.reversal is None
        bench.office("register_terminal", tmk=bench.state.tmk.upper())
        assert shop.perform("sign_in") == ""
        done = list(ORIGINALS.get(name, ())) + ([name] if kind.stored else [])
        report = shop.settle_and_read()
        if kind.in_batch and not kind.stored:
            assert not any(line.startswith(f"{TITLES[name].title}:1笔") for line in report)
        assert shop.gross() == worth(done)


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("name", [*MANAGEMENT, "settle"])
def test_what_moves_no_money_is_done_and_is_answered_97(name: str, via: Via) -> None:
    with AcquirerBench() as bench:
        shop = Shop(bench, via)
        assert shop.perform("sale") == ""
        books, log = shop.entries(), bench.log
        bench.office("remove_terminal")
        assert shop.perform(name) == "97" and bench.shows("终端未登记")()
        assert (shop.entries(), bench.log) == (books, log)
        bench.office("register_terminal", tmk=bench.state.tmk.upper())
        if name != "sign_in":
            assert shop.perform("sign_in") == ""
        assert shop.perform(name) == ""
        if name == "sign_off":
            assert shop.perform("sign_in") == ""
        if name != "settle":
            shop.settle_and_read()
        assert shop.gross() == SOLD
