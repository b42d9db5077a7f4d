"""ENV-02: what a disturbance may do to the terminal, and what none may."""

from __future__ import annotations

from harness.tests.golden import World, lost
from harness.tests.golden_stories import Stories
from harness.tests.golden_surroundings import Lab
from harness.tests.histories.steps import deny_success

stories = Stories("ENV-")
shown_twice = Stories("ENV-")  # that it is back: by what it does, and by its idle screen; one of them is enough
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def day(world: World) -> None:
    """A sale that is stored."""
    world.sign_in()
    world.sale(1200)


# -- nothing is lost ---------------------------------------------------------------------------------------------------


@shown_twice.good("ENV-02", "the 1 transactions of batch 000001 are in its next settlement")
def the_batch_outlives_a_reset(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("esd", level_kv=4):
            world.wait(1)
        world.reboot("watchdog")
        world.settle()


@good("ENV-02", "the reversal of the sale")
def the_reversal_outlives_a_surge_beyond_all(world: World) -> None:
    day(world)
    world.sale(900, lost())
    with Lab(world) as lab:
        with lab.hit("surge", level_kv=8):
            world.wait(1)
        world.reboot()
        world.sale(700)
        world.settle()


@bad("ENV-02", "the next settlement claims")
def a_burst_costs_the_batch(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(1)
        world.terminal.log.clear()
        world.sale(700)
        world.settle()


@undecided("ENV-02", "its readings do not show that it did")
def a_burst_of_which_nothing_tells_when_it_was_over(world: World) -> None:
    """The generator did not count it either."""
    day(world)
    with Lab(world) as lab:
        lab.has("burst", works=False)
        with lab.hit("burst", level_kv=1):
            world.wait(1)
        world.events = [e for e in world.events if e.kind != "disturbance" or e.state != "ended"]
        world.settle()


@bad("ENV-02", "was sent without it")
def a_discharge_costs_the_reversal(world: World) -> None:
    day(world)
    world.sale(900, lost())
    with Lab(world) as lab:
        with lab.hit("esd", level_kv=15):
            world.wait(1)
        world.terminal.pending = None
        world.sale(700)
        world.settle()


# -- no 97 for it ------------------------------------------------------------------------------------------------------


@bad("ENV-02", "it said 97 with no definite 97")
def a_discharge_is_shown_as_97(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("esd", level_kv=4):
            world.display("交易失败", "应答码:97", "终端未登记")
        world.sale(700)
        world.settle()


# -- criterion A -------------------------------------------------------------------------------------------------------


@good("ENV-02", "dip to 70 % for 500 ms, criterion A: sale was approved by the host, and told so")
def a_dip_in_the_middle_of_a_sale(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        world.wait(1)
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            lab.reads(154)
            world.sale(700)
            lab.reads(220)


@good("ENV-02", "field of 3 V/m, criterion A")
def a_field_at_rest(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("field", field_v_m=3):
            world.wait(10)
        world.sale(700)


@bad("ENV-02", "criterion A: the terminal went off, or reset itself")
def a_dip_that_it_must_bear_resets_it(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            world.wait(0.5)
        world.reboot("brown_out")
        world.sale(700)
        world.settle()


@bad("ENV-02", "criterion A: sale was approved by the host, and told as")
def a_field_spoils_the_sale(world: World) -> None:
    day(world)
    with Lab(world) as lab, lab.hit("field", field_v_m=3):
        world.sale(700)
        deny_success(world)


@undecided("ENV-02", "nothing done to the terminal shows whether it works on")
def a_field_and_nobody_there(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("field", field_v_m=3):
            world.wait(10)
        world.wait(60)


@good("ENV-02", "burst of 0.5 kV, criterion B: sale was approved")
def a_burst_that_its_generator_counted(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.has("burst")
        with lab.hit("burst", level_kv=0.5):
            world.wait(1)
        world.sale(700)


@good("ENV-02", "field of 3 V/m, criterion A: sale was approved")
def a_field_that_its_probe_saw(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        lab.has("field")
        with lab.hit("field", field_v_m=3):
            world.wait(10)
        world.sale(700)


@undecided("ENV-02", "its readings do not show that it did")
def a_generator_that_does_nothing(world: World) -> None:
    """It takes its command, and strikes nobody: what the terminal bears there is nothing."""
    day(world)
    with Lab(world) as lab:
        lab.has("burst", works=False)
        with lab.hit("burst", level_kv=0.5):
            world.wait(1)
        world.sale(700)
        world.settle()


@undecided("ENV-02", "its readings do not show that it did")
def a_field_that_nobody_measured(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        lab.has("field", works=False)
        with lab.hit("field", field_v_m=3):
            world.wait(10)
        world.sale(700)
        world.settle()


# -- whether the supply did dip ----------------------------------------------------------------------------------------


@good("ENV-02", "dip to 70 % for 500 ms, criterion A: sale was approved")
def a_dip_that_no_reading_shows_and_the_board_felt(world: World) -> None:
    world.sign_in()
    with Lab(world, emulated=True) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            lab.felt("supply_dipped")
            world.wait(0.5)
        world.sale(700)


@good("ENV-02", "interruption of 250 ms, criterion B: sale was approved")
def a_short_one_that_the_board_felt(world: World) -> None:
    world.sign_in()
    with Lab(world, emulated=True) as lab:
        with lab.hit("interruption", duration_ms=250):
            lab.felt("on_battery")
            world.wait(0.3)
        world.sale(700)


@good("ENV-02", "interruption of 1000 ms, criterion B: it started again, and is idle")
def an_interruption_that_takes_the_power(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("interruption", duration_ms=1000):
            world.power("off", "brown_out")
            world.screen()
            world.wait(1)
        world.power("on", "brown_out")
        world.idle()
        world.wait(60)
        world.sign_in()


@good("ENV-02", "interruption of 10 ms, criterion A: sale was approved")
def too_short_for_readings(world: World) -> None:
    """Nothing on this bench can show it: that the supply was told to has to do."""
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("interruption", duration_ms=10):
            world.wait(0.1)
        world.sale(700)


@good("ENV-02", "dip to 70 % for 500 ms, criterion A: sale was approved")
def a_person_says_that_it_is_done(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            lab.answers("supply-1", "done")
            world.wait(0.6)
        world.sale(700)


@undecided("ENV-02", "its readings do not show that it did")
def a_supply_that_does_nothing(world: World) -> None:
    """It takes its command, and gives 220 V throughout."""
    day(world)
    with Lab(world) as lab:
        with lab.hit("interruption", duration_ms=5000):
            world.wait(2)
            lab.reads(220)
            world.wait(3.1)
        world.sale(700)
        world.settle()


@undecided("ENV-02", "its readings do not show that it did")
def a_supply_that_is_not_read_while_it_dips(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            world.wait(0.5)
        world.sale(700)
        world.settle()


@undecided("ENV-02", "its readings do not show that it did")
def a_supply_that_hardly_dips(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            world.wait(0.2)
            lab.reads(200)
            world.wait(0.3)
        lab.reads(220)
        world.sale(700)
        world.settle()


@undecided("ENV-02", "its readings do not show that it did")
def readings_that_contradict_the_board(world: World) -> None:
    day(world)
    with Lab(world, emulated=True) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            lab.felt("supply_dipped")
            world.wait(0.2)
            lab.reads(220)
            world.wait(0.3)
        world.sale(700)
        world.settle()


@undecided("ENV-02", "its readings do not show that it did")
def a_short_one_that_the_emulated_board_did_not_feel(world: World) -> None:
    day(world)
    with Lab(world, emulated=True) as lab:
        with lab.hit("interruption", duration_ms=10):
            world.wait(0.1)
        world.sale(700)
        world.settle()


@bad("ENV-02", "criterion A: the terminal went off, or reset itself")
def it_goes_off_while_the_supply_reads_low(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            lab.reads(154)
            world.wait(0.3)
            world.power("off", "brown_out")
            world.screen()
            world.wait(0.2)
        lab.reads(220)
        world.power("on", "brown_out")
        world.idle()
        world.sale(700)
        world.settle()


@bad("ENV-02", "criterion A: the terminal went off, or reset itself")
def it_resets_itself_in_a_dip_that_nothing_shows(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("dip", residual_pct=70, duration_ms=500):
            world.wait(0.5)
        world.reboot("watchdog")
        world.sale(700)
        world.settle()


@bad("ENV-02", "the next settlement claims")
def the_batch_is_gone_and_the_supply_did_nothing(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("interruption", duration_ms=5000):
            world.wait(2)
            lab.reads(220)
            world.wait(3.1)
        world.terminal.log.clear()
        world.sale(700)
        world.settle()


# -- criterion B -------------------------------------------------------------------------------------------------------


@shown_twice.good("ENV-02", "criterion B: sale was approved by the host, and told so")
def back_after_a_reset(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("burst", level_kv=1):
            world.wait(1)
        world.reboot("watchdog")
        world.sale(700)


@undecided("ENV-02", "burst of 1 kV, criterion B: nothing shows that it is in service again")
def a_screen_that_stood_there_before(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        world.display("打印机过热")
        world.wait(30)
        with lab.hit("burst", level_kv=1):
            world.wait(1)
        world.wait(120)


@good("ENV-02", "3 times burst of 1 kV, criterion B: it started again, and is idle")
def back_to_idle(world: World) -> None:
    world.sign_in()
    world.wait(1)
    with Lab(world) as lab:
        for _pulse in range(3):
            with lab.hit("burst", level_kv=1):
                world.wait(0.5)
        world.reboot("watchdog")
        world.wait(60)
        world.sign_in()


@bad("ENV-02", "60 s later the screen said")
def it_hangs_though_it_must_come_back(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("surge", level_kv=1):
            world.display("正在处理")
        world.wait(120)


@bad("ENV-02", "60 s later the screen said")
def somebody_has_to_switch_it_off_and_on(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("surge", level_kv=1):
            world.display("正在处理")
        world.wait(120)
        world.reboot()
        world.sale(700)
        world.settle()


@bad("ENV-02", "60 s later it was off, at 220.0 V")
def it_stays_off(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("interruption", duration_ms=1000):
            world.power("off", "brown_out")
            world.wait(1)
        world.screen()
        world.wait(120)


@bad("ENV-02", "60 s later sale was approved by the host, and told as")
def it_never_gets_over_it(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("esd", level_kv=4):
            world.wait(1)
        world.wait(70)
        world.sale(700)
        deny_success(world)


@undecided("ENV-02", "somebody came before its time was over")
def nobody_waits_for_it(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        with lab.hit("surge", level_kv=1):
            world.display("正在处理")
        world.wait(20)
        world.reboot()
        world.sale(700)
        world.settle()


@undecided("ENV-02", "nothing shows that it is in service again")
def the_log_ends_too_soon(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.hit("surge", level_kv=1):
        world.display("正在处理")


@undecided("ENV-02", "how strong it was is not told")
def an_unknown_strength(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("surge"):
            world.wait(1)
        world.sale(700)
        world.settle()


@undecided("ENV-02", "declares no criterion", declaration={"surroundings": None})
def a_model_that_declares_nothing(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab:
        with lab.hit("surge", level_kv=1):
            world.wait(1)
        world.sale(700)
        world.settle()


# -- criterion C -------------------------------------------------------------------------------------------------------


@shown_twice.good("ENV-02", "criterion C: sale was approved by the host, and told so")
def brought_back_by_the_operator(world: World) -> None:
    world.sign_in()
    with Lab(world) as lab, lab.step("surge", 4, "C", "surge-1"):
        with lab.hit("surge", level_kv=4):
            world.display("正在处理")
        world.wait(120)
        world.reboot()
        world.sale(700)


@bad("ENV-02", "criterion C: somebody came, and 60 s later the screen said")
def nobody_brings_it_back(world: World) -> None:
    day(world)
    with Lab(world) as lab, lab.step("surge", 4, "C", "surge-1"):
        with lab.hit("surge", level_kv=4):
            world.display("正在处理")
        world.wait(60)
        world.power("off")
        world.screen()
        world.power("on")
        world.display("自检失败")
        world.wait(120)


# -- only that nothing is lost -----------------------------------------------------------------------------------------


@good("ENV-02", "after esd of 15 kV: ")
def more_than_is_declared(world: World) -> None:
    """It resets, and hangs, and somebody must come: nobody has promised otherwise."""
    day(world)
    with Lab(world) as lab:
        with lab.hit("esd", level_kv=15):
            world.display("正在处理")
        world.wait(120)
        world.reboot()
        world.sale(700)
        world.settle()


@good("ENV-02", "after burst of 1 kV: ")
def far_too_hot_as_well(world: World) -> None:
    day(world)
    with Lab(world) as lab:
        lab.set(temperature_c=60)
        with lab.hit("burst", level_kv=1):
            world.display("正在处理")
        world.wait(120)
        world.reboot()
        world.sale(700)
        world.settle()
        lab.set(temperature_c=23)


@no_occasion("ENV-02")
def nothing_hits_it(world: World) -> None:
    day(world)
    with Lab(world):
        world.reboot("watchdog")
        world.settle()
