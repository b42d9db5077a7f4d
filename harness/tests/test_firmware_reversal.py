"""The life of a pending reversal: MON-03, REC-03, and what blocks behind it."""

from __future__ import annotations

import pytest

from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.tests.firmware_bench import CHIP, MAK, PIK, TMK, Answer, Bench


def pending(bench: Bench, answer: Answer | None = None) -> Bench:
    """Signed in, with the reversal of a sale (trace 000002) due."""
    bench.ready()
    bench.host.script = lambda request: answer or Answer(act="close") if request.mti == "0200" else None
    bench.sale(5000)
    bench.host.script = lambda request: None
    assert bench.state.reversal is not None
    return bench


def test_it_repeats_its_original_and_nothing_secret_of_it() -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale(5000, CHIP, "123456")
        bench.board.put_event({"remove": True})
        bench.sale(1)
        original, reversal = bench.host.seen("0200")[0], bench.host.seen("0400")[0]
        for number in (2, 3, 4, 11, 22, 25, 41, 42, 49, 60):
            assert reversal.fields[number] == original.fields[number], number
        assert not {26, 35, 36, 37, 52, 53} & set(reversal.fields)
        assert reversal.fields[39] == "98" and "9F36" not in reversal.fields[55]
        assert keys.verify(reversal, MAK) == "ok"


def test_it_goes_out_before_the_next_sale_and_is_gone_when_acknowledged() -> None:
    with pending(Bench()) as bench:
        assert bench.sale(700)["DF07"] == "00"
        assert [frame.mti for frame in bench.host.requests] == ["0800", "0200", "0400", "0200"]
        assert bench.state.reversal is None
        assert [record.amount for record in bench.log] == [700]
        assert "冲正" not in bench.lines[0]


@pytest.mark.parametrize("code", ["00", "12", "25"])
def test_the_host_takes_it_with_these_codes(code: str) -> None:
    with pending(Bench()) as bench:
        bench.host.script = lambda request: Answer(code) if request.mti == "0400" else None
        assert bench.sale()["DF07"] == "00" and bench.state.reversal is None


@pytest.mark.parametrize("code", ["97", "03", "58", "77", "A0", "96", "10", "94"])
def test_any_other_code_keeps_it_for_ever_and_blocks_the_sale(code: str) -> None:
    with pending(Bench()) as bench:
        first = bench.state.reversal
        assert first is not None
        tries = 1 if code in ("77", "A0") else 7
        bench.host.script = lambda request: Answer(code) if request.mti == "0400" else None
        for number in range(1, tries + 1):
            assert bench.sale()["DF07"] == code
            assert f"应答码:{code}" in bench.lines
            assert bench.state.reversal is not None and bench.state.reversal.attempts == number
        assert bench.state.reversal is not None and bench.state.reversal.fields == first.fields
        assert len(bench.host.seen("0200")) == 1 and bench.log == []
        assert bench.state.signed_in is (tries > 1)
        bench.reboot()
        assert bench.state.reversal is not None and bench.state.reversal.attempts == tries


@pytest.mark.parametrize("answer", [Answer("00", mac=False), Answer("97", fields={11: "000097"}), Answer(act="close")],
                         ids=["success-without-mac", "97-for-another", "closed"])
def test_what_is_no_answer_to_it_keeps_it_too(answer: Answer) -> None:
    with pending(Bench()) as bench:
        bench.host.script = lambda request: answer if request.mti == "0400" else None
        told = bench.sale()
        assert told["DF07"] == "Z9" and "冲正未成功" in bench.lines
        assert bench.state.reversal is not None and bench.state.reversal.attempts == 1
        assert len(bench.host.seen("0200")) == 1


def test_a_connection_that_fails_is_no_attempt() -> None:
    with pending(Bench()) as bench:
        port = bench.host.port
        bench.serve("HOST 127.0.0.1 1 6000030000")
        assert bench.sale()["DF07"] == "Z9" and "连接失败" in bench.lines
        assert bench.state.reversal is not None and bench.state.reversal.attempts == 0
        bench.serve(f"HOST 127.0.0.1 {port} 6000030000")
        assert bench.sale()["DF07"] == "00" and bench.state.reversal is None


@pytest.mark.parametrize(("answer", "reason"), [
    (Answer(act="close"), "98"), (Answer("97", fields={11: "000097"}), "06"),
    (Answer("97", spoil=lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])), "A0"),
])
def test_its_reason_says_why_it_is_due(answer: Answer, reason: str) -> None:
    with pending(Bench(), answer) as bench:
        bench.sign_in()
        bench.sale()
        assert bench.host.seen("0400")[0].fields[39] == reason


def test_it_goes_out_before_a_settlement() -> None:
    with pending(Bench()) as bench:
        assert bench.settle()["DF07"] == "00"
        assert [frame.mti for frame in bench.host.requests] == ["0800", "0200", "0400", "0500", "0320"]


def test_97_on_a_sign_in_does_not_touch_it_and_new_keys_sign_it_again() -> None:
    with pending(Bench()) as bench:
        due = bench.state.reversal
        bench.host.script = lambda request: Answer("97", fields={62: keys.make_f62(TMK, "003", MAK * 2, PIK[:8]).hex()
                                                                 .upper()}) if request.mti == "0800" else None
        for _ in range(3):
            assert bench.sign_in()["DF07"] == "97"
        assert bench.state.reversal == due and not bench.state.signed_in
        assert bench.state.mak == MAK.hex() and bench.state.pik == PIK.hex()
        assert bench.sale()["DF07"] == "Z4" and len(bench.host.seen("0200")) == 1
        bench.host.script = lambda request: None
        bench.sign_in()
        bench.run(lambda: bench.state.reversal is None)  # delivered by itself
        assert len(bench.host.seen("0400")) == 1 and bench.sale()["DF07"] == "00"


def test_a_new_master_key_keeps_it_until_the_next_sign_in_has_brought_keys() -> None:
    with pending(Bench()) as bench:
        assert bench.serve(f"KEY TMK {TMK.hex()}").startswith("OK KCV=")
        assert not bench.state.signed_in and bench.state.mak == "" and bench.state.reversal is not None
        bench.sign_in()
        bench.run(lambda: bench.state.reversal is None)


def test_a_void_is_reversed_like_a_sale_and_names_its_original() -> None:
    with Bench() as bench:
        bench.ready()
        bench.sale(5000)
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        assert bench.void("000002")["DF07"] == "Z2"
        assert bench.state.reversal is not None
        bench.host.script = lambda request: None
        assert bench.void("000002")["DF07"] == "00"
        reversal = bench.host.seen("0400")[0]
        assert (reversal.get(3), reversal.get(11), reversal.get(61)) == ("200000", "000003", "000001000002")
        assert [frame.get(11) for frame in bench.host.seen("0200")] == ["000002", "000003", "000004"]


def test_after_an_old_batch_was_reversed_the_hosts_batch_number_is_taken() -> None:
    with pending(Bench()) as bench:
        bench.host.batch = 41

        def fails(request: Frame) -> Answer | None:
            return Answer("96") if request.mti == "0400" else None

        bench.host.script = fails
        bench.sign_in()
        bench.run(lambda: bench.state.reversal is not None and bench.state.reversal.attempts == 1)
        assert bench.state.batch == 1 and bench.state.host_batch == 41
        bench.host.script = lambda request: None
        assert bench.sale()["DF07"] == "00"
        assert {frame.batch for frame in bench.host.seen("0400")} == {"000001"}
        assert bench.host.seen("0200")[-1].batch == "000041" and bench.state.host_batch == 0
