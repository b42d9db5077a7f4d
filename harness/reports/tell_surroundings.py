"""What instruments did and measured, in words: one event each."""

from __future__ import annotations

from collections.abc import Mapping

from harness import i18n_errors
from harness.history.instrument_events import (
    Disturbed,
    Felt,
    HardwareState,
    InstrumentEvent,
    InstrumentOpened,
    InstrumentSet,
    InstrumentsSafe,
    InstrumentTrouble,
    OperatorAnswered,
    Readings,
    StressStep,
)
from harness.reports import mask, words
from harness.reports.bilingual import Both, _, joined, same

Pairs = tuple[tuple[Both, str | Both], ...]  # names and values below an event

SHOWN = {"level_kv", "field_v_m", "residual_pct", "duration_ms", "frequency_mhz"}
UNITS = {
    "temperature_c": "°C", "humidity_pct": "%", "voltage_v": "V", "current_a": "A", "field_v_m": "V/m",
    "level_kv": "kV", "residual_pct": "%", "duration_ms": "ms", "frequency_mhz": "MHz",
}  # fmt: skip
OF_LEVELS = {"burst": "kV", "esd": "kV", "surge": "kV", "field": "V/m"}


def measured(values: Mapping[str, float]) -> Both:
    """"temperature 44.0 °C, humidity 50.0 %"."""
    parts = []
    for name, value in values.items():
        known = words.QUANTITIES.get(name)
        unit, label = UNITS.get(name, ""), known or same(name.replace("_", " "))
        told = f"{value:.1f} {unit}".strip() if known else f"{value:g}"
        parts.append(Both(f"{label.en} {told}", f"{label.zh} {told}"))
    return joined(", ", parts, "，")


def hit(event: Disturbed) -> Both:
    """"burst 1 kV, 60 ms"."""
    values = ", ".join(f"{v:g} {UNITS[n]}" for n, v in event.values.items() if n in SHOWN)
    name = words.DISTURBANCES[event.sort]
    return Both(f"{name.en} {values}".strip(), f"{name.zh} {values}".strip())


def part(event: HardwareState) -> Both:
    """"printer: dead"."""
    name, state = words.PARTS[event.part], words.named(words.PART_STATES, event.state)
    return Both(f"{name.en}: {state.en}", f"{name.zh}：{state.zh}")


def step(event: StressStep) -> Both:
    """"temperature 44 °C (A)": what it leads to, and the criterion."""
    name = words.QUANTITIES.get(event.quantity) or words.named(words.DISTURBANCES, event.quantity)
    unit = UNITS.get(event.quantity) or OF_LEVELS.get(event.quantity, "%")
    value = f"{event.value:g} {unit}"
    asked = f" ({event.criterion})" if event.criterion else ""
    return Both(f"{name.en} {value}{asked}", f"{name.zh} {value}{asked}")


def told(event: InstrumentEvent) -> tuple[str, Both, str, Pairs]:
    """(kind, text, mood, pairs) for the ladder."""
    match event:
        case Readings():
            text = _("{instrument} reads {values}").format(instrument=event.instrument, values=measured(event.values))
            return "readings", text, "quiet", ()
        case InstrumentOpened():
            text = _("{instrument} is at hand: {identity}").format(
                instrument=event.instrument, identity=mask.text(event.identity)
            )
            return "instrument", text, "quiet", ()
        case InstrumentSet():
            method = words.named(words.METHODS, event.method)
            pairs = tuple((same(name.replace("_", " ")), value) for name, value in mask.values(event.args).items())
            return "instrument", joined(": ", [same(event.instrument), method], "："), "plain", pairs
        case InstrumentTrouble():
            text = _("{instrument} failed: {what}").format(instrument=event.instrument, what=_error(event.what))
            cure: Pairs = ((_("next"), _error(event.remedy)),) if event.remedy else ()
            return "trouble", text, "bad", cure
        case InstrumentsSafe():
            text = _("instruments brought to their safe state: {why}").format(why=words.SAFE[event.why])
            unsafe = tuple((same(name), _error(why)) for name, why in event.unsafe.items())
            return "safe", text, "bad" if unsafe else "good", unsafe
        case Disturbed():
            text = _("{disturbance} begins") if event.state == "begun" else _("{disturbance} ends")
            return "disturbance", text.format(disturbance=hit(event)), "bad" if event.state == "begun" else "good", ()
        case StressStep():
            text = _("step {number} of {profile}: {what}, {state}").format(
                number=event.step, profile=event.profile, what=step(event), state=words.STEP_STATES[event.state]
            )
            during = ((_("during"), event.during),) if event.during else ()
            return "stress", text, "plain", during
        case HardwareState():
            return "hardware", part(event), "good" if event.state == "ok" else "bad", ()
        case Felt():
            what = joined(": ", [same(text) for text in (event.what, event.detail) if text], "：")
            return "felt", _("the terminal's hardware felt it: {what}").format(what=what), "quiet", ()
        case OperatorAnswered():
            text = _("asked of the operator: {prompt}").format(prompt=mask.text(event.prompt))
            return "operator", text, "plain", ((_("answer"), mask.text(event.answer)),)


def _error(text: str) -> Both:
    """What the harness itself said of something that went wrong."""
    said = mask.text(text)
    return Both(said, i18n_errors.chinese(said))
