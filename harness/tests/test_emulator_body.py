"""The body of the emulated terminal with a board that is slow: a supply that is back meanwhile is not overlooked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from harness.emulator.body import Body
from harness.emulator.flash import Flash
from harness.lab import catalogue
from harness.terminal.model import Model

MODEL = catalogue.load_named(Path(__file__).parents[2] / "lab_config", Model, "HT-100").model_dump(mode="json")


class SlowBoard:
    """Taking the power away takes ``slow_s``, as on a machine that is busy."""

    def __init__(self, slow_s: float) -> None:
        self.slow_s = slow_s
        self.did: list[str] = []

    def lose_supply(self, reason: str) -> None:
        time.sleep(self.slow_s)
        self.did.append(reason)
        self.body.power(False, "brown_out")

    def regain_supply(self) -> None:
        self.did.append("on")
        self.body.power(True, "brown_out")

    def reset(self) -> None:
        self.did.append("reset")

    def hang(self) -> None:
        self.did.append("hang")

    def set_link(self, up: bool) -> bool:
        return False

    body: Body


def test_an_interruption_that_is_over_before_the_power_is_gone(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    board = SlowBoard(0.2)
    board.body = Body(Flash(tmp_path / "flash.bin"), MODEL, "SN1", 20.0, told.append, board)
    board.body.power(True, "operator")
    board.body.obey("dip", {"residual_pct": 0, "duration_ms": 60})
    end = time.monotonic() + 5
    while "on" not in board.did and time.monotonic() < end:
        time.sleep(max(0.0, min(0.05, board.body.supply.due - time.monotonic())))
        board.body.tick()
    assert board.did == ["brown_out", "on"]
    assert [one["what"] for one in told if one["ev"] == "felt"] == ["supply_dipped", "supply_lost", "supply_back"]
