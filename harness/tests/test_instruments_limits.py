"""Limits as pure functions: whatever a test asks for, what is passed on is within them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.history.instrument_events import Quantity
from harness.instruments import client, drivers
from harness.instruments.guard.limits import DRIVING, Limits, defaults, unit_of
from harness.instruments.methods import CONTRACTS, from_words, in_words, methods, numbers
from harness.instruments.quantities import impossible, is_switch, resolution
from harness.lab.instrument_entry import FULL_SET, Limit
from harness.terminal.surroundings import Range, Surroundings

AROUND = Surroundings(
    temperature_c=Range(low=0, high=45, nominal=23), humidity_pct=Range(low=10, high=90, nominal=50),
    voltage_v=Range(low=198, high=242, nominal=220),
)
KINDS = sorted(CONTRACTS)
ANY = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers()))


def limits(kind: Any, **given: Limit) -> Limits:
    driver = drivers.known()[FULL_SET[kind]]
    return Limits.of(kind, driver.quantities, AROUND, given)


@given(st.sampled_from(KINDS), st.data())
def test_nothing_beyond_a_limit_is_passed_on(kind: Any, data: st.DataObject) -> None:
    of = limits(kind)
    known = methods(kind)
    if not known:
        return
    method = known[data.draw(st.sampled_from(sorted(known)))]
    names = sorted({*method.arguments, "other"})
    arguments = data.draw(st.dictionaries(st.sampled_from(names), ANY))
    try:
        passed = of.arguments(method.name, arguments)
    except ValueError as refused:
        assert "\n" not in str(refused)
        return
    assert method.required <= set(passed) <= set(method.arguments)
    for name, value in passed.items():
        assert isinstance(value, method.arguments[name])
        limit = of.by_name.get(name, Limit())
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert math.isfinite(value)
            assert limit.low is None or value >= limit.low
            assert limit.high is None or value <= limit.high


@given(st.floats(-1000, 1000), st.floats(-1000, 1000), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_a_driver_is_never_widened(low: float, high: float, can_low: float, can_high: float) -> None:
    quantities = {"temperature_c": Quantity(unit="C", low=can_low, high=can_high)}
    found = Limits.of("chamber", quantities, AROUND, {"temperature_c": Limit(low=low, high=high)})
    limit = found.by_name["temperature_c"]
    assert limit.low == max(low, can_low) and limit.high == min(high, can_high)


@given(st.sampled_from(KINDS), st.data())
def test_a_limit_with_one_end_leaves_the_other_as_it_was(kind: Any, data: st.DataObject) -> None:
    by_default = limits(kind).by_name
    names = sorted(name for name, one in by_default.items() if one.high is not None)
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    low = data.draw(st.floats(0, 1))
    assert limits(kind, **{name: Limit(low=low)}).by_name[name].high == by_default[name].high
    assert limits(kind, **{name: Limit(high=low)}).by_name[name].low == by_default[name].low


def test_a_ramp_is_limited_although_the_inventory_only_says_how_slow() -> None:
    of = limits("chamber", ramp_k_per_min=Limit(low=0.5))
    assert of.arguments("set_climate", {"temperature_c": 40})["ramp_k_per_min"] == 10


def test_every_number_that_could_harm_has_a_limit_by_itself() -> None:
    for kind in CONTRACTS:
        of = limits(kind)
        open_ones = [
            name for name in numbers(kind) - {"channel"} if of.by_name.get(name, Limit()).high is None
        ]
        assert open_ones in ([], ["frequency_mhz"], ["current_a"]), kind


def test_every_method_that_drives_is_held_against_the_door() -> None:
    """A method that is added to the contract of something with a door must be thought of."""
    guarded = {name for kind in ("chamber", "burst", "esd", "surge", "field") for name in methods(kind)}
    assert guarded - DRIVING == {"ready", "disarm"}
    of = limits("field")
    assert of.door("radiate", {"on": True}, {"door_open": 1.0})
    assert not of.door("radiate", {"on": False}, {"door_open": 1.0}) and not of.door("radiate", {"on": True}, {})


def test_the_client_says_what_the_contracts_say() -> None:
    """The test's side has the very methods of the contract, with the same arguments and defaults."""
    for kind, contract in CONTRACTS.items():
        proxy = client._PROXIES[kind]
        for name in methods(kind):
            assert inspect.signature(getattr(proxy, name)) == inspect.signature(getattr(contract, name)), (kind, name)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("temperature_c", "°C"), ("ramp_k_per_min", "K/min"), ("level_kv", "kV"), ("field_v_m", "V/m"),
     ("voltage_v", "V"), ("duration_ms", "ms"), ("count", "")],
)
def test_units(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_without_a_range_of_the_model_nothing_is_driven_but_within_both_ends_of_the_inventory() -> None:
    assert "temperature_c" not in defaults("chamber", None)
    can = {"temperature_c": Quantity(unit="°C", low=-40, high=150), "humidity_pct": Quantity(unit="%")}
    for one_end in ({}, {"temperature_c": Limit(high=60)}, {"temperature_c": Limit(low=0)}):
        of = Limits.of("chamber", can, None, one_end)
        for degrees in (900.0, 30.0):
            with pytest.raises(ValueError, match="temperature_c has no limit here: the model declares no range"):
                of.arguments("set_climate", {"temperature_c": degrees})
    of = Limits.of("chamber", can, None, {"temperature_c": Limit(low=0, high=60)})
    assert of.arguments("set_climate", {"temperature_c": 60})["temperature_c"] == 60
    with pytest.raises(ValueError, match="above the limit of 60"):
        of.arguments("set_climate", {"temperature_c": 61})
    with pytest.raises(ValueError, match="humidity_pct has no limit here"):
        of.arguments("set_climate", {"humidity_pct": 50})
    with pytest.raises(ValueError, match="voltage_v has no limit here"):
        Limits.of("supply", {}, None, {}).arguments("set_voltage", {"voltage_v": 100})


@pytest.mark.parametrize(("kind", "method", "arguments"), [
    ("chamber", "set_climate", {"temperature_c": 10**400}), ("chamber", "set_climate", {"humidity_pct": -(10**5000)}),
    ("esd", "fire", {"count": 10**400}), ("card_robot", "swipe", {"card": 10**5000}),
])  # fmt: skip
def test_a_number_beyond_all_numbers_is_refused_as_others_are(kind: Any, method: str, arguments: Any) -> None:
    (name,) = arguments
    with pytest.raises(ValueError, match=f"^{method}: {name} is larger than any number that can be told$"):
        limits(kind).arguments(method, arguments)


@given(st.dictionaries(st.sampled_from(["temperature_c", "humidity_pct", "door_open", "ch1", "other"]), st.floats()))
def test_what_is_possible_is_finite_and_within_bounds(values: dict[str, float]) -> None:
    if not impossible(values):
        assert all(math.isfinite(value) for value in values.values())
        assert all(0 <= value <= 1 for name, value in values.items() if is_switch(name))
        assert -100 <= values.get("temperature_c", 0) <= 300


def test_what_emulated_drivers_read_is_known() -> None:
    """A quantity without a resolution would be recorded ten times a second."""
    for driver in FULL_SET.values():
        for quantity in drivers.known()[driver].quantities:
            assert resolution(quantity) > 0, quantity


VALUES: Mapping[type, st.SearchStrategy[Any]] = {
    float: st.integers(-9999, 9999).map(lambda one: one / 10), int: st.integers(0, 10_000), bool: st.booleans(),
    str: st.text("abc", min_size=1),
}


@given(st.data())
def test_a_call_is_read_back_from_its_event(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(CONTRACTS)))
    assume(methods(kind))
    method = methods(kind)[data.draw(st.sampled_from(sorted(methods(kind))))]
    arguments = {
        name: data.draw(st.none() | VALUES[sort] if name in method.optional_none else VALUES[sort])
        for name, sort in method.arguments.items()
    }
    assert from_words(kind, method.name, in_words(arguments)) == arguments


def test_no_such_call_can_be_read_back() -> None:
    with pytest.raises(ValueError, match="there is no melt of a chamber"):
        from_words("chamber", "melt", {})
    with pytest.raises(ValueError, match="could not convert"):
        from_words("chamber", "set_climate", {"temperature_c": "warm"})
