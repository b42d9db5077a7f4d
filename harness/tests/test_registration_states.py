"""From application to closing: which steps go from which state, and what the switch answers in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.acquirer.registration.documents import (
    Application,
    FeeRates,
    Finding,
    NotNow,
    Refused,
    Unknown,
    problems_of,
)
from harness.acquirer.registration.merchants import STATES, Merchants
from harness.acquirer.registration.terminals import DAY_S
from harness.errors import BadInput
from harness.tests.acquirer_terminal import MID, new_tid, profile
from harness.tests.registration_helpers import HOUR, Office, Unit, application

WHY = [Finding(element="uscc", problem="the register does not know it")]

MERCHANT_STEPS: dict[str, Callable[[Merchants, str], Any]] = {
    "amend": lambda merchants, mid: merchants.amend(mid, Application.model_validate(application())),
    "review": lambda merchants, mid: merchants.review(mid),
    "approve": lambda merchants, mid: merchants.approve(mid),
    "reject": lambda merchants, mid: merchants.reject(mid, WHY),
    "suspend": lambda merchants, mid: merchants.suspend(mid, "fraud"),
    "resume": lambda merchants, mid: merchants.resume(mid),
    "close": lambda merchants, mid: merchants.close(mid, "given up"),
}
ROADS: dict[str, list[str]] = {
    "submitted": [], "pending_review": ["review"], "rejected": ["review", "reject"], "approved": ["review", "approve"],
    "suspended": ["review", "approve", "suspend"], "closed": ["review", "approve", "close"],
}  # fmt: skip
LEADS: dict[tuple[str, str], str] = {
    ("submitted", "amend"): "submitted", ("rejected", "amend"): "submitted", ("submitted", "review"): "pending_review",
    ("pending_review", "approve"): "approved", ("pending_review", "reject"): "rejected",
    ("approved", "suspend"): "suspended", ("suspended", "resume"): "approved",
    **{(state, "close"): "closed" for state in STATES if state != "closed"},
}  # fmt: skip


@pytest.mark.parametrize("step", MERCHANT_STEPS)
@pytest.mark.parametrize("state", STATES)
def test_every_step_from_every_state_of_a_merchant(state: str, step: str) -> None:
    office = Office()
    mid = office.submit()
    for before in ROADS[state]:
        MERCHANT_STEPS[before](office.merchants, mid)
    assert office.merchants.get(mid).state == state
    steps = len(office.merchants.get(mid).steps)
    if (state, step) in LEADS:
        MERCHANT_STEPS[step](office.merchants, mid)
        assert office.merchants.get(mid).state == LEADS[state, step]
        assert office.merchants.get(mid).steps[-1].step == step
    else:
        with pytest.raises(NotNow, match=f"is {state}; {step} needs"):
            MERCHANT_STEPS[step](office.merchants, mid)
        assert office.merchants.get(mid).state == state and len(office.merchants.get(mid).steps) == steps


@pytest.mark.parametrize(
    ("state", "code"),
    [("submitted", "03"), ("pending_review", "03"), ("rejected", "03"), ("approved", "00"), ("suspended", "03"),
     ("closed", "03")],
)  # fmt: skip
def test_what_the_switch_answers_in_each_state_of_the_merchant(state: str, code: str) -> None:
    """The terminal has a row of its own, which stands for a merchant whose row came, went and changed."""
    office = Office()
    mid = office.submit()
    office.do("register_merchant", mid=mid, name="for a moment")
    tid = new_tid()
    unit = Unit(office.exchange, tid, bytes.fromhex(office.do("register_terminal", mid=mid, tid=tid)["tmk"]), mid=mid,
                serial_number="")  # fmt: skip
    office.do("remove_merchant", mid=mid)
    for step in ROADS[state]:
        MERCHANT_STEPS[step](office.merchants, mid)
    assert unit.code_of_sign_in() == code


def test_the_reasons_of_a_rejection_are_kept_until_it_is_amended() -> None:
    office = Office()
    mid = office.submit(company="First")
    office.merchants.review(mid)
    office.merchants.reject(mid, WHY)
    assert list(office.merchants.get(mid).reasons) == WHY
    office.merchants.amend(mid, Application.model_validate(application(company="Second")))
    found = office.merchants.get(mid)
    assert (found.state, list(found.reasons), found.name) == ("submitted", [], "Second")


def test_merchant_codes_are_made_or_wanted_and_never_given_twice() -> None:
    office = Office()
    first, second = office.submit(), office.submit()
    assert (first, second) == ("480290054110001", "480290054110002")
    assert office.submit(mid="898111100000099") == "898111100000099"
    for taken in ("898111100000099", MID):  # MID was registered by the control channel
        with pytest.raises(Refused) as refused:
            office.submit(mid=taken)
        assert refused.value.problems[0][0] == "mid"


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("company", {"company": ""}), ("company", {"company": " x"}), ("company", {"company": "a\nb"}),
    ("uscc", {"uscc": "91350100M000100Y4Z"}), ("tax_certificate", {"tax_certificate": "123"}),
    ("settlement_account", {"settlement_account": "12 34"}), ("settlement_account", {"settlement_account": 12345678}),
    ("acquirer_code", {"acquirer_code": "4802"}), ("category", {"category": "x"}),
    ("location.region", {"location": {"region": "29", "address": "a"}}),
    ("location.address", {"location": {"region": "2900"}}), ("contact.phone", {"contact": {"name": "a", "phone": "?"}}),
    ("fees.debit.basis_points", {"fees": {**application()["fees"], "debit": {"basis_points": 10_001}}}),
    ("fees.scan", {"fees": {"debit": {"basis_points": 1}, "credit": {"basis_points": 1}}}),
    ("fees.credit.cap", {"fees": {**application()["fees"], "credit": {"basis_points": 1, "cap": -1}}}),
    ("mid", {"mid": "short"}), ("colour", {"colour": "blue"}),
]  # fmt: skip


@pytest.mark.parametrize(("element", "changes"), WRONG, ids=[f"{n} {e}" for n, (e, _) in enumerate(WRONG)])
def test_a_wrong_element_is_named_and_no_other(element: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Application.model_validate(application(**changes))
    assert [name for name, _problem in problems_of(refused.value)] == [element]


@pytest.mark.parametrize("element", [name for name in application() if name != "category"])
def test_a_missing_element_is_named(element: str) -> None:
    document = application()
    del document[element]
    with pytest.raises(ValidationError) as refused:
        Application.model_validate(document)
    assert problems_of(refused.value) == [(element, "missing")]


# -- terminals --------------------------------------------------------------------------------------------------------


def test_a_unit_is_97_until_it_is_activated() -> None:
    office = Office()
    mid = office.merchant()
    tid = office.bind(mid, "SN000001")
    unit = Unit(office.exchange, tid, bytes(16), mid=mid, serial_number="SN000001")
    assert unit.code_of_sign_in() == "97"
    assert office.notes()[-1].endswith("(pending)")
    code = office.terminals.approve(mid, tid, HOUR)
    assert unit.code_of_sign_in() == "97" and "(approved)" in office.notes()[-1]
    done = office.terminals.activate("SN000001", code.code)
    unit.tmk = done.tmk
    assert (done.mid, done.tid) == (mid, tid)
    assert unit.code_of_sign_in() == "00" and unit.code_of_sale() == "00"


def test_an_activation_code_is_good_once_for_its_unit_and_its_time() -> None:
    office = Office()
    mid = office.merchant()
    tid = office.bind(mid, "SN000001")
    first = office.terminals.approve(mid, tid, HOUR)
    code = office.terminals.new_code(mid, tid, HOUR)

    def refused(serial_number: str, code: str) -> str:
        with pytest.raises(Refused) as error:
            office.terminals.activate(serial_number, code)
        return str(error.value)

    assert "not known" in refused("SN000001", "000000000000")
    assert "not known" in refused("SN000001", first.code)
    assert "another unit" in refused("SN000002", code.code)
    office.host.clock.set(code.expires)
    assert "expired" in refused("SN000001", code.code)
    office.host.clock.set(code.expires - 60)
    spaced = f"{code.code[:4]} {code.code[4:8]}-{code.code[8:]}"
    assert office.terminals.activate("SN000001", spaced).tid == tid
    assert "was used" in refused("SN000001", code.code)


@pytest.mark.parametrize("element", ["acquirer_code", "uscc", "settlement_account"])
def test_elements_that_are_not_the_merchants_are_refused_by_name(element: str) -> None:
    office = Office()
    mid = office.merchant()
    other = {"acquirer_code": "48020001", "uscc": "91110108551385082Q", "settlement_account": "6217000010001234568"}
    with pytest.raises(Refused) as refused:
        office.bind(mid, "SN000001", **{element: other[element]})
    assert [name for name, _ in refused.value.problems] == [element]
    with pytest.raises(Refused) as refused:
        office.bind("898111100000099", "SN000001")
    assert [name for name, _ in refused.value.problems] == ["mid"]
    assert office.terminals.all(mid) == []


def test_a_unit_belongs_to_one_terminal_and_a_number_to_one_merchant() -> None:
    office = Office()
    one, two = office.merchant(), office.merchant()
    tid = office.bind(one, "SN000001")
    for mid in (one, two):
        with pytest.raises(Refused) as refused:
            office.bind(mid, "SN000001")
        assert [name for name, _ in refused.value.problems] == ["serial_number"]
    with pytest.raises(Refused) as refused:
        office.bind(two, "SN000002", tid=tid)
    assert [name for name, _ in refused.value.problems] == ["tid"]
    office.terminals.unbind(one, tid, "returned")
    assert office.bind(two, "SN000001") != tid
    assert office.bind(one, "SN000002", tid=tid) == tid


def test_a_second_unit_with_the_same_number_is_97_whatever_it_knows() -> None:
    """INS-06: identity and keys were copied."""
    office = Office()
    mid = office.merchant()
    unit = office.activated(mid, "SN000001")
    copy = Unit(office.exchange, unit.tid, unit.tmk, mid=mid, serial_number="SN000002")
    assert copy.code_of_sign_in() == "97"
    assert "SN000002 is not SN000001" in office.notes()[-1]
    assert unit.code_of_sign_in() == "00" and unit.code_of_sale() == "00"
    unit.mid = office.merchant()
    assert unit.code_of_sign_in() == "97", "the same unit under a second merchant"


def test_a_unit_that_does_not_say_its_number_is_not_checked_and_one_that_says_it_badly_is_97() -> None:
    office = Office()
    unit = office.activated(office.merchant(), "SN000001")
    silent = Unit(office.exchange, unit.tid, unit.tmk, mid=unit.mid, serial_number="")
    assert silent.code_of_sign_in() == "00"
    fields = silent.sign_in_fields() | {62: b"Sequence No99short".hex().upper()}
    assert silent.ask("0800", fields).get(39) == "97"


@given(st.binary(max_size=120) | st.binary(max_size=120).map(lambda rest: b"Sequence No" + rest))
def test_whatever_f62_says_it_is_the_bound_unit_or_97(f62: bytes) -> None:
    office = Office()
    tid = new_tid()
    office.do("register_terminal", mid=MID, tid=tid, serial="SN000009")
    unit = Unit(office.exchange, tid, bytes(16), serial_number="")
    claims = f62.startswith(b"Sequence No") and f62 not in (b"Sequence No08SN000009", b"Sequence No12HT97SN000009")
    assert unit.ask("0800", unit.sign_in_fields() | {62: f62.hex().upper()}).get(39) == ("97" if claims else "00")


def test_a_swap_gives_the_number_to_another_unit() -> None:
    office = Office()
    old = office.activated(office.merchant(), "SN000001")
    assert old.code_of_sign_in() == "00" and old.code_of_sale() == "00"
    code = office.terminals.swap(old.mid, old.tid, "SN000002", "02", HOUR, write_off=False)
    assert old.code_of_sign_in() == "97", "nobody is registered until the new unit is activated"
    done = office.terminals.activate("SN000002", code.code)
    new = Unit(office.exchange, done.tid, done.tmk, mid=done.mid, serial_number="SN000002")
    assert old.code_of_sign_in() == "97" and new.code_of_sign_in() == "00"
    assert office.terminals.get(new.mid, new.tid).binding is not None
    assert office.terminals.get(new.mid, new.tid).row.registration == 2
    assert office.host.ledger.open_batch(new.mid, new.tid, 1) is not None, "the old unit's batch can be settled"


def test_a_swap_does_not_lift_a_suspension() -> None:
    office = Office()
    old = office.activated(office.merchant(), "SN000001")
    office.terminals.suspend(old.mid, old.tid, "chargebacks")
    with pytest.raises(NotNow, match="suspended"):
        office.terminals.swap(old.mid, old.tid, "SN000002", "02", HOUR, write_off=False)
    assert old.code_of_sign_in() == "58"
    office.terminals.restore(old.mid, old.tid)
    office.terminals.swap(old.mid, old.tid, "SN000002", "02", HOUR, write_off=False)


STATES_OF_TERMINALS: dict[str, tuple[Callable[[Office, Unit], Any], str, str]] = {
    "suspended": (lambda office, u: office.terminals.suspend(u.mid, u.tid, "r"), "58", "58"),
    "unbound": (lambda office, u: office.terminals.unbind(u.mid, u.tid, "r"), "97", "97"),
    "removed": (lambda office, u: office.terminals.deregister(u.mid, u.tid, "r"), "97", "97"),
    "signed out": (lambda office, u: office.terminals.sign_out(u.mid, u.tid), "00", "77"),
    "in maintenance": (lambda office, u: office.terminals.sign_out(u.mid, u.tid, "maintenance"), "00", "77"),
    "closed": (lambda office, u: office.terminals.sign_out(u.mid, u.tid, "closed"), "00", "58"),
    "keys deleted": (lambda office, u: office.terminals.delete_working_keys(u.mid, u.tid), "00", "A0"),
    "merchant suspended": (lambda office, u: office.merchants.suspend(u.mid, "r"), "03", "03"),
    "merchant closed": (lambda office, u: office.merchants.close(u.mid, "r"), "03", "03"),
}


@pytest.mark.parametrize("name", STATES_OF_TERMINALS)
def test_what_the_switch_answers_in_each_state_of_the_terminal(name: str) -> None:
    change, at_sign_in, at_sale = STATES_OF_TERMINALS[name]
    office = Office()
    unit = office.activated(office.merchant(), "SN000001")
    assert unit.code_of_sign_in() == "00" and unit.code_of_sale() == "00"
    change(office, unit)
    assert unit.code_of_sale() == at_sale
    assert unit.code_of_sign_in() == at_sign_in


def test_the_code_for_a_missing_row_is_the_profiles() -> None:
    office = Office(profile(not_registered=["58"], keys_outlive_registration=False))
    unit = office.activated(office.merchant(), "SN000001")
    unit.sign_in()
    office.terminals.unbind(unit.mid, unit.tid, "r")
    assert unit.code_of_sale() == "A0", "the key went with the row"
    assert unit.code_of_sign_in() == "58"


def test_what_does_not_go_is_refused() -> None:
    office = Office()
    mid = office.merchant()
    unit = office.activated(mid, "SN000001")
    for refused in (
        lambda: office.terminals.approve(mid, unit.tid, HOUR), lambda: office.terminals.reject(mid, unit.tid, WHY),
        lambda: office.terminals.restore(mid, unit.tid), lambda: office.terminals.new_code(mid, unit.tid, HOUR),
    ):  # fmt: skip
        with pytest.raises(NotNow):
            refused()
    with pytest.raises(Unknown):
        office.terminals.suspend(mid, "00000000", "r")
    with pytest.raises(Unknown):
        office.merchants.set_fees("898111100000099", FeeRates.model_validate(application()["fees"]))
    with pytest.raises(BadInput, match="bound to terminal"):
        office.host.registry.bind(MID, new_tid(), "SN000001")


def test_a_terminal_is_approved_when_its_merchant_is() -> None:
    office = Office()
    mid = office.submit()
    tid = office.bind(mid, "SN000001")
    with pytest.raises(NotNow, match="is submitted"):
        office.terminals.approve(mid, tid, HOUR)
    office.merchants.review(mid)
    office.merchants.approve(mid)
    assert office.terminals.approve(mid, tid, HOUR).code


def test_a_binding_is_checked_again_where_the_application_was_changed_since() -> None:
    office = Office()
    mid = office.submit()
    tid = office.bind(mid, "SN000001")
    office.merchants.amend(mid, Application.model_validate(application(settlement_account="6217000010007654321")))
    office.merchants.review(mid)
    office.merchants.approve(mid)
    with pytest.raises(Refused) as refused:
        office.terminals.approve(mid, tid, HOUR)
    assert [name for name, _ in refused.value.problems] == ["settlement_account"]


def test_a_new_tmk_holds_from_the_next_sign_in() -> None:
    office = Office()
    unit = office.activated(office.merchant(), "SN000001")
    unit.sign_in()
    unit.tmk = office.terminals.issue_tmk(unit.mid, unit.tid)
    assert unit.code_of_sale() == "00"
    before = unit.mak
    assert unit.code_of_sign_in() == "00" and unit.mak != before and unit.code_of_sale() == "00"


def test_dormant_terminals_are_deregistered_by_the_hosts_clock() -> None:
    office = Office()
    mid = office.merchant()
    quiet, lively = office.activated(mid, "SN000001"), office.activated(mid, "SN000002")
    start = office.host.registry.seconds()
    office.host.clock.set(start + 20 * DAY_S)
    assert lively.code_of_sign_in() == "00"
    office.host.clock.set(start + 29 * DAY_S)
    assert office.terminals.deregister_dormant(30) == []
    office.host.clock.set(start + 31 * DAY_S)
    assert [one.row.tid for one in office.terminals.dormant(30)] == [quiet.tid]
    assert [one.row.tid for one in office.terminals.deregister_dormant(30)] == [quiet.tid]
    assert (quiet.code_of_sign_in(), lively.code_of_sign_in()) == ("97", "00")
    assert "(dormant)" in " ".join(office.notes())
    assert office.terminals.get(mid, quiet.tid).row.state == "dormant"
    assert office.bind(mid, "SN000001", tid=quiet.tid) == quiet.tid, "it may come back"


def test_the_control_channels_registration_is_the_same_registry() -> None:
    office = Office()
    tid = new_tid()
    tmk = bytes.fromhex(office.do("register_terminal", mid=MID, tid=tid, serial="SN000009")["tmk"])
    found = office.terminals.get(MID, tid)
    assert found.binding is not None and found.binding.serial_number == "SN000009"
    assert Unit(office.exchange, tid, tmk, serial_number="SN000009").code_of_sign_in() == "00"
    assert Unit(office.exchange, tid, tmk, serial_number="SN000008").code_of_sign_in() == "97"
    assert office.merchants.get(MID).state == "approved"
    office.merchants.suspend(MID, "r")
    assert Unit(office.exchange, tid, tmk, serial_number="SN000009").code_of_sign_in() == "03"
    office.do("restore_merchant", mid=MID)
    assert office.merchants.get(MID).state == "approved"
