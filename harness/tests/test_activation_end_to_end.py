"""A blank terminal and the real acquirer: activated by a code, sold, settled; codes that are not good; a swapped unit
that brings the other's batch."""

from __future__ import annotations

from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.acquirer.activation import asked
from harness.protocol.frames import FrameError, build, decode
from harness.protocol.nested import make_serial_number
from harness.terminal.dialect import parameters
from harness.tests.acquirer_terminal import InProcess, profile
from harness.tests.firmware_acquirer import AcquirerHost
from harness.tests.firmware_bench import MAGNETIC, Bench
from harness.tests.test_firmware_backup import back_up, restore

MID, TID, UNIT = "898111100000001", "97000001", "SN97000001"


class Blank(Bench):
    """A unit from its box before a real acquirer; only the profile's dialect and the host are set."""

    def __init__(self, acquirer: InProcess, serial_number: str = UNIT) -> None:
        super().__init__(serial_number=serial_number)
        self.host.close()
        self.acquirer, self.host = acquirer, AcquirerHost(acquirer)
        for name, value in parameters(acquirer.host.profile).items():
            assert self.serve(f"PARAM {name}={value}").startswith("OK "), name
        assert self.serve(f"HOST 127.0.0.1 {self.host.port} 6000030000").startswith("OK ")

    def __enter__(self) -> Self:
        return self

    def activate(self, code: str) -> str:
        self.key("CANCEL")
        return self.serve(f"ACTIVATE {code}")


def acquirer(**changes: Any) -> InProcess:
    made = InProcess(profile(**changes))
    made.do("register_merchant", mid=MID, name="test")
    return made


def offer(host: InProcess, serial: str = UNIT, **more: Any) -> str:
    return str(host.do("offer_activation", mid=MID, tid=TID, serial=serial, **more)["code"])


@pytest.mark.parametrize("changes", [{}, {"sign_in_network_code": "005"}, {"not_registered": ["89"]}])
def test_from_the_box_to_the_first_settled_batch(changes: dict[str, Any]) -> None:
    host = acquirer(**changes)
    with Blank(host) as unit:
        assert unit.sale_is_refused() == "Z4"
        assert unit.activate(offer(host)).startswith(f"OK TID={TID} MID={MID} ")
        unit.key("CANCEL")
        assert unit.sign_in()["DF07"] == "00"
        assert unit.sale(1000)["DF07"] == "00"
        assert unit.settle()["DF07"] == "00"
    assert [entry["amount"] for entry in host.do("ledger", mid=MID, tid=TID)["entries"]] == [1000]


def test_a_code_that_is_not_good_is_answered_not_registered() -> None:
    host = acquirer()
    with Blank(host) as unit:
        assert unit.activate("000000000000") == "ERR 97 the host says no"
        other = offer(host, "SN97000002")
        assert unit.activate(other) == "ERR 97 the host says no"
        old = offer(host)
        good = offer(host)
        assert unit.activate(old) == "ERR 97 the host says no"
        assert unit.activate(good).startswith("OK ")
        assert unit.activate(good).startswith("OK ")  # its answer might have been lost
        unit.key("CANCEL")
        assert unit.sign_in()["DF07"] == "00"
        assert unit.activate(good) == "ERR 97 the host says no"
        assert unit.activate(offer(host, valid_s=0)) == "ERR 97 the host says no"
        late = offer(host)
        host.do("remove_merchant", mid=MID)
        assert unit.activate(late) == "ERR 03 the host says no"
        host.do("register_merchant", mid=MID, name="test")
        assert unit.activate(late).startswith("OK ")


def test_another_units_lost_answer_is_nobody_elses() -> None:
    host = acquirer()
    code = offer(host)
    with Blank(host) as unit:
        assert unit.activate(code).startswith("OK ")
    with Blank(host, "SN97000002") as thief:
        assert thief.activate(code) == "ERR 97 the host says no"
        assert not thief.state.tid


def test_a_swapped_unit_settles_the_batch_of_the_old_one_which_gets_97() -> None:
    host = acquirer()
    with Blank(host) as old, Blank(host, "SN97000002") as new:
        assert old.activate(offer(host)).startswith("OK ")
        old.key("CANCEL")
        assert old.sign_in()["DF07"] == "00"
        assert old.sale(1000, MAGNETIC)["DF07"] == "00"
        old.key("CANCEL")
        lines = back_up(old)
        code = str(host.do("swap_unit", mid=MID, tid=TID, serial="SN97000002")["code"])
        assert old.sign_in()["DF07"] == "97"
        assert restore(new, lines).startswith("OK RESTORED")
        assert new.serve(f"HOST 127.0.0.1 {new.host.port} 6000030000").startswith("OK ")
        assert new.activate(code).startswith("OK ")
        new.key("CANCEL")
        assert old.sign_in()["DF07"] == "97"
        assert new.sign_in()["DF07"] == "00"
        assert new.sale(2000, MAGNETIC)["DF07"] == "00"
        assert new.settle()["DF07"] == "00"
        assert old.sale_is_refused() == "ZC"
    entries = host.do("ledger", mid=MID, tid=TID)["entries"]
    assert [(entry["amount"], entry["batch"]) for entry in entries] == [(1000, "000001"), (2000, "000001")]


@given(f62=st.one_of(st.binary(max_size=60), st.builds(
    lambda serial, code: bytes.fromhex(make_serial_number(serial)) + code, st.text("0123456789AB", max_size=20),
    st.binary(max_size=14),
)))
def test_any_request_is_answered(f62: bytes) -> None:
    """With a code, or that it has none."""
    frame = decode(build("0800", {11: "000001", 60: "00000001396", 62: f62.hex().upper()}).raw)
    try:
        serial_number, code = asked(frame)
    except FrameError:
        expected = "30"
    else:
        assert f62.endswith(code.encode()) and serial_number
        expected = "97"
    raw = _SHARED.exchange(frame.raw)
    assert raw is not None and decode(raw).get(39) == expected


_SHARED = acquirer()
