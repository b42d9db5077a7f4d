"""What a model's file declares of its surroundings, as the board reads it: plain values, no validation (the lab has
done that). A model that declares nothing feels nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ENDLESS = float("inf")
_BEST_FIRST = "ABC"


@dataclass(frozen=True)
class Declared:
    """Ranges by their ends that matter here; ``rated_v``: the nominal supply, of which dips are per cents. The rest as
    in :class:`harness.terminal.surroundings.Feeling`. ``levels``: (sort, criterion) -> the highest declared level."""

    coldest_c: float = -_ENDLESS
    wettest_pct: float = _ENDLESS
    temperature_c: float = 23.0
    humidity_pct: float = 50.0
    rated_v: float = 220.0
    screen_slow_ms_per_k: float = 20
    printer_stops_c: float = 60
    reader_misses_per_pct: float = 0.04
    worn_misses: float = 0.5
    brown_out_v: float = 150
    hold_up_ms: float = 20
    drift_ppm_per_k: float = 2
    battery_s: float = 0
    battery_low_pct: float = 15
    levels: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> Declared:
        """Of a model file as a dict (``Model.model_dump()``)."""
        told = model.get("surroundings")
        if not told:
            return cls()
        levels: dict[tuple[str, str], float] = {}
        for one in told.get("immunity", ()):
            key = str(one["sort"]), str(one["criterion"])
            levels[key] = max(levels.get(key, 0.0), float(one["level"]))
        feeling = {name: float(value) for name, value in told.get("emulated", {}).items()}
        return cls(
            coldest_c=float(told["temperature_c"]["low"]), wettest_pct=float(told["humidity_pct"]["high"]),
            temperature_c=float(told["temperature_c"]["nominal"]), humidity_pct=float(told["humidity_pct"]["nominal"]),
            rated_v=float(told["voltage_v"]["nominal"]), levels=levels, **feeling,
        )

    def level(self, sort: str, criterion: str) -> float:
        """The highest level of ``sort`` at which ``criterion`` or a better one is declared; 0: none is."""
        good = _BEST_FIRST[: _BEST_FIRST.index(criterion) + 1]
        return max((self.levels.get((sort, one), 0.0) for one in good), default=0.0)
