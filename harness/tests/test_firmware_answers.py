"""What the terminal shows, tells, books and keeps after each kind of answer: MSG, MON-01, -02, -09, -10, STA."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import harness
from harness.protocol.frames import Frame
from harness.protocol.profile import Profile
from harness.protocol.tlv import read_ber
from harness.tests.firmware_bench import CHIP, MAGNETIC, PIK, Answer, Bench

ROOT = Path(harness.__file__).parent.parent
PROFILE = Profile.model_validate(
    YAML(typ="safe").load((ROOT / "lab_config" / "profiles" / "unionpay-direct.yaml").read_text("utf-8")))
CODES = [*PROFILE.texts.codes, "51", "ZZ", "05"]


def only(mti: str, answer: Answer) -> Callable[[Frame], Answer | None]:
    return lambda request: answer if request.mti == mti else None


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("with_mac", [True, False])
def test_a_declined_sale_shows_its_code_and_text_and_leaves_nothing(code: str, with_mac: bool) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = only("0200", Answer(code, mac=with_mac))
        told = bench.sale(9700)
        accepted = PROFILE.texts.codes.get(code, PROFILE.texts.unknown)
        assert told["DF07"] == code and told["DF09"] in accepted
        assert bench.lines[1:3] == ["交易失败", f"应答码:{code}"]
        assert "".join(bench.lines[3:]) in accepted
        assert bench.log == [] and bench.state.reversal is None
        assert bench.board.slips == []
        assert bench.state.signed_in == (code not in PROFILE.force_sign_in)


def test_97_wipes_nothing_and_a_sale_after_it_works() -> None:
    with Bench() as bench:
        bench.ready()
        before = bench.state
        bench.host.script = only("0200", Answer("97"))
        for _ in range(5):
            assert bench.sale()["DF07"] == "97"
        assert bench.state.trace == before.trace + 5
        bench.host.script = lambda request: None
        assert bench.sale()["DF07"] == "00"
        assert [f.fields[11] for f in bench.host.seen("0200")] == [f"{n:06d}" for n in range(2, 8)]


@pytest.mark.parametrize(("answer", "told", "screen", "reason", "signed_in"), [
    (Answer(act="close"), "Z2", "通讯超时", "98", True),
    (Answer("97", spoil=lambda raw: raw[:-1], act="last words"), "Z2", "通讯超时", "98", True),
    (Answer("97", fields={11: "000097"}), "Z3", "应答无效", "06", True),
    (Answer("97", fields={4: "000000000097"}), "Z3", "应答无效", "06", True),
    (Answer("97", fields={41: "97979797"}), "Z3", "应答无效", "06", True),
    (Answer("97", fields={42: "979797979797979"}), "Z3", "应答无效", "06", True),
    (Answer("97", fields={25: "97"}), "Z3", "应答无效", "06", True),
    (Answer("97", fields={49: "840"}), "Z3", "应答无效", "06", True),
    (Answer("97", fields={39: None}), "Z3", "应答无效", "06", True),
    (Answer("97", spoil=lambda raw: raw[:13] + b"\x04\x10" + raw[15:]), "Z3", "应答无效", "06", True),
    (Answer("97", spoil=lambda raw: b"\x00\x05hello"), "Z3", "应答无效", "06", True),
    (Answer("97", spoil=lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])), "Z3", "应答无效", "A0", False),
    (Answer("00", mac=False), "Z3", "应答无效", "A0", False),
    (Answer("00", spoil=lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])), "Z3", "应答无效", "A0", False),
], ids=["closed", "cut", "trace", "amount", "tid", "mid", "f25", "currency", "no-f39", "mti", "garbage", "97-bad-mac",
        "00-no-mac", "00-bad-mac"])
def test_what_is_no_answer_keeps_the_reversal_and_shows_no_code(
    answer: Answer, told: str, screen: str, reason: str, signed_in: bool
) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = only("0200", answer)
        assert bench.sale()["DF07"] == told
        assert bench.lines[1:] == [screen]
        assert not any("97" in line for line in bench.lines[1:])
        assert "冲正" in bench.lines[0]
        reversal = bench.state.reversal
        assert reversal is not None and reversal.reason == reason and reversal.trace == "000002"
        assert bench.state.signed_in is signed_in and bench.log == [] and bench.board.slips == []


def test_no_answer_in_time_is_a_time_out_and_a_late_97_changes_nothing() -> None:
    with Bench(time_scale=60.0) as bench:
        bench.ready()
        bench.host.script = only("0200", Answer(act="silence"))
        assert bench.sale()["DF07"] == "Z2"
        assert bench.state.reversal is not None and bench.state.reversal.reason == "98"
        assert "通讯超时" in bench.lines


def test_no_connection_sends_nothing_and_leaves_no_reversal() -> None:
    with Bench() as bench:
        bench.ready()
        bench.serve("HOST 127.0.0.1 1 6000030000")
        assert bench.sale()["DF07"] == "Z1"
        assert bench.lines[1:] == ["连接失败"]
        assert bench.state.reversal is None and bench.host.seen("0200") == []
        assert bench.state.trace == 3


def test_the_reversal_is_in_the_flash_before_the_request_leaves() -> None:
    with Bench() as bench:
        bench.ready()
        stored = []

        def look(request: Frame) -> None:
            stored.append((request.mti, bench.state.reversal, bench.state.trace))

        bench.host.script = look
        bench.sale()
        assert stored[0][0] == "0200" and stored[0][1] is not None and stored[0][1].reason == "98"
        assert stored[0][1].trace == "000002" and stored[0][2] == 3


@pytest.mark.parametrize("code", sorted(PROFILE.success))
def test_every_success_code_is_an_approval(code: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = only("0200", Answer(code))
        assert bench.sale(1234)["DF07"] == code
        assert "交易成功" in bench.lines and bench.board.slips[-1][-1] == "交易成功"
        assert [record.amount for record in bench.log] == [1234] and bench.state.reversal is None


def test_a_void_answered_97_leaves_the_sale_as_it_was() -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale()
        bench.host.script = only("0200", Answer("97"))
        assert bench.void("000002")["DF07"] == "97"
        assert len(bench.log) == 1 and bench.state.reversal is None
        bench.host.script = lambda request: None
        assert bench.void("000002")["DF07"] == "00"
        assert bench.void("000002")["DF07"] == "Z7"
        assert bench.host.seen("0200")[-1].fields[61] == "000001000002"


@pytest.mark.parametrize("kind", ["04", "05", "03"])
def test_97_on_sign_in_echo_and_settlement_is_shown(kind: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale()
        before = bench.log
        bench.host.script = lambda request: Answer("97")
        assert bench.till(kind)["DF07"] == "97"
        assert bench.lines[1:4] == ["交易失败", "应答码:97", bench.lines[3]]
        assert bench.lines[3] in PROFILE.texts.codes["97"]
        assert bench.log == before and bench.state.batch == 1
        assert bench.state.signed_in is (kind != "04")


@pytest.mark.parametrize("text", ["A" * 997, "终端未登记".encode("gbk").decode("latin-1") * 60, "\x00\xff\xfe"])
def test_host_text_of_any_length_and_coding_is_survived(text: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = only("0200", Answer("96", fields={63: "CUP"[: 999 - len(text)] + text[:996]}))
        assert bench.sale()["DF07"] == "96"
        assert bench.lines[3] in PROFILE.texts.codes["96"]


def test_trace_999999_is_followed_by_000001() -> None:
    with Bench() as bench:
        bench.ready()
        assert bench.terminal._store is not None
        bench.terminal._store.commit(trace=999_999)
        bench.sale()
        bench.sale()
        assert [frame.fields[11] for frame in bench.host.seen("0200")] == ["999999", "000001"]


def test_chip_and_pin_fields_of_a_sale() -> None:
    from harness.protocol import keys
    with Bench() as bench:
        bench.ready()
        assert bench.sale(1234, CHIP, "123456")["DF07"] == "00"
        frame = bench.host.seen("0200")[0]
        assert (frame.get(22), frame.get(23), frame.get(26), frame.get(53)) == ("051", "001", "12", "2600000000000000")
        objects = {one.tag: one.value.hex().upper() for one in read_ber(frame.binary(55))}
        assert (objects["9F02"], objects["9F27"], objects["9F36"]) == ("000000001234", "80", "0001")
        assert len(objects["9F26"]) == 16 and objects["84"] == dict(CHIP.objects)["84"]
        assert frame.get(35) == CHIP.track2 and frame.get(2) == CHIP.pan
        assert keys.pin_from_block(keys.decrypt(PIK, frame.binary(52)), CHIP.pan) == "123456"
        bench.board.put_event({"remove": True})
        bench.sale(1, MAGNETIC)
        stripe = bench.host.seen("0200")[1]
        assert stripe.get(22) == "022" and not {23, 26, 52, 53, 55} & set(stripe.fields)


def test_no_card_number_pin_track_or_key_gets_out() -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale(1234, CHIP, "135792")
        bench.key("CANCEL")
        bench.till("06")
        bench.settle()
        outside = "\n".join(line for page in bench.board.screens + bench.board.slips for line in page)
        outside += bench.serve(f"KEY TMK {PIK.hex()}") + bench.serve("KEY TMK " + "12" * 15) + bench.serve("COUNTERS")
        for secret in (CHIP.pan, CHIP.track2[17:], "135792", PIK.hex(), PIK.hex().upper(), "12" * 15):
            assert secret not in outside
        assert re.findall(r"卡号:(.*)", outside) == ["622848******0970"] * 2
