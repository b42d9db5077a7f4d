"""A rig from a plan. Each kind's module is imported where it is wanted: a bench without Modbus does not wait for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from harness.instruments.emulated.instrument import Instrument
from harness.instruments.emulated.plan import Plan
from harness.instruments.emulated.rig import Rig

if TYPE_CHECKING:
    from harness.instruments.emulated.climate import EmulatedChamber
    from harness.instruments.emulated.disturbers import EmulatedField
    from harness.instruments.emulated.mains import EmulatedSupply
    from harness.instruments.emulated.outlet import EmulatedSwitch

_CLASSES = {
    "chamber": "climate.EmulatedChamber", "supply": "mains.EmulatedSupply", "power_switch": "outlet.EmulatedSwitch",
    "burst": "disturbers.EmulatedGenerator", "esd": "disturbers.EmulatedGenerator",
    "surge": "disturbers.EmulatedGenerator", "field": "disturbers.EmulatedField",
    "card_robot": "hands.EmulatedRobot", "key_pusher": "hands.EmulatedFinger", "camera": "hands.EmulatedCamera",
    "printer_sensor": "modbus.EmulatedPaperSensor", "relay": "modbus.EmulatedRelay",
}
HOTTEST_C = 150.0  # that a board understands: overshoot above that is nothing to it any more
LOAD_W = 12.0  # what the terminal takes where there is no supply


async def rig_of(plan: Plan) -> Rig:
    """All of the plan's, listening. Raises :class:`harness.errors.BadInput`."""
    rig = Rig()
    try:
        for placed in plan.instruments:
            module, name = _CLASSES[placed.kind].split(".")
            make = getattr(import_module(f"{__package__}.{module}"), name)
            instrument: Instrument = make(rig, plan, placed)
            rig.instruments[placed.name] = instrument
            placed.options.done()
        for one in rig.instruments.values():
            await one.open()
    except BaseException:
        await rig.close()
        raise
    _connect(rig)
    return rig


def _connect(rig: Rig) -> None:
    """Who surrounds the terminal: air of the chamber, mains through the power switch, field."""
    by_kind = {one.kind: one for one in reversed(rig.instruments.values())}
    chamber = cast("EmulatedChamber | None", by_kind.get("chamber"))
    supply = cast("EmulatedSupply | None", by_kind.get("supply"))
    outlet = cast("EmulatedSwitch | None", by_kind.get("power_switch"))
    field = cast("EmulatedField | None", by_kind.get("field"))

    def fed() -> bool:
        return outlet is None or outlet.output_on

    def mains_v() -> float:
        if supply is not None:
            return supply.felt_v
        return 0.0 if outlet is None else outlet.nominal_v

    def mains_a() -> float:
        if supply is not None:
            return supply.current_a
        return LOAD_W / mains_v() if rig.board.power_on and fed() else 0.0

    def around() -> dict[str, float]:
        felt: dict[str, float] = {}
        if chamber is not None:
            air = min(HOTTEST_C, chamber.physics.air)
            felt |= {"temperature_c": air, "humidity_pct": chamber.physics.humidity_pct}
        if supply is not None or outlet is not None:
            felt["voltage_v"] = mains_v() if fed() else 0.0
        if field is not None:
            felt["field_v_m"] = field.physics.field_v_m
        return felt

    rig.fed, rig.around, rig.mains_v, rig.mains_a = fed, around, mains_v, mains_a
