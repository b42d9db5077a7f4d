"""Sign-in in every length of key against the acquirer: what a sale then looks like, what a wrong check value does."""

from __future__ import annotations

from typing import Any

import pytest

from harness.protocol import keys
from harness.protocol.frames import Frame, decode
from harness.tests.acquirer_terminal import profile
from harness.tests.firmware_acquirer import MIDS, TIDS, AcquirerBench
from harness.tests.firmware_bench import MAGNETIC

SIGN_INS: dict[str, dict[str, Any]] = {
    "001": {"sign_in_network_code": "001"}, "003": {},
    "003 long MAK": {"mak_length": 16}, "004": {"sign_in_network_code": "004"},
    "004 long MAK": {"sign_in_network_code": "004", "mak_length": 16}, "005": {"sign_in_network_code": "005"},
    "006": {"sign_in_network_code": "006", "sm_key_digit": "4"},
}
SM = ("005", "006")


@pytest.mark.parametrize("name", SIGN_INS)
def test_signed_in_it_sells_with_the_keys_that_came(name: str) -> None:
    with AcquirerBench(with_profile=profile(**SIGN_INS[name])) as bench:
        assert bench.sign_in()["DF07"] == "00"
        known = bench.acquirer.host.registry.keys(MIDS[0], TIDS[0])
        assert known is not None and known.pik and known.mak
        lengths = keys.key_lengths(name[:3], SIGN_INS[name].get("mak_length", 8))
        assert tuple(len(key or b"") for key in (known.pik, known.mak, known.tdk)) == lengths
        assert (bench.state.pik, bench.state.mak) == (known.pik.hex(), known.mak.hex())
        assert bench.state.tdk == (known.tdk or b"").hex()
        assert bench.sale()["DF07"] == "00"
        assert bench.settle()["DF07"] == "00"
        assert [entry["state"] for entry in bench.office("ledger")["entries"]] == ["approved"]


@pytest.mark.parametrize("name", SIGN_INS)
def test_the_mac_of_another_algorithm_or_key_length_would_not_have_done(name: str) -> None:
    """The acquirer really looks: the sale's F64 is right under the whole MAK with the sign-in's algorithm, only."""
    with AcquirerBench(with_profile=profile(**SIGN_INS[name])) as bench:
        bench.sign_in()
        bench.sale()
        sale, mak = bench.host.seen("0200")[0], bytes.fromhex(bench.state.mak)
        algorithm = keys.algorithm_of(name[:3])
        assert keys.verify(sale, mak, algorithm) == "ok"
        if len(mak) == 16:
            assert keys.verify(sale, mak[:8]) == "bad"
            assert keys.verify(sale, mak, "des" if algorithm == "sm4" else "sm4") == "bad"


@pytest.mark.parametrize("name", SIGN_INS)
def test_97_on_the_sign_in_leaves_the_keys_and_the_next_one_brings_others(name: str) -> None:
    with AcquirerBench(with_profile=profile(**SIGN_INS[name])) as bench:
        assert bench.sign_in()["DF07"] == "00"
        before = bench.state
        bench.office("remove_terminal")
        assert bench.sign_in()["DF07"] == "97" and bench.shows("应答码:97")()
        assert not bench.state.signed_in and bench.sale_is_refused() == "Z4"
        assert (bench.state.tmk, bench.state.pik, bench.state.mak, bench.state.tdk) == (
            before.tmk, before.pik, before.mak, before.tdk)
        bench.office("register_terminal", tmk=before.tmk.upper())
        assert bench.sign_in()["DF07"] == "00" and bench.state.mak != before.mak
        assert bench.sale()["DF07"] == "00"


@pytest.mark.parametrize("name", SIGN_INS)
def test_a_wrong_check_value_is_no_sign_in(name: str) -> None:
    with AcquirerBench(with_profile=profile(**SIGN_INS[name])) as bench:
        bench.acquirer.do("misbehave", rule={"mti": "0800", "action": "bad_kcv", "count": 1})
        assert bench.sign_in()["DF07"] == "Z3" and bench.shows("密钥错误")()
        assert not bench.state.signed_in and bench.state.mak == "" and bench.sale_is_refused() == "Z4"
        assert bench.sign_in()["DF07"] == "00"


@pytest.mark.parametrize(
    ("name", "slot"), [(name, slot) for name in SIGN_INS for slot in range(3 if name[:3] == "004" else 2)]
)
def test_each_single_check_value_counts(name: str, slot: int) -> None:
    """Only one of them is wrong."""
    size = 12 if name == "001" else 20
    end = (slot + 1) * size

    def spoil(raw: bytes) -> bytes:
        frame = decode(raw)
        f62 = bytearray(frame.binary(62))
        f62[end - 1] ^= 1
        return frame.but({62: f62.hex().upper()}).raw

    with AcquirerBench(with_profile=profile(**SIGN_INS[name])) as bench:
        exchange = bench.acquirer.exchange
        bench.acquirer.exchange = lambda raw: spoil(exchange(raw) or b"")  # type: ignore[method-assign]
        assert bench.sign_in()["DF07"] == "Z3" and not bench.state.signed_in


def sale_frame(name: str, *, pin: str = "") -> tuple[AcquirerBench, Frame]:
    bench = AcquirerBench(with_profile=profile(**SIGN_INS[name]))
    assert bench.sign_in()["DF07"] == "00"
    assert bench.sale(pin=pin)["DF07"] == "00"
    return bench, bench.host.seen("0200")[0]


def test_with_a_track_key_the_tracks_leave_enciphered_and_the_host_reads_them() -> None:
    bench, sale = sale_frame("004", pin="123456")
    with bench:
        assert sale.get(35) != MAGNETIC.track2 and sale.get(53)[2] == "1"
        assert keys.decrypt_track(bytes.fromhex(bench.state.tdk), sale.get(35)) == MAGNETIC.track2
        assert sale.get(2) == MAGNETIC.pan


def test_under_another_track_key_the_host_does_not_take_it() -> None:
    bench, _ = sale_frame("004")
    with bench:
        store = bench.acquirer.host.store
        with store.transaction():
            store.db.execute("UPDATE keys SET tdk = ?", (bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),))
        assert bench.sale()["DF07"] == "A7"
        assert len(bench.office("ledger")["entries"]) == 1


@pytest.mark.parametrize("name", [name for name in SIGN_INS if name[:3] != "004"])
def test_without_a_track_key_they_leave_as_they_are(name: str) -> None:
    bench, sale = sale_frame(name)
    with bench:
        assert sale.get(35) == MAGNETIC.track2


@pytest.mark.parametrize(("name", "f53"), [
    ("001", "2000000000000000"), ("003", "2600000000000000"), ("004", "2610000000000000"),
])
def test_a_pin_is_under_the_pin_key_of_its_length(name: str, f53: str) -> None:
    bench, sale = sale_frame(name, pin="123456")
    with bench:
        assert sale.get(53) == f53 and sale.get(26) == "12" and sale.get(22) == "021"
        clear = keys.decrypt(bytes.fromhex(bench.state.pik), sale.binary(52))
        assert keys.pin_from_block(clear, MAGNETIC.pan) == "123456"


@pytest.mark.parametrize("name", SM)
def test_with_sm4_keys_nobody_is_asked_for_a_pin(name: str) -> None:
    with AcquirerBench(with_profile=profile(**SIGN_INS[name])) as bench:
        bench.sign_in()
        assert bench.sale()["DF07"] == "00"
        assert not any("请输入密码" in line for screen in bench.board.screens for line in screen)
        sale = bench.host.seen("0200")[0]
        assert 52 not in sale and sale.get(22) == "022"


def test_another_sort_of_keys_needs_another_sign_in() -> None:
    with AcquirerBench() as bench:
        bench.sign_in()
        assert bench.serve("PARAM sign_in_network_code=003") == "OK sign_in_network_code=003" and bench.state.signed_in
        assert bench.serve("PARAM sign_in_network_code=005") == "OK sign_in_network_code=005"
        assert not bench.state.signed_in and bench.state.mak == "" and bench.sale_is_refused() == "Z4"


@pytest.mark.parametrize("name", ["003", "005"])
def test_both_sides_show_the_same_check_value_of_the_master_key(name: str) -> None:
    with AcquirerBench(with_profile=profile(**SIGN_INS[name])) as bench:
        issued = bench.office("issue_tmk")
        assert bench.serve(f"KEY TMK {issued['tmk']}") == f"OK KCV={issued['kcv']}"
