"""A terminal of two merchants with something of everything stored, made by using it, for the tests of updates."""

from __future__ import annotations

from typing import Any

from harness.protocol.frames import Frame
from harness.terminal.cashier import TYPES
from harness.tests.firmware_bench import CHIP, MAGNETIC, MID, TID, TMK, Answer, Bench
from harness.tests.firmware_versions import main_of

SCRIPT = "910A" + "97" * 8 + "3030" + "72129F1804000000978609842400000497979797"
CA_KEY = {"rid": "A000000333", "index": "01", "expiry": "20301231", "modulus": "97" * 128, "exponent": "03"}
APPLICATION = {"aid": "A0000003330101", "objects": {"9F06": "A0000003330101", "9F1B": "00001000"}}
TIDS, MIDS = (TID, "97000002"), (MID, "898970000000002")


def select(bench: Bench, number: int) -> None:
    """At the keypad: this merchant works from now on."""
    bench.key("CANCEL", "FUNC")
    bench.run(bench.shows("功能菜单"))
    bench.key("8")
    bench.run(bench.shows("请选择商户"))
    bench.key(str(number))
    bench.run(bench.shows("设置成功", TIDS[number - 1]))
    bench.key("CANCEL")


def nobody_answers(request: Frame) -> Answer | None:
    """Nothing that waits is delivered."""
    return Answer(act="close")


def full(version: str) -> Bench:
    """Run by ``version``. Of the first merchant: two sales, one of them voided, and a sale whose outcome is unknown. Of
    the second, which is selected: a chip sale with the notice of a script, a signature and a stored sale that wait.
    Host, dialect, downloaded tables, a 97 that nobody has seen."""
    bench = Bench(model="HT-200", application=main_of(version))
    for number, (tid, mid) in enumerate(zip(TIDS, MIDS, strict=True), 1):
        for line in (f"MERCHANT {number}", f"KEY TMK {TMK.hex()}", f"SET TID={tid} MID={mid}"):
            assert bench.serve(line).startswith("OK ")
    for line in (f"HOST 127.0.0.1 {bench.host.port} 6000030000", "PARAM operator=01 ", "PARAM http_path=/97",
                 "PARAM auto_sign_in=0", "MERCHANT 1"):
        assert bench.serve(line).startswith("OK ")
    assert bench.sign_in()["DF07"] == "00"
    assert bench.sale(100)["DF07"] == "00" and bench.sale(200)["DF07"] == "00"
    assert bench.void(trace_of_last(bench))["DF07"] == "00"
    bench.host.script = lambda request: Answer(act="close") if request.mti in ("0200", "0400") else None
    assert bench.sale(300)["DF07"] == "Z2"
    select(bench, 2)
    bench.host.script = script
    assert bench.sign_in()["DF07"] == "00"
    signed_chip_sale(bench, 400)
    order = bench.order(TYPES["offline_sale"], MAGNETIC, DF03=f"{500:012d}")
    assert order["DF07"] == "00"
    store = store_of(bench, 0)
    for name, table in (("capk", [CA_KEY]), ("aid", [APPLICATION]), ("blacklist", ["622588"])):
        store.put_table(name, table)
    store.commit(note="97")
    bench.host.script = nobody_answers
    one, other = store_of(bench, 0), store_of(bench, 1)
    assert len(one.log) == 3 and one.state.reversal is not None
    assert len(other.log) == 2 and other.state.script is not None and other.state.undelivered
    assert other.state.signatures
    return bench


def script(request: Frame) -> Answer | None:
    if request.mti == "0200":
        return Answer(fields={55: SCRIPT})
    return None if request.mti == "0800" else Answer(act="close")


def signed_chip_sale(bench: Bench, amount: int) -> None:
    """The customer signs on the pad."""
    bench.send_sale(amount)
    bench.present(CHIP)
    bench.run(bench.shows("请输入密码"))
    bench.key("ENTER")
    bench.run(bench.shows("请签名"))
    bench.board.put_event({"sign": {"strokes": (bytes(200) + b"\x18\x3c" * 20 + bytes(200)).hex()}})
    assert bench.till_answer()["DF07"] == "00"
    bench.board.put_event({"remove": True})


def trace_of_last(bench: Bench) -> str:
    return f"{store_of(bench, 0).state.last.trace:06d}"


def store_of(bench: Bench, index: int) -> Any:
    assert bench.terminal._operator is not None
    return bench.terminal._operator._merchants[index].store
