"""Whether each bench of a gate really ran the image, and got it by an update."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.campaigns.gate_proof import installed, of_log, troubles
from harness.checkers.reading import Reading
from harness.errors import BadInput
from harness.history.events import Firmware, RunOpened, UnitReplaced
from harness.lab import firmware_images
from harness.lab.firmware_images import make_from, make_image
from harness.tests.golden import World
from harness.tests.golden_updates import firmware, load, refuse, unit_with


def updated(world: World) -> None:
    unit_with(world, "0.9.0")
    load(world, "1.0.0")


def refused(world: World) -> None:
    unit_with(world, "0.9.0")
    refuse(world, "1.0.0", stays="0.9.0")
    unit_with(world, "1.0.0")


def never_given(world: World) -> None:
    unit_with(world, "0.9.0")
    unit_with(world, "1.0.0")


def given_to_a_later_unit(world: World) -> None:
    never_given(world)
    updated(world)


def from_the_factory(world: World) -> None:
    unit_with(world, "1.0.0")


def log_of(story: Callable[[World], None], ran: Firmware) -> Reading:
    """Of a bench whose first unit is that of ``story``."""
    world = World()
    story(world)
    own = next(event for event in world.events if isinstance(event, UnitReplaced))
    events = [
        event.model_copy(update={"firmware": ran}) if isinstance(event, RunOpened) else event
        for event in world.events if event is not own
    ]
    return Reading.of(events)


IMAGE, OTHER = firmware("1.0.0"), firmware("7.7.7")


@pytest.mark.parametrize(
    ("story", "ran", "by_update", "came_by", "trouble"),
    [
        (updated, IMAGE, True, "update", ""),
        (updated, OTHER, True, "update", "opened with another image: golden 7.7.7"),
        (refused, IMAGE, True, "factory", "did not end with the image running"),
        (never_given, IMAGE, True, "factory", "never given the image"),
        (given_to_a_later_unit, IMAGE, True, "factory", "never given the image"),
        (from_the_factory, IMAGE, False, "factory", ""),
        (from_the_factory, OTHER, False, "factory", "opened with another image"),
    ],
)
def test_how_a_bench_came_to_the_image(  # type: ignore[no-untyped-def]
    story, ran: Firmware, by_update: bool, came_by: str, trouble: str
) -> None:
    found = of_log(log_of(story, ran), "bench-1", IMAGE, by_update=by_update)
    assert found.came_by == came_by
    assert (trouble in found.trouble) if trouble else found.trouble == ""
    assert troubles([found]) == ([f"bench-1: {found.trouble}"] if trouble else [])


def test_a_log_without_a_test_tells_nothing(tmp_path: Path) -> None:
    log = tmp_path / "benches" / "bench-1" / "history.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({"kind": "nonsense"}) + "\n")
    assert installed(tmp_path, {}, IMAGE) == []
    log.write_text("")
    assert installed(tmp_path, {}, IMAGE) == []


def test_a_run_has_a_copy_of_the_image_that_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of the file, all benches run what was checked; a file that changes meanwhile is refused."""
    (built,) = make_from(["1.0.0"], tmp_path / "build").values()
    given = tmp_path / "new.img"
    given.write_bytes(Path(built.path).read_bytes())
    for kept in (make_image(str(given), tmp_path / "run"), *make_from([str(given)], tmp_path / "run").values()):
        assert kept.sha256 == built.sha256 and Path(kept.path).is_relative_to(tmp_path / "run")
        assert Path(kept.path).stem == "new", "by which its group is called"
    (other,) = make_from(["1.1.0"], tmp_path / "build").values()
    found = firmware_images.existing(given)
    monkeypatch.setattr(firmware_images, "check_firmware", lambda _firmware: found)
    given.write_bytes(Path(other.path).read_bytes())
    with pytest.raises(BadInput, match="was changed while it was read"):
        make_image(str(given), tmp_path / "run")
