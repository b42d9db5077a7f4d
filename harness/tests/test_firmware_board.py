"""The reference firmware on the real board process, booted out of its signed image, with the real acquirer process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import serial

from harness.emulator.build import build
from harness.emulator.shipped import REFERENCE_SOURCE
from harness.instruments.card_slot import CardSlot
from harness.instruments.keypad import Keypad
from harness.instruments.power import Supply
from harness.instruments.printer import Printer
from harness.instruments.screen import ScreenReading
from harness.terminal import cashier
from harness.terminal.cards import ALIPAY, CHIP, CONTACTLESS, MAGNETIC, WECHAT, Card
from harness.tests.acquirer_terminal import Process, running
from harness.tests.emulator_bench import SIGNING_KEY, Terminal, eventually

MID, TID = "897970000000001", "97000001"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "reference.img"
    build(REFERENCE_SOURCE, "1.0.0", SIGNING_KEY, path)
    return path


class Lab:
    """A terminal that is switched on, the acquirer, the two serial lines and the printer."""

    def __init__(self, folder: Path, image: Path, model: str, acquirer: Process) -> None:
        self.terminal, self.acquirer, self.model = Terminal(folder / "board", image, model), acquirer, model
        panel = self.terminal.panel
        self.keypad, self.slot, self.supply = Keypad(panel), CardSlot(panel), Supply(panel)
        self.slips: list[list[str]] = []
        self.signs = False
        self.printer = Printer(panel, lambda reading, _: self.slips.append(reading.lines))
        self.supply.on()
        self.shows("欢迎使用")
        self.service = serial.Serial(panel.service, 115200, timeout=5)
        self.till = serial.Serial(panel.cashier, 9600, timeout=5)
        acquirer.client.request({"op": "register_merchant", "mid": MID, "name": "test"})
        self.tmk = acquirer.client.register_terminal(MID, TID)

    def close(self) -> None:
        self.service.close()
        self.till.close()
        self.printer.close()
        self.terminal.__exit__(None, None, None)

    def shows(self, *texts: str, timeout: float = 10.0) -> list[str]:
        """Waits until the screen, read from its pixels, has all these texts; every cell must be readable."""
        reading = self.terminal.screen.wait(
            lambda seen: all(any(text in line for line in seen.lines) for text in texts), timeout)
        assert reading is not None, f"waited for {texts}, the screen says {self.terminal.screen.read().lines}"
        assert reading.unreadable == 0
        return reading.lines

    def shows_one_of(self, *texts: str) -> list[str]:
        """Waits until the screen has any of these texts."""
        reading = self.terminal.screen.wait(lambda seen: any(text in seen.lines for text in texts), 10)
        assert reading is not None, f"waited for one of {texts}, the screen says {self.terminal.screen.read().lines}"
        return reading.lines

    def serve(self, line: str) -> str:
        self.service.write(line.encode() + b"\r\n")
        return bytes(self.service.readline()).decode().strip()

    def provision(self) -> None:
        address, port = self.acquirer.client.address
        for command in (f"KEY TMK {self.tmk}", f"SET TID={TID} MID={MID}", f"HOST {address} {port} 6000030000"):
            assert self.serve(command).startswith("OK "), command

    def command(self, **fields: str) -> None:
        self.till.write(cashier.encode({"DF01": "00", "DF04": "0097", **fields}))
        assert self.till.read(1) == b"\x06"

    def sign(self) -> None:
        """Where the terminal asks for a signature, the customer signs, if that is wanted."""
        if self.model != "HT-200" or "请签名" not in self.shows_one_of("请签名", "交易失败", "交易成功"):
            return
        if not self.signs:
            self.keypad.press("ENTER")
        else:
            self.slot.sign(bytes(64) + b"\x3c" * 64)

    def answer(self) -> dict[str, str]:
        receiver, deadline = cashier.Receiver(), time.monotonic() + 10
        while time.monotonic() < deadline:
            for message in receiver.feed(self.till.read(max(1, self.till.in_waiting))):
                return message.fields
        raise AssertionError("no answer on the cashier link")

    def sale(self, amount: int = 1234) -> dict[str, str]:
        self.command(DF02="01", DF03=f"{amount:012d}")
        self.shows("请刷卡或插卡")
        self.slot.swipe(MAGNETIC.track2)
        self.shows("请输入密码")
        self.keypad.press("ENTER")
        self.sign()
        return self.answer()

    def do(self, type_: str, **fields: str) -> dict[str, str]:
        self.command(DF02=type_, **fields)
        return self.answer()

    def ledger(self) -> list[dict[str, Any]]:
        reply = self.acquirer.client.request({"op": "ledger", "mid": MID, "tid": TID})
        return [entry if isinstance(entry, dict) else entry.model_dump() for entry in reply["entries"]]


@pytest.fixture(params=["HT-100", "HT-200"])
def lab(request: pytest.FixtureRequest, tmp_path: Path, image: Path) -> Iterator[Lab]:
    (tmp_path / "acquirer").mkdir()
    with running(tmp_path / "acquirer") as acquirer:
        lab = Lab(tmp_path, image, request.param, acquirer)
        try:
            yield lab
        finally:
            lab.close()


def test_a_day_of_a_terminal(lab: Lab) -> None:
    lab.provision()
    lab.signs = True
    menu = {"HT-100": "1", "HT-200": "3"}[lab.serve("VERSION").split()[1]]
    lab.keypad.press("FUNC", menu)
    assert "已签到" in lab.shows("签到成功")[0]
    assert lab.do("05")["DF07"] == "00"
    first = lab.sale(1234)
    assert (first["DF07"], first["DF13"]) == ("00", "622588******0097")
    lab.keypad.press("CANCEL")
    lab.shows("欢迎使用")
    lab.keypad.press("ENTER", "9", "7", "0", "0", "ENTER")
    lab.shows("请刷卡或插卡")
    lab.slot.insert(CHIP.chip())
    lab.shows("请输入密码")
    lab.keypad.press(*CHIP.pin, "ENTER")
    lab.shows("交易成功")
    lab.slot.remove()
    assert lab.do("02", DF08=first["DF10"])["DF07"] == "00"
    books = [(entry["kind"], entry["amount"], entry["state"]) for entry in lab.ledger()]
    assert books == [("sale", 1234, "voided"), ("sale", 9700, "approved"), ("void", 1234, "approved")]
    assert lab.serve("COUNTERS").split()[3:5] == ["sales=2/10934", "voids=1/1234"]
    assert lab.do("03")["DF07"] == "00" and lab.serve("COUNTERS").split()[1] == "batch=000002"
    assert lab.sale(1)["DF07"] == "00"
    eventually(lambda: len(lab.slips) == 5)
    assert [slip[0] for slip in lab.slips] == ["POS签购单"] * 3 + ["结算总计单", "POS签购单"]


def alert_seen(lab: Lab) -> bool:
    """Whether a key brings what the sign-in after power-on was answered; idle again."""
    lab.keypad.press("FUNC")
    lines = "".join(lab.shows_one_of("提示", "功能菜单"))
    if "功能菜单" in lines:  # it may come while the menu is left
        lab.keypad.press("CANCEL")
        lines = "".join(lab.shows_one_of("欢迎使用", "提示"))
    if "提示" not in lines:
        return False
    assert "应答码:97" in lines and "终端未登记" in lines
    lab.keypad.press("CANCEL")
    if "功能菜单" in lab.shows_one_of("欢迎使用", "功能菜单"):
        lab.keypad.press("CANCEL")
        lab.shows("欢迎使用")
    return True


def test_97_and_the_recovery_from_it(lab: Lab) -> None:
    lab.provision()
    assert lab.do("04")["DF07"] == "00" and lab.sale(1000)["DF07"] == "00"
    lab.acquirer.client.request({"op": "remove_terminal", "mid": MID, "tid": TID})
    for _ in range(3):
        assert lab.sale(9700)["DF07"] == "97"
        lines = lab.shows("交易失败", "应答码:97")
        assert "终端未登记" in "".join(lines)
    assert lab.do("04")["DF07"] == "97" and lab.do("03")["DF07"] == "Z4"
    lab.supply.off()
    lab.supply.on()
    lab.shows("欢迎使用", "未签到")
    eventually(lambda: alert_seen(lab))
    lab.acquirer.client.request({"op": "register_terminal", "mid": MID, "tid": TID, "tmk": lab.tmk})
    assert lab.do("04")["DF07"] == "00"
    assert lab.do("03")["DF07"] == "00"
    assert lab.sale(2000)["DF07"] == "00"
    assert [(entry["amount"], entry["state"]) for entry in lab.ledger()] == [(1000, "approved"), (2000, "approved")]


def test_an_answer_that_never_came_is_reversed_after_a_power_cut(lab: Lab) -> None:
    lab.provision()
    assert lab.do("04")["DF07"] == "00"
    lab.acquirer.client.request({"op": "misbehave", "rule": {"mti": "0200", "count": 1, "action": "never"}})
    lab.command(DF02="01", DF03="000000009700")
    lab.shows("请刷卡或插卡")
    lab.slot.swipe(MAGNETIC.track2)
    lab.shows("请输入密码")
    lab.keypad.press("ENTER")
    lab.shows("等待应答")
    lab.supply.off()
    lab.supply.on()
    deadline = time.monotonic() + 10
    while lab.ledger()[0]["state"] != "reversed":
        assert time.monotonic() < deadline
    assert lab.sale(100)["DF07"] == "00"
    assert [(entry["amount"], entry["state"]) for entry in lab.ledger()] == [(9700, "reversed"), (100, "approved")]


def _shows_or_is_dark(text: str, seen: ScreenReading) -> bool:
    return not seen.lines or text in seen.lines


def sold(lab: Lab) -> bool:
    """A sale by the till, whose supply may die anywhere in it, also in what the host asked for in the background."""
    lab.till.write(cashier.encode({"DF01": "00", "DF04": "0097", "DF02": "01", "DF03": "000000000100"}))
    steps: list[tuple[str, Callable[[], None]]] = [
        ("请刷卡或插卡", lambda: lab.slot.swipe(MAGNETIC.track2)), ("请输入密码", lambda: lab.keypad.press("ENTER"))]
    if lab.model == "HT-200":
        steps.append(("请签名", lambda: lab.keypad.press("ENTER")))
    for text, act in [*steps, ("交易成功", lambda: None)]:
        seen = lab.terminal.screen.wait(partial(_shows_or_is_dark, text), 10)
        assert seen is not None, f"waited for {text}, the screen says {lab.terminal.screen.read().lines}"
        if not seen.lines:
            return False
        act()
    return True


@pytest.mark.parametrize("torn", [False, True])
def test_the_supply_dies_inside_a_sale_at_each_operation_of_the_flash(lab: Lab, torn: bool) -> None:
    lab.provision()
    lab.do("04")
    operations, cut = 0, 0
    while True:
        cut += 1
        power_events = len(lab.terminal.events)
        lab.terminal.panel.request("cut_at", operation=cut, torn=torn)
        if sold(lab):
            lab.terminal.panel.request("cut_at", operation=None)
            break
        lab.terminal.wait_power("off", "cut", since=power_events)
        operations += 1
        lab.till.reset_input_buffer()
        lab.supply.on()
        lab.shows("欢迎使用")
        deadline = time.monotonic() + 10
        while "reversal=none" not in lab.serve("COUNTERS"):
            assert time.monotonic() < deadline, lab.serve("COUNTERS")
        deadline = time.monotonic() + 10
        while "signed_in=1" not in lab.serve("COUNTERS"):
            assert time.monotonic() < deadline, lab.serve("COUNTERS")
    assert operations >= 2
    kept = [entry for entry in lab.ledger() if entry["state"] == "approved"]
    assert f"sales={len(kept)}/{100 * len(kept)} " in lab.serve("COUNTERS")
    assert len({entry["trace"] for entry in lab.ledger()}) == len(lab.ledger())


def test_every_transaction_against_the_real_acquirer(lab: Lab) -> None:
    """Each kind once, in three entry modes; then a settlement that balances, with nothing left over."""
    lab.provision()
    assert lab.do("04")["DF07"] == "00"

    def done(name: str, card: Card | None = None, **tags: str) -> dict[str, str]:
        lab.command(DF02=cashier.TYPES[name], **tags)
        if card is not None:
            lab.shows("请刷卡或插卡")
            match card.entry:
                case "chip":
                    lab.slot.insert(card.chip())
                case "contactless":
                    lab.slot.tap(card.chip())
                case "scan":
                    lab.slot.scan(card.code)
                case _:
                    lab.slot.swipe(card.track2)
        asked = lab.shows_one_of("请输入密码", "请签名", "交易成功", "交易失败") if card else []
        if "请输入密码" in asked:
            lab.keypad.press(*(card.pin if card else ""), "ENTER")
        elif "请签名" in asked:
            lab.keypad.press("ENTER")
        told = lab.answer()
        if card is not None and card.entry == "chip":
            lab.slot.remove()
        assert told["DF07"] == "00", (name, told, lab.terminal.screen.read().lines)
        return told

    def cents(amount: int) -> str:
        return f"{amount:012d}"

    sale = done("sale", MAGNETIC, DF03=cents(1000))
    chip = done("sale", CHIP, DF03=cents(2000))
    done("sale", CONTACTLESS, DF03=cents(3000))
    scanned = [done("sale", card, DF03=cents(4000)) for card in (WECHAT, ALIPAY)]
    date = time.strftime("%m%d", time.gmtime(time.time() + 8 * 3600))  # the host's, in Beijing
    assert "DF19" in done("balance", CHIP)
    done("refund", CHIP, DF15=chip["DF14"], DF16=date, DF03=cents(500))
    done("void", DF08=sale["DF10"])
    done("void", DF08=scanned[0]["DF10"])
    for name in ("pre_authorisation_void", "completion", "completion_advice"):
        held = done("pre_authorisation", MAGNETIC, DF03=cents(5000))
        told = done(name, MAGNETIC, DF17=held["DF17"], DF16=date, DF03=cents(5000))
    done("completion_void", DF08=told["DF10"])
    offline = done("offline_sale", MAGNETIC, DF03=cents(600))
    done("offline_adjust", DF08=offline["DF10"], DF03=cents(700))
    done("offline_tip", DF08=chip["DF10"], DF18=cents(100))
    done("offline_chip_sale", CHIP, DF03=cents(800))
    counters = lab.serve("COUNTERS")
    assert lab.do("03")["DF07"] == "00", lab.terminal.screen.read().lines
    eventually(lambda: lab.slips[-1][0] == "结算总计单")
    assert "对账平" in lab.slips[-1], (lab.slips[-1], lab.ledger(), counters)
