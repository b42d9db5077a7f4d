"""Instruments as an inventory describes them: what can't be so; what drivers and emulated servers are told."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from harness.instruments import drivers
from harness.instruments.guard.limits import problems as limit_problems
from harness.lab.instrument_entry import FULL_SET, InstrumentEntry
from harness.terminal.surroundings import Surroundings

NOMINAL_V = "nominal_v"  # option of supplies and of their drivers; where nothing is said, the model's
_SERVER_OPTIONS = {  # docs/instruments-emulated.md
    "chamber": {"ambient_c", "ambient_pct", "low_c", "high_c", "heat_k_per_min", "cool_k_per_min"},
    "supply": {NOMINAL_V, "high_v", "limit_a", "hold_up_ms", "load_w"},
    "burst": {"high_kv", "charge_s_per_kv"}, "esd": {"high_kv", "charge_s_per_kv"},
    "surge": {"high_kv", "charge_s_per_kv"}, "field": {"high_v_m", "warm_up_s"}, "printer_sensor": {"roll_mm"},
    "relay": {"channels"},
}  # fmt: skip


def problems(entries: Sequence[InstrumentEntry], *, emulated_bench: bool) -> list[tuple[tuple[str, ...], str]]:
    """(place below ``instruments``, what is wrong there)."""
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
        limits = limit_problems(driver.kind, driver.quantities, one.limits)
        found += [((one.name, "limits", name), text) for name, text in limits]
        options = _names(driver) | (_SERVER_OPTIONS.get(driver.kind, set()) if one.emulated else set())
        found += [
            ((one.name, "options", name), f"{one.driver} has no option {name}; it has {', '.join(sorted(options))}")
            for name in one.options if name not in options
        ]
    return found


def driver_options(one: InstrumentEntry, driver: type[Any], around: Surroundings | None) -> dict[str, Any]:
    """What the driver is opened with, beside the address."""
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
    if around is not None and driver.kind == "supply":
        told.setdefault(NOMINAL_V, around.voltage_v.nominal)
    if around is not None and driver.kind == "chamber":
        told.setdefault("ambient_c", around.temperature_c.nominal)
        told.setdefault("ambient_pct", around.humidity_pct.nominal)
    if driver.kind == "card_robot":
        told["cards"] = _cards()
    return told


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
