"""ENV-02: a disturbance that was another one than its instrument was told to make, or was not made at all."""

from __future__ import annotations

from harness.history.instrument_events import Readings
from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab

stories = Stories("ENV-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def dip(world: World, lab: Lab, *course: tuple[float, float]) -> None:
    """Told to be one to 70 % for half a second, which the terminal must bear. ``course``: volts, and for how long; it
    resets itself as that is over."""
    with lab.hit("dip", residual_pct=70, duration_ms=500):
        for voltage_v, seconds in course:
            lab.reads(voltage_v)
            world.wait(seconds)
        lab.reads(220)
    world.reboot("brown_out")


def field(world: World, lab: Lab, field_v_m: float) -> None:
    """Told to be one of 3 V/m, which the terminal must bear."""
    lab.has("field")
    with lab.hit("field", field_v_m=3):
        world.append(Readings(t=0, instrument="field-1", values={"field_v_m": field_v_m}))
        world.wait(3)
        world.reboot("watchdog")


@undecided("ENV-02", "its readings do not show that it did")
def a_person_says_that_it_was_not_done(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            lab.answers("supply-1", "no, it has no such mode")
            world.wait(0.6)
        world.sale(700)


@bad("ENV-02", "dip to 70 % for 500 ms, criterion A: the terminal went off, or reset itself")
def a_dip_as_it_was_told(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        dip(world, lab, (150, 0.3), (154, 0.3))


@bad("ENV-02", "field of 3 V/m, criterion A: the terminal went off, or reset itself")
def a_field_as_uneven_as_fields_are(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        field(world, lab, 5)
