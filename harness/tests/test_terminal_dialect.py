"""The profile's points as parameters: ours agree with the firmware's, and each reaches the terminal and comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulator.firmware.app import dialect as app
from harness.emulator.firmware.app import records
from harness.lab.catalogue import load_profile
from harness.protocol.profile import Profile
from harness.terminal.dialect import OUT_OF_THE_BOX, every_parameter, parameters
from harness.tests.firmware_bench import Bench

PROFILES = sorted((Path(__file__).parents[2] / "lab_config" / "profiles").glob("*.yaml"))
TEXTS: dict[str, Any] = {"codes": {}, "unknown": [], "approved": [], "declined": [], "code_labels": []}
PLAIN = {
    "name": "plain", "title": "", "not_registered": ["97"], "success": ["00", "10", "11", "A2", "A4", "A5", "A6"],
    "reversal_success": ["00", "12", "25"], "force_sign_in": ["77", "99", "A0"], "texts": TEXTS,
}
ALL_OTHER: dict[str, Any] = {
    "network": "gicc", "not_registered": ["58", "89"], "success": ["00"], "reversal_success": ["00"],
    "settlement_success": ["00", "97"], "force_sign_in": ["77"], "categories": {"codes": {"77": "B", "68": "B"}},
    "decline_mac": "required", "reversal_reason_mismatch": ["98"], "reversal_reason_fault": "06",
    "reversal_on_mismatch": "delete", "reversal_attempts": 4, "reversal_exhausted": "delete_recorded",
    "settlement_before_sign_in": True, "void_carries_card": True, "settlement_voids": "net", "auto_sign_off": True,
    "operator": "01 ", "batch_end_balanced": "202", "batch_end_unbalanced": "207", "parameter_download_code": "364",
    "sign_in_network_code": "004", "sm_key_digit": "4", "f60_digits": 11, "f48_encoding": "ascii", "entry_scan": "031",
    "offline_chip_mti": "0200", "cashier_lrc": "without_etx", "cashier_length": "binary", "link": "tcp_standing",
    "http_path": "/other/path?x=1",
}


def test_out_of_the_box_the_firmware_is_what_we_think_it_is() -> None:
    assert {name: app.parameter(app.Dialect(), name) for name in app.NAMES} == OUT_OF_THE_BOX
    assert set(ALL_OTHER) == set(OUT_OF_THE_BOX)


def test_a_plain_profile_needs_nothing_and_the_opposite_one_everything() -> None:
    assert parameters(Profile.model_validate(PLAIN)) == {}
    assert set(parameters(Profile.model_validate(PLAIN | ALL_OTHER))) == set(OUT_OF_THE_BOX)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_the_firmware_takes_every_parameter_of_every_profile(path: Path) -> None:
    for name, value in every_parameter(load_profile(path)).items():
        assert app.parameter(app.with_parameter(app.Dialect(), name, value), name) == value


@pytest.mark.parametrize(("name", "value"), sorted(every_parameter(Profile.model_validate(PLAIN | ALL_OTHER)).items()))
def test_a_parameter_reaches_the_terminal_comes_back_and_outlives_the_power(name: str, value: str) -> None:
    with Bench() as bench:
        assert bench.serve(f"PARAM {name}?") == f"OK {name}={OUT_OF_THE_BOX[name]}"
        assert bench.serve(f"PARAM {name}={value}") == f"OK {name}={value}"
        bench.reboot()
        assert bench.serve(f"PARAM {name}?") == f"OK {name}={value}"
        assert app.changed(bench.state.dialect) == {name: value}


@pytest.mark.parametrize("name", sorted(OUT_OF_THE_BOX))
def test_a_value_that_can_not_be_changes_nothing_and_says_what_can(name: str) -> None:
    with Bench() as bench:
        assert bench.serve(f"PARAM {name}=~~").startswith(f"ERR 03 {name} is ")
        assert bench.state == records.State()


def test_every_choice_of_a_profile_is_one_of_the_terminal() -> None:
    """What the profile's type allows, the terminal understands."""
    seen = 0
    for name, field in Profile.model_fields.items():
        if name in OUT_OF_THE_BOX and str(get_origin(field.annotation)) == "typing.Literal":
            for choice in get_args(field.annotation):
                text = str(choice)
                assert app.parameter(app.with_parameter(app.Dialect(), name, text), name) == text
                seen += 1
    assert seen > 25


@given(st.sampled_from(sorted(app.NAMES)), st.text(max_size=30))
def test_any_text_is_taken_as_it_is_or_refused_by_name(name: str, value: str) -> None:
    try:
        changed = app.with_parameter(app.Dialect(), name, value)
    except ValueError as error:
        assert name in str(error)
    else:
        text = app.parameter(changed, name)
        assert text == value or int(text) == int(value)
        assert app.from_changed(app.changed(changed)) == changed
        state = records.State(dialect=changed)
        assert records.from_json(records.to_json(state)) == state


def test_an_unknown_parameter_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(ValueError, match="no parameter speed; allowed: auto_sign_off, "):
        app.with_parameter(app.Dialect(), "speed", "1")
