"""The options of ``hil97 gate``: one that is not of what is asked for is refused, never passed over. Nothing is run."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest

from harness.campaigns import gate, gate_soak
from harness.campaigns.gate_soak import Tally
from harness.cli import gate as command
from harness.cli import main
from harness.errors import BadInput

GATE, SOAK = ["none.img"], ["--soak", "none.img"]
SELF_TEST, REPRODUCE = ["--self-test", "perfect"], ["--reproduce", "none.zip"]
VALUES = {
    "--from": ["1.0.0"], "--lab": ["x.yaml"], "--baseline": ["r"], "--seed": ["s"], "--run-name": ["n"], "--whole": [],
    "--hours": ["1"], "--count": ["1"], "--model": ["HT-100"], "--lab-config": ["x"],
}  # fmt: skip
TAKEN = (
    (GATE, {"--from", "--lab", "--baseline", "--seed", "--run-name"}),
    (SOAK, {"--from", "--lab", "--baseline", "--seed", "--hours", "--count"}),
    (SELF_TEST, {"--whole", "--model", "--lab-config"}),
    (REPRODUCE, {"--run-name"}),
)


@pytest.mark.parametrize(("asked", "taken"), TAKEN)
@pytest.mark.parametrize("option", VALUES)
def test_an_option_that_would_do_nothing_is_refused(
    option: str, asked: list[str], taken: set[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)  # there is neither image nor inventory: what is taken ends with another message
    assert main(["--lang", "en", "gate", *asked, option, *VALUES[option]]) == 2
    said = capsys.readouterr().err
    assert (f"does not take {option}\n" in said) == (option not in taken), said
    assert not list(tmp_path.iterdir())


def test_all_that_is_too_much_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "gate", *SELF_TEST, "--lab", command.DEFAULT_LAB, "--seed", "s"]) == 2
    assert "--self-test does not take --lab, --seed\n" in capsys.readouterr().err


class Soaked:
    """``hil97 gate --soak`` without its gates."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seeds: list[str] = []

        def soak(*_pairs: object, seed: str, **_more: Any) -> Tally:
            self.seeds.append(seed)
            return Tally(seed)

        monkeypatch.setattr(gate_soak, "soak", soak)
        monkeypatch.setattr(gate_soak, "busy_core", contextlib.nullcontext)
        monkeypatch.setattr(gate, "check", lambda _wanted: None)


def test_a_soak_has_the_seeds_of_its_day_or_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soaked = Soaked(monkeypatch)
    main(["--lang", "en", "gate", *SOAK, "--from", "1.0.0"])
    main(["--lang", "en", "gate", *SOAK, "--from", "1.0.0", "--seed", "mine"])
    assert re.fullmatch(r"soak-\d{4}-\d\d-\d\d", soaked.seeds[0]) and soaked.seeds[1:] == ["mine"]
    assert "--seed mine: " in capsys.readouterr().out, "how to repeat it"


def test_a_soak_of_the_released_versions_is_updated_from_no_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pairs(_folder: Path) -> None:
        raise BadInput("went on")

    soaked = Soaked(monkeypatch)
    monkeypatch.setattr(command, "_released_pairs", pairs)
    assert main(["--lang", "en", "gate", "--soak", "--from", "1.0.0"]) == 2
    assert "no image is named" in capsys.readouterr().err and not soaked.seeds
