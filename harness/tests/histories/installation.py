"""INS-02, INS-07: the whole installation, and one that is cut on the way."""

from __future__ import annotations

from harness.tests.golden import MID, TID, World, withheld
from harness.tests.golden_stories import Stories
from harness.tests.histories.install import set_up
from harness.tests.histories.steps import begun_before, deny_success, under_way

stories = Stories("INS-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def from_its_box(world: World, *, network: bool = True) -> None:
    """A unit with everything set by hand."""
    world.replaced("97000009")
    if network:
        set_network(world)
    set_up(world)


def set_network(world: World) -> None:
    world.service("to_terminal", "NET DHCP")
    world.service("from_terminal", "OK NET DHCP")


def come_into_service(world: World) -> None:
    """From the sign-in to the first settled batch."""
    world.sign_in()
    from_the_downloads_on(world)


def from_the_downloads_on(world: World) -> None:
    world.download("parameter_download")
    world.download("capk_update")
    world.echo()
    sold = world.sale(1000)
    world.void(sold.trace)
    world.settle()


def nothing_is_sent(world: World) -> None:
    operation = world.invoke("sign_in")
    world.display("请先设置")
    world.complete(operation, "fail", None, "请先设置")


@good("INS-02", "came into service by hand and settled its first batch")
def by_hand(world: World) -> None:
    from_its_box(world)
    come_into_service(world)


@good("INS-02", "came into service by hand and settled its first batch")
def a_setting_is_made_twice(world: World) -> None:
    """Malformed first: that it may refuse."""
    world.replaced("97000009")
    set_network(world)
    operation = world.invoke("set_identity", "service", tid="1", mid=MID)
    world.complete(operation, "fail", "03", "TID has 8 and MID 15 letters or digits")
    set_up(world)
    come_into_service(world)


@bad("INS-02", "capk update failed: the acquirer approved it")
def a_download_is_denied(world: World) -> None:
    from_its_box(world)
    world.sign_in()
    world.download("parameter_download")
    world.download("capk_update")
    deny_success(world)


@bad("INS-02", "sign in failed: the acquirer approved it")
def a_sign_in_is_denied(world: World) -> None:
    from_its_box(world)
    world.register_terminal()  # what says which key the host has
    world.load_tmk()
    tell_check_value(world)
    world.sign_in()
    deny_success(world)


@bad("INS-02", "set identity failed")
def a_setting_is_refused(world: World) -> None:
    world.replaced("97000009")
    world.load_tmk()
    operation = world.invoke("set_identity", "service", tid=TID, mid=MID)
    world.complete(operation, "fail", "01", "unknown command")


@bad("INS-02", "the terminal sent nothing")
def it_never_signs_in(world: World) -> None:
    from_its_box(world)
    nothing_is_sent(world)


TWO = {"identities": 2}  # merchants


def choose(world: World, number: str) -> None:
    world.complete(world.invoke("select_merchant", number=number), "ok")


def set_up_the_second(world: World) -> None:
    """By the service port; the first is addressed there again afterwards."""
    world.service("from_terminal", "OK MERCHANT 2")
    world.load_tmk()
    world.complete(world.invoke("set_identity", "service", tid="10000002", mid=MID), "ok")
    world.service("from_terminal", "OK MERCHANT 1")


@no_occasion("INS-02", declaration=TWO)
def only_the_other_merchant_was_set_up(world: World) -> None:
    from_its_box(world)
    choose(world, "2")
    nothing_is_sent(world)


@no_occasion("INS-02", declaration=TWO)
def the_other_merchant_has_not_signed_in(world: World) -> None:
    from_its_box(world)
    set_up_the_second(world)
    world.sign_in()
    choose(world, "2")
    operation = world.invoke("sale", amount="1000")
    world.screen("未签到", "请先签到")
    world.complete(operation, "fail", None, "请先签到")


@bad("INS-02", "the terminal sent nothing", declaration=TWO)
def the_second_merchant_never_signs_in(world: World) -> None:
    from_its_box(world)
    set_up_the_second(world)
    choose(world, "2")
    nothing_is_sent(world)


@bad("INS-02", "the terminal sent nothing", declaration=TWO)
def the_first_merchant_never_signs_in(world: World) -> None:
    from_its_box(world)
    set_up_the_second(world)
    nothing_is_sent(world)


@undecided("INS-02", "not seen before it: network")
def nobody_saw_the_network_set(world: World) -> None:
    from_its_box(world, network=False)
    come_into_service(world)


@undecided("INS-02", "not seen before it: echo, void")
def steps_were_left_out(world: World) -> None:
    from_its_box(world)
    world.sign_in()
    world.download("parameter_download")
    world.download("capk_update")
    world.sale(1000)
    world.settle()


@no_occasion("INS-02")
def asked_to_sign_in_while_it_connects_by_itself(world: World) -> None:
    from_its_box(world)
    begun_before(world)


@no_occasion("INS-02")
def another_key_is_given_while_it_signs_in(world: World) -> None:
    """The one that was loaded no longer fits what the host says."""
    from_its_box(world)
    world.register_terminal()
    world.load_tmk()
    tell_check_value(world)
    under_way(world, lambda: world.register_terminal(new_tmk=True), world.sign_in)
    deny_success(world)


@no_occasion("INS-02")
def it_is_not_finished(world: World) -> None:
    from_its_box(world)
    world.sign_in()
    world.sale(1000)


@no_occasion("INS-02")
def made_ready_for_something_else(world: World) -> None:
    from_its_box(world)
    world.sign_in()
    world.sale(1000)
    world.settle()


@no_occasion("INS-02")
def a_key_that_the_host_has_not(world: World) -> None:
    """A sign-in may be granted and yet bring keys that the terminal can't use."""
    from_its_box(world)
    world.register_terminal(new_tmk=True)
    world.sign_in()


# -- INS-07 ------------------------------------------------------------------------------------------------------------


@good("INS-07", "after it had been cut and settled its first batch")
def the_power_goes_in_a_setting(world: World) -> None:
    world.replaced("97000009")
    set_network(world)
    operation = world.invoke("set_host", "service", address="10.97.0.1")
    world.power("off", "cut")
    world.complete(operation, "unknown")
    world.power("on", "cut")
    world.idle()
    set_up(world)
    come_into_service(world)


@good("INS-07", "after it had been cut and settled its first batch")
def an_answer_is_lost(world: World) -> None:
    from_its_box(world)
    world.sign_in()
    world.download("parameter_download", withheld())
    from_the_downloads_on(world)


@good("INS-07", "after it had been cut and settled its first batch")
def the_cable_is_out(world: World) -> None:
    from_its_box(world)
    world.unplug()
    world.plug()
    come_into_service(world)


@bad("INS-07", "after the installation was cut, sign in failed: everything for it was set")
def it_never_goes_on(world: World) -> None:
    from_its_box(world)
    world.reboot("cut")
    nothing_is_sent(world)


@bad("INS-07", "after the installation was cut, load tmk failed")
def it_can_not_be_begun_anew(world: World) -> None:
    from_its_box(world)
    world.reboot("cut")
    operation = world.invoke("load_tmk", "service")
    world.complete(operation, "fail", "01", "unknown command")


@bad("INS-07", "after the installation was cut, capk update failed: the acquirer approved it")
def an_approval_is_denied_after_it(world: World) -> None:
    from_its_box(world)
    world.reboot("cut")
    world.sign_in()
    world.download("capk_update")
    deny_success(world)


@undecided("INS-07", "not seen before it: network")
def cut_and_nobody_saw_the_network_set(world: World) -> None:
    from_its_box(world, network=False)
    world.reboot("cut")
    come_into_service(world)


@no_occasion("INS-07")
def nothing_cut_it(world: World) -> None:
    from_its_box(world)
    come_into_service(world)


@no_occasion("INS-07")
def cut_in_its_box(world: World) -> None:
    """Before the first setting there was no installation to cut."""
    world.replaced("97000009")
    world.reboot("cut")
    set_network(world)
    set_up(world)
    come_into_service(world)


@no_occasion("INS-07")
def cut_when_it_was_over(world: World) -> None:
    from_its_box(world)
    come_into_service(world)
    world.reboot("cut")
    nothing_is_sent(world)


def tell_check_value(world: World) -> None:
    """What the terminal says of the key that was loaded last."""
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    said = f"KCV={world.host.keys.tmk_kcv}"
    world.events[index] = world.events[index].model_copy(update={"detail": said})
