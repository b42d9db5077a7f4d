"""Stress profiles: ``stress/NAME.yaml`` in a catalogue folder. What they mean, key by key: docs/environment.md.

A profile says what is done to a terminal's surroundings, step by step, in words of the standard that it is from; values
may be words of the model's own declaration (``low``). :func:`steps_for` makes numbers of them. Pure but for reading.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.errors import BadInput
from harness.history.instrument_events import Criterion, Disturbance
from harness.lab.documents import Place, Problem, read_document
from harness.lab.schema import Name
from harness.terminal.surroundings import POSSIBLE, Range, Surroundings
from harness.wire.moments import parse_moment

if TYPE_CHECKING:
    from harness.lab.inventory import BenchEntry

FOLDER = "stress"
BY_HAND = "by-hand"  # the name under which a single step is in the history
Kind = Literal["chamber", "supply", "burst", "esd", "surge", "field"]
StepQuantity = Literal["temperature_c", "humidity_pct", "voltage_v"]
QUANTITIES: Mapping[str, tuple[str, ...]] = {"chamber": ("temperature_c", "humidity_pct"), "supply": ("voltage_v",)}
DISTURBANCES: Mapping[str, tuple[str, ...]] = {
    "supply": ("dip", "interruption"), "burst": ("burst",), "esd": ("esd",), "surge": ("surge",), "field": ("field",),
}
OF_SUPPLY = ("dip", "interruption")
LOWEST: Mapping[str, tuple[float, float]] = {  # what can be asked for at all; a bench's own limits are the guard's
    **POSSIBLE, "dip": (0.1, 99), "burst": (0.1, 5), "interruption": (0, 0), "esd": (0.1, 15), "surge": (0.1, 6),
    "field": (0.1, 30),
}
_MEANINGLESS: Mapping[str, frozenset[str]] = {  # of the keys of disturbances
    "esd": frozenset({"duration_ms"}), "surge": frozenset({"duration_ms"}),
    "field": frozenset({"duration_ms", "count", "every_s"}),
}
WORDS = ("low", "high", "nominal")
_STRICT = ConfigDict(extra="forbid", frozen=True)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _number_or_word(value: float | str | bool) -> float | str:
    if isinstance(value, bool) or (isinstance(value, str) and value not in WORDS):
        raise ValueError("a number was expected, or low, high or nominal of what the model declares")
    if not isinstance(value, str) and not math.isfinite(value):
        raise ValueError("a finite number was expected")
    return value


Value = Annotated[float | str | bool, AfterValidator(_number_or_word)]


class Frequencies(BaseModel):
    """So many frequencies of this range, one of each equal part of it (equal in the logarithm)."""

    model_config = _STRICT
    low: Positive
    high: Positive
    samples: Annotated[int, Field(ge=1, le=1000)]


class StepDocument(BaseModel):
    """One step as written: a ``quantity`` that is brought to a value and stays there for the steps that follow, or a
    ``disturbance`` that strikes and is over.

    ``value``: of a quantity a number, or ``low``, ``high``, ``nominal`` of what the model declares, ``plus`` something;
    of a disturbance its level: kV, V/m, or the residual voltage of a dip in per cent of nominal (interruption: 0).
    ``hold_s``: how long it is held there, in the standard's own time. ``unit``: off, the terminal soaks without power
    and is switched on after the hold. ``during``: the moment on the wire at which a disturbance strikes.
    """

    model_config = _STRICT
    instrument: Kind
    quantity: StepQuantity | None = None
    disturbance: Disturbance | None = None
    value: Value
    plus: Finite = 0
    ramp_k_per_min: Positive | None = None
    hold_s: NotNegative = 0
    unit: Literal["on", "off"] = "on"
    duration_ms: Annotated[float, Field(gt=0, le=3_600_000)] | None = None
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    every_s: Annotated[float, Field(gt=0, le=3600)] = 1
    frequencies_mhz: Frequencies | None = None
    during: str | None = None
    criterion: Literal["A", "B", "C", "declared"]

    def problems(self) -> list[tuple[Place, str]]:
        """What does not go together, with the place below the step."""
        if (self.quantity is None) == (self.disturbance is None):
            return [((), "a step has either a `quantity` or a `disturbance`")]
        found = self._of_quantity() if self.quantity is not None else self._of_disturbance()
        what = self.quantity or self.disturbance or ""
        low, high = LOWEST[what]
        if isinstance(self.value, str):
            return found
        if not low <= self.value <= high:
            found.append((("value",), f"{what} is from {low:g} to {high:g}, not {self.value:g}"))
        elif not low <= self.value + self.plus <= high:
            found.append((("plus",), f"{what} is from {low:g} to {high:g}, not {self.value + self.plus:g}"))
        return found

    def unreachable(self, surroundings: Surroundings) -> list[tuple[Place, str]]:
        """What a word of the model comes to that nothing can reach, with the place below the step."""
        if self.quantity is None or not isinstance(self.value, str):
            return []
        low, high = LOWEST[self.quantity]
        value = getattr(getattr(surroundings, self.quantity), self.value) + self.plus
        if low <= value <= high:
            return []
        text = f"{self.quantity} is from {low:g} to {high:g}, and {self.value} of this model with `plus` is {value:g}"
        return [(("plus" if self.plus else "value",), text)]

    def _of_quantity(self) -> list[tuple[Place, str]]:
        found: list[tuple[Place, str]] = []
        known = QUANTITIES.get(self.instrument, ())
        if self.quantity not in known:
            text = f"{_a(self.instrument)} has no {self.quantity}; it has {', '.join(known) or 'disturbances only'}"
            found.append((("quantity",), text))
        given = self.model_fields_set & {"duration_ms", "count", "every_s", "frequencies_mhz", "during"}
        found += [((key,), f"`{key}` is of a disturbance, not of a quantity") for key in sorted(given)]
        if self.ramp_k_per_min is not None and self.quantity != "temperature_c":
            found.append((("ramp_k_per_min",), "only the temperature has a ramp"))
        return found

    def _of_disturbance(self) -> list[tuple[Place, str]]:
        found: list[tuple[Place, str]] = []
        known = DISTURBANCES.get(self.instrument, ())
        if self.disturbance not in known:
            text = f"{_a(self.instrument)} makes no {self.disturbance}; it makes {', '.join(known) or 'none'}"
            found.append((("disturbance",), text))
        given = self.model_fields_set & {"ramp_k_per_min", "plus", "unit", "hold_s"}
        if self.disturbance == "field":
            given -= {"hold_s"}
        found += [((key,), f"`{key}` is of a quantity, not of {_a(self.disturbance)}") for key in sorted(given)]
        idle = self.model_fields_set & _MEANINGLESS.get(self.disturbance or "", frozenset())
        found += [((key,), f"`{key}` means nothing for {_a(self.disturbance)}: leave it out") for key in sorted(idle)]
        if isinstance(self.value, str):
            found.append((("value",), f"the level of {_a(self.disturbance)} is a number"))
        if self.disturbance in (*OF_SUPPLY, "burst") and self.duration_ms is None:
            found.append(((), f"`duration_ms` is missing: how long each {self.disturbance} lasts"))
        if (self.disturbance == "field") != (self.frequencies_mhz is not None):
            found.append(((), "a field needs `frequencies_mhz`, and nothing else has them"))
        span = self.frequencies_mhz
        if span is not None and span.low >= span.high:
            found.append((("frequencies_mhz",), "`low` must be below `high`"))
        if self.during is not None:
            try:
                parse_moment(self.during)
            except BadInput as error:
                found.append((("during",), f"{error.message}; {error.remedy}"))
        return found


def _a(word: str | None) -> str:
    return f"{'an' if (word or '')[:1] in 'aeiou' else 'a'} {word}"


class StressProfile(BaseModel):
    """The whole file. ``source``: the standard and its clause."""

    model_config = _STRICT
    name: Name
    title: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    steps: Annotated[list[StepDocument], Field(min_length=1)]

    @property
    def disturbs(self) -> bool:
        """Whether it has a step that can strike at a moment."""
        return any(step.disturbance is not None for step in self.steps)


@dataclass(frozen=True)
class Step:
    """A step in numbers. ``number``: its place in the profile, from 1. ``what``: the quantity or the disturbance.
    ``criterion``: None, where the model declares nothing for such a disturbance. ``frequencies_mhz``: those of a field;
    ``hold_s`` then: at each of them."""

    number: int
    instrument: Kind
    what: str
    value: float
    criterion: Criterion | None
    disturbs: bool
    ramp_k_per_min: float | None = None
    hold_s: float = 0
    unit_off: bool = False
    duration_ms: float = 0
    count: int = 1
    every_s: float = 1
    frequencies_mhz: tuple[float, ...] = ()
    during: str = ""

    @property
    def title(self) -> str:
        """In words for people."""
        told = f"{self.what} {self.value:g}"
        if self.duration_ms:
            told += f" for {self.duration_ms:g} ms"
        if self.count > 1:
            told += f", {self.count} times"
        return told + (f" during {self.during}" if self.during else "")


def load_stress(path: Path, surroundings: Surroundings | None = None) -> StressProfile:
    """A profile file, for a model with these ``surroundings`` (None: whichever). Raises :class:`BadInput` with file,
    line, column."""
    document = read_document(path, StressProfile)
    profile = document.value
    problems = [
        Problem(("steps", index, *place), text)
        for index, step in enumerate(profile.steps)
        for place, text in [*step.problems(), *(step.unreachable(surroundings) if surroundings is not None else [])]
    ]
    if profile.name != path.stem:
        text = f"the name {profile.name} and the file name {path.name} must be the same"
        problems.append(Problem(("name",), text))
    if problems:
        document.refuse(problems)
    return profile


def by_hand(step: Mapping[str, Any]) -> StressProfile:
    """A profile of one step, with the keys of a file; for who does a single thing. Raises :class:`BadInput`."""
    try:
        document = StepDocument.model_validate(dict(step))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{where}: {first['msg'].removeprefix('Value error, ')}", where="stress step") from error
    problems = document.problems()
    if problems:
        raise BadInput("; ".join(text for _place, text in problems), where="stress step")
    return StressProfile(name=BY_HAND, title="by hand", source="the test", steps=[document])


def names(folder: Path) -> list[str]:
    """The profiles of a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def check_all(benches: Iterable[BenchEntry]) -> None:
    """All profiles that tests on those of these benches that have instruments may ask for. Raises :class:`BadInput` at
    the first file that is wrong for whichever model: what one model can't reach need not be asked of it."""
    folders = {Path(entry.catalogue) / FOLDER for entry in benches if entry.instruments and entry.catalogue}
    for folder in sorted(folders):
        for name in names(folder):
            load_stress(folder / f"{name}.yaml")


def load_named(folder: Path, name: str, surroundings: Surroundings | None = None) -> StressProfile:
    """Profile ``name`` of a catalogue's ``stress`` folder, as :func:`load_stress` has it. Raises :class:`BadInput`,
    also when there is none."""
    path = folder / f"{name}.yaml"
    if not name or Path(name).name != name or not path.is_file():
        known = ", ".join(names(folder)) or "none"
        raise BadInput(f"there is no stress profile {name}; known: {known}", where=str(folder))
    return load_stress(path, surroundings)


def steps_for(
    profile: StressProfile, surroundings: Surroundings, *, during: str | None = None, at_most: int | None = None,
    only: Collection[int] = (), seed: str = "hil97",
) -> tuple[Step, ...]:
    """The steps in numbers for a model. ``only``: those of these places (from 1); (): all. ``during``: all disturbances
    strike at this moment instead of their own ("": at rest). ``at_most``: so many of the disturbances, which ones
    ``seed`` decides; a sample of frequencies is cut to as many. The same arguments give the same steps. Raises
    :class:`BadInput` where ``during`` is no moment, or a value is one that nothing can reach."""
    if during:
        parse_moment(during)
    for number, step in enumerate(profile.steps, 1):
        for _place, text in step.unreachable(surroundings):
            raise BadInput(text, where=f"step {number} of the stress profile {profile.name}")
    dice = random.Random(f"{seed} {profile.name} {during or ''}")
    kept = _kept(profile.steps, at_most, dice) & (set(only) or set(range(1, len(profile.steps) + 1)))
    return tuple(
        _resolved(number, step, surroundings, during, at_most, dice)
        for number, step in enumerate(profile.steps, 1) if number in kept
    )


def _kept(steps: Sequence[StepDocument], at_most: int | None, dice: random.Random) -> set[int]:
    struck = [number for number, step in enumerate(steps, 1) if step.disturbance is not None]
    if at_most is not None and len(struck) > at_most:
        struck = dice.sample(struck, at_most)
    return {number for number, step in enumerate(steps, 1) if step.quantity is not None} | set(struck)


def _resolved(
    number: int, step: StepDocument, surroundings: Surroundings, during: str | None, at_most: int | None,
    dice: random.Random,
) -> Step:
    if step.quantity is not None:
        declared: Range = getattr(surroundings, step.quantity)
        value = (getattr(declared, step.value) if isinstance(step.value, str) else step.value) + step.plus
        inside = declared.low <= value <= declared.high
        return Step(
            number, step.instrument, step.quantity, value, _criterion(step, "A" if inside else "C"), False,
            ramp_k_per_min=step.ramp_k_per_min, hold_s=step.hold_s, unit_off=step.unit == "off",
        )
    assert step.disturbance is not None and not isinstance(step.value, str)
    sort, duration = step.disturbance, step.duration_ms or 0
    level, residual = (duration, step.value) if sort in OF_SUPPLY else (step.value, 0.0)
    return Step(
        number, step.instrument, sort, step.value, _criterion(step, surroundings.criterion(sort, level, residual)),
        True, hold_s=step.hold_s, duration_ms=duration, count=step.count, every_s=step.every_s,
        frequencies_mhz=_frequencies(step.frequencies_mhz, at_most, dice),
        during=(step.during or "") if during is None else during,
    )


def _criterion(step: StepDocument, declared: Criterion | None) -> Criterion | None:
    return declared if step.criterion == "declared" else step.criterion


def _frequencies(span: Frequencies | None, at_most: int | None, dice: random.Random) -> tuple[float, ...]:
    if span is None:
        return ()
    count = span.samples if at_most is None else min(span.samples, at_most)
    ratio = span.high / span.low
    return tuple(round(span.low * ratio ** ((part + dice.random()) / count), 1) for part in range(count))
