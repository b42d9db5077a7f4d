"""Stress profiles: what is shipped, what is refused and where, and the numbers that a model makes of them."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.campaigns.launch import Request
from harness.campaigns.launch import check as launch_check
from harness.cli import main
from harness.errors import BadInput
from harness.lab import catalogue
from harness.lab.inventory import load_lab
from harness.lab.stress import LOWEST, by_hand, check_all, load_named, load_stress, names, steps_for
from harness.terminal.model import Model

CONFIG = Path(__file__).parents[2] / "lab_config"
SHIPPED = CONFIG / "stress"
MODELS = catalogue.names(CONFIG, Model)
HEAD = "name: mine\ntitle: mine\nsource: nobody\nsteps:\n"


def surroundings(model: str = "HT-200"):  # type: ignore[no-untyped-def]
    declared = catalogue.load_named(CONFIG, Model, model).surroundings
    assert declared is not None
    return declared


def refusal(tmp_path: Path, step: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{HEAD}  - {step}\n", encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_stress(path)
    return str(caught.value)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", names(SHIPPED))
def test_what_is_shipped_makes_sense_for_every_model(name: str, model: str) -> None:
    """Within what each instrument can be asked for, and inside the declared range where criterion A is asked for."""
    profile, declared = load_named(SHIPPED, name), surroundings(model)
    for step in steps_for(profile, declared):
        low, high = LOWEST[step.what]
        assert low <= step.value <= high
        if not step.disturbs and step.criterion == "A":
            span = getattr(declared, step.what)
            assert span.low <= step.value <= span.high


def test_the_standard_ones_are_there() -> None:
    climate = {"cold", "hot", "damp-heat", "temperature-cycle", "supply-range"}
    assert climate | {"dips", "burst", "esd", "surge", "field"} <= {*names(SHIPPED)}
    told = [(step.value, step.duration_ms) for step in steps_for(load_named(SHIPPED, "dips"), surroundings())]
    assert told == [(0, 10), (0, 20), (70, 500), (0, 5000)]  # 0.5, 1, 25 and 250 cycles of 20 ms


@pytest.mark.parametrize(("step", "told"), [
    ("{instrument: chamber, criterion: A, value: 1}", ":5:5: a step has either a `quantity` or a `disturbance`"),
    ("{instrument: chamber, quantity: voltage_v, value: 220, criterion: A}", ":5:37: a chamber has no voltage_v"),
    ("{instrument: burst, disturbance: esd, value: 4, criterion: B}", "a burst makes no esd; it makes burst"),
    ("{instrument: burst, disturbance: burst, value: 1, criterion: B}", "`duration_ms` is missing"),
    ("{instrument: burst, disturbance: burst, value: 97, duration_ms: 9, criterion: B}", ":5:52: burst is from 0.1"),
    ("{instrument: esd, disturbance: esd, value: low, criterion: B}", "the level of an esd is a number"),
    ("{instrument: esd, disturbance: esd, value: 4, during: lunch, criterion: B}", ":5:59: no protocol moment"),
    ("{instrument: esd, disturbance: esd, value: 4, hold_s: 9, criterion: B}", "`hold_s` is of a quantity"),
    ("{instrument: field, disturbance: field, value: 3, criterion: A}", "a field needs `frequ"),
    ("{instrument: supply, quantity: voltage_v, value: low, count: 2, criterion: A}", "`count` is of a disturbance"),
    ("{instrument: supply, quantity: voltage_v, value: low, ramp_k_per_min: 1, criterion: A}", "only the temp"),
    ("{instrument: esd, disturbance: esd, value: 4, duration_ms: 50, criterion: B}",
     ":5:64: `duration_ms` means nothing for an esd: leave it out"),
    ("{instrument: surge, disturbance: surge, value: 1, duration_ms: 50, criterion: B}", "nothing for a surge"),
    ("{instrument: field, disturbance: field, value: 3, count: 2, frequencies_mhz: {low: 80, high: 90, samples: 1},"
     " criterion: A}", "`count` means nothing for a field"),
    ("{instrument: chamber, quantity: temperature_c, value: 40, plus: 500, criterion: C}",
     ":5:69: temperature_c is from -70 to 150, not 540"),
    ("{instrument: chamber, quantity: temperature_c, value: warm, criterion: A}", ":5:59: steps[1].value: a num"),
    ("{instrument: chamber, quantity: temperature_c, value: 5, critrion: A}", "did you mean `criterion`?"),
    ("{instrument: chamber, quantity: temperature_c, value: .nan, criterion: A}", ":5:59: steps[1].value: "),
])  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, step: str, told: str) -> None:
    assert told in refusal(tmp_path, step)


@pytest.mark.parametrize(("quantity", "told"), [
    ("instrument: chamber, quantity: temperature_c, value: low, plus: -500",
     ":5:70: temperature_c is from -70 to 150, and low of this model with `plus` is -510"),
    ("instrument: supply, quantity: voltage_v, value: high, plus: 100",
     ":5:66: voltage_v is from 0 to 300, and high of this model with `plus` is 342"),
])  # fmt: skip
def test_what_nothing_can_reach_for_the_model_is_told_with_its_place(tmp_path: Path, quantity: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{HEAD}  - {{{quantity}, criterion: C}}\n", encoding="utf-8")
    profile = load_stress(path)  # of another model it may be reached
    with pytest.raises(BadInput) as caught:
        load_stress(path, surroundings())
    assert told in str(caught.value) and str(caught.value).startswith(str(path))
    with pytest.raises(BadInput) as caught:
        load_named(tmp_path, "mine", surroundings())
    assert told in str(caught.value) and str(caught.value).startswith(str(path))
    with pytest.raises(BadInput, match="step 1 of the stress profile mine: "):  # who has it from elsewhere
        steps_for(profile, surroundings())
    step = by_hand({"instrument": "chamber", "quantity": "temperature_c", "value": "high", "plus": 200,
                    "criterion": "C"})
    with pytest.raises(BadInput, match="temperature_c is from -70 to 150, and high of this model"):
        steps_for(step, surroundings())


def test_a_name_that_is_not_the_files_and_one_that_nobody_has(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(f"{HEAD}  - {{instrument: esd, disturbance: esd, value: 4, criterion: B}}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"other\.yaml:1:7: the name mine and the file name other\.yaml"):
        load_stress(path)
    with pytest.raises(BadInput, match="there is no stress profile typhoon; known: beyond, burst"):
        load_named(SHIPPED, "typhoon")
    with pytest.raises(BadInput, match="there is no stress profile"):
        load_named(SHIPPED, "../models/HT-100")


LAB = """\
catalogue: catalogue
benches:
  - {name: one, kind: emulated, model: HT-100, profile: unionpay-direct, instruments: {chamber: {driver: scpi-chamber}}}
  - {name: two, kind: emulated, model: HT-200, profile: unionpay-direct}
"""


@pytest.mark.parametrize(("step", "told"), [
    ("{instrument: chambr, quantity: temperature_c, value: 40, criterion: A}", ":5:18: steps[1].instrument: "),
    ("{instrument: chamber, quantity: temperature_c, value: 40, ramp_k_per_min: -1, criterion: A}", ":5:79: steps[1]."),
    ("{instrument: chamber, quantity: temperature_c, value: 900, criterion: A}", ":5:59: temperature_c is from -70 to"),
])  # fmt: skip
def test_a_wrong_profile_is_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str, told: str
) -> None:
    """Of a catalogue from which a bench with instruments may be asked to do it; else it is nobody's."""
    shutil.copytree(CONFIG, tmp_path / "catalogue")
    profile = tmp_path / "catalogue" / "stress" / "mine.yaml"
    profile.write_text(f"{HEAD}  - {step}\n", encoding="utf-8")
    lab = tmp_path / "lab.yaml"
    lab.write_text(LAB, encoding="utf-8")
    results = str(tmp_path / "results")
    for command in (["lab", "check", str(lab)], ["run", str(CONFIG), "--lab", str(lab), "--results", results]):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert told in said and said.count("mine.yaml:") == 1 and "Traceback" not in said
    with pytest.raises(BadInput, match=r"mine\.yaml:5:"):
        launch_check(Request(str(lab), [str(CONFIG)], results))
    assert not (tmp_path / "results").exists()
    lab.write_text(LAB.replace(", instruments: {chamber: {driver: scpi-chamber}}", ""), encoding="utf-8")
    assert main(["lab", "check", str(lab)]) == 0


def test_what_is_shipped_is_for_all_models() -> None:
    check_all(load_lab(CONFIG / "emulated.yaml").benches)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 99_999) | st.floats(allow_nan=False)
    | st.sampled_from(["chamber", "esd", "temperature_c", "dip", "low", "A", "declared", "0200", "response to 0200"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["low", "high", "samples"]), inner),
    max_leaves=4,
)
_KEYS = st.sampled_from([
    "instrument", "quantity", "disturbance", "value", "plus", "ramp_k_per_min", "hold_s", "unit", "duration_ms",
    "count", "every_s", "frequencies_mhz", "during", "criterion", "cirterion",
])  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=8), max_size=4))
def test_whatever_stands_there_is_a_profile_or_bad_input(steps: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.yaml"
        path.write_text(json.dumps({"name": "mine", "title": "t", "source": "s", "steps": steps}), encoding="utf-8")
        try:
            profile = load_stress(path, surroundings())
        except BadInput as error:
            assert str(error).startswith(f"{path}:")
            return
    for step in steps_for(profile, surroundings()):
        assert step.criterion in (None, "A", "B", "C")


def test_declared_is_what_the_model_declares_which_may_be_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    steps = [
        "{instrument: field, disturbance: field, value: 3, frequencies_mhz: {low: 80, high: 1000, samples: 2}, ",
        "{instrument: field, disturbance: field, value: 10, frequencies_mhz: {low: 80, high: 1000, samples: 2}, ",
        "{instrument: supply, disturbance: dip, value: 70, duration_ms: 500, ",
        "{instrument: supply, disturbance: dip, value: 40, duration_ms: 500, ",
        "{instrument: supply, quantity: voltage_v, value: high, ",
        "{instrument: supply, quantity: voltage_v, value: high, plus: 5, ",
    ]
    path.write_text(HEAD + "".join(f"  - {step}criterion: declared}}\n" for step in steps), encoding="utf-8")
    assert [step.criterion for step in steps_for(load_stress(path), surroundings())] == ["A", None, "A", None, "A", "C"]


def test_a_sample_repeats_with_its_seed_and_keeps_the_quantities() -> None:
    profile = load_named(SHIPPED, "dips")
    one, again = (steps_for(profile, surroundings(), at_most=2, seed="tuesday") for _ in range(2))
    assert one == again and len(one) == 2
    sampled = {steps_for(profile, surroundings(), at_most=2, seed=str(seed)) for seed in range(20)}
    assert len(sampled) > 1
    climate = load_named(SHIPPED, "temperature-cycle")
    assert len(steps_for(climate, surroundings(), at_most=1)) == len(climate.steps)


def test_a_field_is_sampled_over_its_whole_range() -> None:
    (step,) = steps_for(load_named(SHIPPED, "field"), surroundings())
    assert len(step.frequencies_mhz) == 6 and [*step.frequencies_mhz] == sorted(step.frequencies_mhz)
    assert 80 <= step.frequencies_mhz[0] < 122 and 656 < step.frequencies_mhz[-1] <= 1000


@given(st.text(max_size=20))
def test_any_moment_is_taken_or_refused(text: str) -> None:
    profile = load_named(SHIPPED, "esd")
    try:
        steps = steps_for(profile, surroundings(), during=text)
    except BadInput:
        return
    assert {step.during for step in steps} == {text}
