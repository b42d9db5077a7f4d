"""Instruments as an inventory describes them: what can't be so; what drivers and emulated servers are told."""

from __future__ import annotations

import inspect
import math
import re
import typing
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from harness.instruments import drivers
from harness.instruments.contracts import InstrumentError
from harness.instruments.emulated.plan import HIGH_V, SPANS, WHOLE
from harness.instruments.guard.limits import Limits, unit_of, unlimited, untenable
from harness.instruments.guard.limits import problems as limit_problems
from harness.instruments.transport import answers
from harness.lab.instrument_entry import EMULATED, FULL_SET, OPERATOR, InstrumentEntry, Limit, Option
from harness.terminal.surroundings import Surroundings

NOMINAL_V = "nominal_v"  # option of supplies and of their drivers; where nothing is said, the model's
_LEFT_AT = {NOMINAL_V: "voltage_v", "current_limit_a": "current_a"}  # option of a supply's safe state -> its quantity
_SPANS: Mapping[str, tuple[float, float]] = {  # of options that mean the same for all drivers
    "timeout_s": (0.01, 3600), "answer_within_s": (0.01, 1_000_000), "baud_rate": (50, 10_000_000),
}  # fmt: skip
_SORTS: Mapping[Any, str] = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
_SERVER_OPTIONS = {  # docs/instruments-emulated.md
    "chamber": {"ambient_c", "ambient_pct", "low_c", "high_c", "heat_k_per_min", "cool_k_per_min"},
    "supply": {NOMINAL_V, "high_v", "limit_a", "hold_up_ms", "load_w"},
    "burst": {"high_kv", "charge_s_per_kv"}, "esd": {"high_kv", "charge_s_per_kv"},
    "surge": {"high_kv", "charge_s_per_kv"}, "field": {"high_v_m", "warm_up_s"}, "printer_sensor": {"roll_mm"},
    "relay": {"channels"}, "power_switch": {NOMINAL_V},
}  # fmt: skip


def problems(
    entries: Sequence[InstrumentEntry], around: Surroundings | None, *, emulated_bench: bool
) -> list[tuple[tuple[str, ...], str]]:
    """(place below ``instruments``, what is wrong there). ``around``: what the bench's model declares."""
    found: list[tuple[tuple[str, ...], str]] = []
    for one in entries:
        driver = drivers.known().get(one.driver)
        if driver is None:
            known = ", ".join(sorted(drivers.known()))
            found.append(((one.name, "driver"), f"unknown driver {one.driver}; known: {known}"))
            continue
        if one.emulated and one.driver not in FULL_SET.values():
            known = ", ".join(FULL_SET.values())
            text = f"there is no emulated instrument for the driver {one.driver}: give its `address`, or use {known}"
            found.append(((one.name, "address"), text))
        if one.emulated and not emulated_bench:
            text = "an emulated instrument does nothing to a real terminal: give its `address`"
            found.append(((one.name, "address"), text))
        elif not one.emulated and hasattr(driver, "address_problem"):  # a driver of a package need not have it
            text = str(driver.address_problem(one.address))
            found += [((one.name, "address"), text)] if text else []
        limits = limit_problems(driver.kind, driver.quantities, one.limits)
        limits = limits or untenable(Limits.of(driver.kind, driver.quantities, around, one.limits))
        found += [((one.name, "limits", name), text) for name, text in limits]
        found += [
            (
                (one.name, "limits"),
                f"{one.name} has no limit of {name}: give both ends under `limits`, or declare `surroundings` in the"
                " model",
            )
            for name in unlimited(driver.kind, around, one.limits) if name in driver.quantities
        ]
        options = _names(driver) | (_SERVER_OPTIONS.get(driver.kind, set()) if one.emulated else set())
        found += [
            ((one.name, "options", name), f"{one.driver} has no option {name}; it has {', '.join(sorted(options))}")
            for name in one.options if name not in options
        ]
        wrong = _option_problems(one, driver)
        if not wrong and one.emulated:
            wrong = _built_problems(one, driver, around)
        if not wrong:
            wrong = [(("options", option), text) for option, text in _left_at_problems(one, driver, around)]
        found += [((one.name, *place), text) for place, text in wrong]
    return found


def _option_problems(one: InstrumentEntry, driver: type[Any]) -> list[tuple[tuple[str, ...], str]]:
    """Options that the driver can't do without, those of another type (by its arguments) or out of their span."""
    found: list[tuple[tuple[str, ...], str]] = []
    spans = {**_SPANS, **getattr(driver, "spans", {})}
    hints = typing.get_type_hints(driver.__init__)
    for name, parameter in inspect.signature(driver).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        sort, value = hints.get(name), one.options.get(name)
        if value is None and parameter.default is inspect.Parameter.empty:
            found.append(((), f"{one.driver} needs the option {name}: put it under `options`"))
        elif value is not None and sort is not None and sort in _SORTS and not _fits(value, sort):
            found.append((("options", name), f"{name} must be {_SORTS[sort]}"))
        elif isinstance(value, float) and not math.isfinite(value):
            found.append((("options", name), f"{name} must be {_SORTS[float]}"))
        elif isinstance(value, int | float) and name in spans:
            low, high = spans[name]
            if not low <= value <= high:
                found.append((("options", name), f"{name} must be from {low:g} to {high:g}, not {value:g}"))
    return found


def _built_problems(
    one: InstrumentEntry, driver: type[Any], around: Surroundings | None
) -> list[tuple[tuple[str, ...], str]]:
    """What an emulated instrument can't be built with: of its own options, and of what follows from the model."""
    if driver.kind not in _SERVER_OPTIONS:
        return []
    found: list[tuple[tuple[str, ...], str]] = []
    told = emulated_options(one, driver, around)
    for name, value in told.items():
        if name not in SPANS:
            continue
        sort, (low, high) = int if name in WHOLE else float, SPANS[name]
        if not _fits(value, sort):
            found.append((("options", name), f"{name} must be {_SORTS[sort]}"))
        elif not low <= value <= high and name in one.options:
            found.append((("options", name), f"{name} must be from {low:g} to {high:g}, not {value:g}"))
        elif not low <= value <= high:
            text = f"{name} must be from {low:g} to {high:g}, and `nominal` of the model is {value:g}: give the option"
            found.append((("options",), text))
    if not found and driver.kind == "supply" and told.get("high_v", HIGH_V) < told.get(NOMINAL_V, 0):
        text = f"high_v {told.get('high_v', HIGH_V):g} is below nominal_v {told[NOMINAL_V]:g}"
        found.append((("options", "high_v"), text))
    return found


def shared(benches: Sequence[Sequence[InstrumentEntry]], names: Sequence[str]) -> list[tuple[int, str, str]]:
    """(number of the bench, instrument, what is wrong) where a real instrument of an inventory is there a second time:
    it has one guard at a time. ``names``: of the benches."""
    found: list[tuple[int, str, str]] = []
    first: dict[str, tuple[str, str]] = {}
    for index, (bench, entries) in enumerate(zip(names, benches, strict=True)):
        for one in entries:
            if one.address in (EMULATED, OPERATOR):
                continue
            place = _place(one.address)
            if place in first:
                name, where = first[place]
                text = (
                    f"{name} of {where} is at this address already: a real instrument is of one bench, under one name"
                )
                found.append((index, one.name, text))
            first.setdefault(place, (one.name, bench))
    return found


def _place(address: str) -> str:
    """The same for the ways to write the same address."""
    board = re.sub(r"(?i)^(TCPIP|USB|GPIB)0?::", r"\1::", address)
    try:
        parts = urllib.parse.urlsplit(address)
        port = parts.port or {"http": 80, "https": 443, "modbus": 502}.get(parts.scheme)
    except ValueError:  # its driver may take it
        return address
    if not parts.hostname:
        return board if "/" in board else board.casefold()
    return f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"


def _left_at_problems(
    one: InstrumentEntry, driver: type[Any], around: Surroundings | None
) -> list[tuple[str, str]]:
    """(option, what is wrong with it) of what a supply is left at: its safe state, too, is within its limits and within
    what the model declares."""
    if driver.kind != "supply":
        return []
    found: list[tuple[str, str]] = []
    limits, options = Limits.of(driver.kind, driver.quantities, around, one.limits), _options(one, driver, around)
    for option, quantity in _LEFT_AT.items():
        parameter = inspect.signature(driver).parameters.get(option)
        value = None if parameter is None else options.get(option, parameter.default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        limit, unit = limits.by_name.get(quantity, Limit()), unit_of(quantity)
        if option != NOMINAL_V and value == 0 and parameter is not None and parameter.default == 0:
            if limit.high is not None:
                text = f"{one.name} is left at {option} 0, as much as it can, above the limit of {limit.high:g} {unit}"
                found.append((option, text))
        elif limit.high is not None and not value <= limit.high:
            text = f"{one.name} is left at {option} {value:g} {unit}, above the limit of {limit.high:g} {unit}"
            found.append((option, text))
        elif limit.low is not None and not value >= limit.low:
            text = f"{one.name} is left at {option} {value:g} {unit}, below the limit of {limit.low:g} {unit}"
            found.append((option, text))
        elif option == NOMINAL_V and around is not None:
            low, high = around.voltage_v.low, around.voltage_v.high
            if not low <= value <= high:
                text = (
                    f"{one.name} is left at {option} {value:g} {unit}, and the model declares {low:g} to {high:g}"
                    f" {unit}"
                )
                found.append((option, text))
    return found


def _fits(value: Option, sort: type) -> bool:
    if isinstance(value, bool) or sort is bool:
        return isinstance(value, bool) and sort is bool
    return isinstance(value, int | float) and math.isfinite(value) if sort is float else isinstance(value, sort)


def driver_options(one: InstrumentEntry, driver: type[Any], around: Surroundings | None) -> dict[str, Any]:
    """What the driver is opened with, beside the address. Raises InstrumentError where that would leave a supply beyond
    its limits: nobody need have looked at the inventory before."""
    wrong = _left_at_problems(one, driver, around)
    if wrong:
        raise InstrumentError(wrong[0][1], remedy="correct its `options` or its `limits` in the inventory")
    return _options(one, driver, around)


def _options(one: InstrumentEntry, driver: type[Any], around: Surroundings | None) -> dict[str, Any]:
    names = _names(driver)
    given = {name: value for name, value in one.options.items() if name in names}
    if NOMINAL_V in names and around is not None:
        given.setdefault(NOMINAL_V, around.voltage_v.nominal)
    return given


def emulated_options(one: InstrumentEntry, driver: type[Any], around: Surroundings | None) -> dict[str, Any]:
    """How its server is described in the plan of the emulated instruments."""
    options = _SERVER_OPTIONS.get(driver.kind, set())
    told: dict[str, Any] = {"kind": driver.kind}
    told |= {name: value for name, value in one.options.items() if name in options}
    if around is not None and driver.kind in ("supply", "power_switch"):
        told.setdefault(NOMINAL_V, around.voltage_v.nominal)
    if around is not None and driver.kind == "chamber":
        told.setdefault("ambient_c", around.temperature_c.nominal)
        told.setdefault("ambient_pct", around.humidity_pct.nominal)
    if driver.kind == "card_robot":
        told["cards"] = _cards()
    return told


def check_identity(address: str, wanted: str, answered: str) -> None:
    """Raises InstrumentError where another device answers than the inventory has there (``wanted`` "": any is right),
    or what it says can't be told: a driver of the lab's own may pass on anything."""
    answers.identity(address, "its identification", answered)
    if wanted.casefold() not in answered.casefold():
        raise InstrumentError(
            f"at {address} answers {answered!r}, and the inventory has {wanted!r} there",
            remedy="look at which device is plugged in there, or correct address or identity in the inventory",
        )


def _cards() -> dict[str, dict[str, Any]]:
    """The test cards, as the robot's magazine has them."""
    from harness.terminal.cards import CARDS

    made: dict[str, dict[str, Any]] = {}
    for name, card in CARDS.items():
        if card.entry == "magnetic":
            made[name] = {"track2": card.track2}
        elif card.entry in ("chip", "contactless"):
            made[name] = {"track2": card.track2, "chip": card.chip()}
    return made


def _names(driver: type[Any]) -> set[str]:
    """The options that a driver takes."""
    return {
        one.name for one in inspect.signature(driver).parameters.values()
        if one.kind is inspect.Parameter.KEYWORD_ONLY
    }
