"""The profiles as shipped: sound, together on both sides of each dispute, and honest about what is assumed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.errors import BadInput
from harness.lab.catalogue import load_profile
from harness.protocol.profile import REST, Profile

FOLDER = Path(__file__).parents[2] / "lab_config" / "profiles"
PROFILES = {path.stem: load_profile(path) for path in sorted(FOLDER.glob("*.yaml"))}
PROVIDERS = ("unionpay-direct", "unionpay-ums", "lakala")
# Section 14 of the facts: parameter -> the sides that public sources take.
DISPUTES: dict[str, list[object]] = {
    "reversal_success": [["00"], ["00", "12", "25"]],
    "parameter_download_code": ["360", "364"],
    "mak_length": [8, 16],
    "reversal_attempts": [3, 4],
    "reversal_on_mismatch": ["keep", "delete"],
    "f60_digits": [8, 11, 13, 14],
    "f48_encoding": ["bcd", "ascii"],
    "batch_end_balanced": ["207", "202"],
    "declines_carry_mac": [True, False],
    "sm_key_digit": ["3", "4"],
    "sign_in_network_code": ["001", "003", "004", "005", "006"],
    "cashier_lrc": ["with_etx", "without_etx"],
    "cashier_length": ["bcd", "binary"],
}
# Standards and every source agree, or they are this harness's own.
CERTAIN = {
    "name", "title", "network", "assumed", "limits", "reversal_reason_no_answer", "reversal_reason_bad_mac", "link",
    "http_path", "receive_timeout_s",
}  # fmt: skip
UNIONPAY = {"not_registered", "settlement_success", "force_sign_in", "texts"}  # every public table of its codes


@pytest.mark.parametrize("parameter", DISPUTES)
def test_the_set_covers_both_sides(parameter: str) -> None:
    held = [getattr(profile, parameter) for profile in PROFILES.values()]
    for side in DISPUTES[parameter]:
        assert side in held, (parameter, side)


def test_categories_and_success_codes_are_on_both_sides() -> None:
    held = [profile.categories.codes for profile in PROFILES.values()]
    assert {c.get("77") for c in held} == {"D", "B"}
    assert {c.get("68") for c in held} == {"C", "B"}
    assert {"10" in profile.success for profile in PROFILES.values()} == {True, False}


def test_no_two_providers_are_alike() -> None:
    for one in PROVIDERS:
        for other in PROVIDERS:
            differing = [n for n in DISPUTES if getattr(PROFILES[one], n) != getattr(PROFILES[other], n)]
            assert one == other or len(differing) >= 4, (one, other, differing)


@pytest.mark.parametrize("name", PROFILES)
def test_what_is_not_certain_is_marked_whether_the_file_sets_it_or_not(name: str) -> None:
    """``rest`` speaks for what the file leaves to the defaults. What it sets has its own line, unless that is what
    unionpay-direct has, where its line stands; unionpay-direct has no ``rest``."""
    profile, defaults = PROFILES[name], PROFILES["unionpay-direct"]
    written = set(YAML(typ="safe").load(FOLDER / f"{name}.yaml"))
    certain = CERTAIN | (UNIONPAY if profile.network == "unionpay" else set())
    for parameter in set(Profile.model_fields) - certain - set(profile.assumed):
        same = getattr(profile, parameter) == getattr(defaults, parameter)
        assert REST in profile.assumed and name != "unionpay-direct", parameter
        assert parameter not in written or same or parameter == "texts", parameter
    for parameter, why in profile.assumed.items():
        assert parameter == REST or parameter in Profile.model_fields
        assert len(why) > 5, parameter


@pytest.mark.parametrize("name", PROFILES)
def test_every_listed_code_has_words(name: str) -> None:
    profile = PROFILES[name]
    for code in profile.not_registered:
        assert profile.texts.codes[code]
        for other, words in profile.texts.codes.items():
            assert other in profile.not_registered or not set(words) & set(profile.texts.codes[code]), other


def test_97_means_something_else_elsewhere() -> None:
    assert "97" in PROFILES["aunz"].settlement_success
    assert PROFILES["aunz"].not_registered == ["89"]
    assert PROFILES["gicc"].not_registered == ["58"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("assumed:", "assumed:\n  sucess: \"a slip of the pen\"", "sucess is no parameter of a profile"),
        ("decline_mac: optional", "decline_mac: required\ndeclines_carry_mac: false", "a decline must have a MAC"),
        ("f60_digits: 14", "f60_digits: 12", "f60_digits"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, old: str, new: str, told: str) -> None:
    name = "unionpay-ums" if "f60" in old else "unionpay-direct"
    path = tmp_path / f"{name}.yaml"
    shutil.copy(FOLDER / f"{name}.yaml", path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_profile(path)
    assert told in str(refused.value)
    assert f"{name}.yaml:" in str(refused.value)
