"""INS-01, INS-02, INS-07: what a step may end with and be no failure, and what is none of its doing."""

from __future__ import annotations

from harness.tests.golden import MID, TID, Reply, World
from harness.tests.golden_stories import Stories
from harness.tests.golden_terminal import Via
from harness.tests.histories.install import sale_refused, set_up
from harness.tests.histories.install_identity import WRONG_TID, activate, host_is_set
from harness.tests.histories.installation import come_into_service, from_its_box, from_the_downloads_on
from harness.tests.histories.steps import claim_success, end_unseen

stories = Stories("INS-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def refused(world: World, name: str, text: str, via: Via = "keypad", **args: str) -> None:
    """The terminal says no by itself, in words."""
    operation = world.invoke(name, via, **args)
    world.display(text)
    world.complete(operation, "fail", None, text)


def ready(world: World) -> None:
    from_its_box(world)
    world.sign_in()


# -- INS-01 ------------------------------------------------------------------------------------------------------------


@no_occasion("INS-01")
def the_end_of_the_activation_was_not_seen(world: World) -> None:
    world.replaced("97000009")
    host_is_set(world)
    activate(world, via="service")
    end_unseen(world)
    world.sign_in()
    world.sale(1000)


@no_occasion("INS-01")
def the_number_was_set_and_nobody_heard_so(world: World) -> None:
    world.replaced("97000009")
    world.load_tmk()
    world.complete(world.invoke("set_identity", "service", tid=TID, mid=MID), "unknown")
    host_is_set(world)
    world.sign_in()
    world.sale(1000)


@no_occasion("INS-01")
def a_backup_was_put_back_and_nobody_heard_so(world: World) -> None:
    world.replaced("97000009")
    world.complete(world.invoke("restore", "service"), "unknown")
    world.load_tmk()
    world.sign_in()
    world.sale(1000)


@bad("INS-01", "a unit without key or identity sent sale")
def the_key_was_refused_and_it_sells(world: World) -> None:
    world.replaced("97000009")
    world.complete(world.invoke("load_tmk", "service"), "fail", "01", "unknown command")
    world.complete(world.invoke("set_identity", "service", tid=TID, mid=MID), "ok")
    world.sign_in()
    world.sale(1000)


@undecided("INS-01", "which tried to connect")
def it_tries_to_connect_for_a_sale(world: World) -> None:
    world.replaced("97000009")
    host_is_set(world)
    operation = world.invoke("sale", amount="1000")
    stream = world.next("stream")
    world.connection(stream, "opening", "terminal", world.host_at)
    world.connection(stream, "refused", "acquirer")
    world.display("连接失败")
    world.complete(operation, "fail", None, "连接失败")


# -- INS-02 ------------------------------------------------------------------------------------------------------------


@no_occasion("INS-02")
def a_void_is_done_twice(world: World) -> None:
    ready(world)
    sold = world.sale(1000)
    world.void(sold.trace)
    refused(world, "void", "原交易已撤销", trace=sold.trace)


@no_occasion("INS-02")
def a_sale_is_cancelled(world: World) -> None:
    ready(world)
    refused(world, "sale", "交易已取消", amount="1000")


@no_occasion("INS-02")
def nothing_to_settle(world: World) -> None:
    ready(world)
    refused(world, "settle", "无交易流水")


@bad("INS-02", "the terminal sent nothing")
def signed_in_it_asks_to_sign_in(world: World) -> None:
    ready(world)
    sale_refused(world)


@bad("INS-02", "the terminal sent nothing")
def signed_in_it_tells_the_till_to_sign_in(world: World) -> None:
    ready(world)
    world.terminal.signed_in = False
    world.sale(1000, via="cashier")


@no_occasion("INS-02")
def switched_off_and_on_it_asks_to_sign_in(world: World) -> None:
    ready(world)
    world.reboot()
    sale_refused(world)


@no_occasion("INS-02")
def the_card_refuses_what_was_approved(world: World) -> None:
    ready(world)
    world.card_gives = "AAC"
    world.sale(1000, entry="chip")


@no_occasion("INS-02")
def another_number_at_the_keypad_with_a_sale_stored(world: World) -> None:
    ready(world)
    world.sale(1000)
    refused(world, "set_identity", "请先结算", tid=WRONG_TID, mid=MID)


@no_occasion("INS-02")
def a_number_that_is_none_at_the_keypad(world: World) -> None:
    ready(world)
    refused(world, "set_identity", "设置失败", tid="1", mid=MID)


@bad("INS-02", "set identity failed")
def a_number_is_refused_at_the_keypad(world: World) -> None:
    world.replaced("97000009")
    world.load_tmk()
    refused(world, "set_identity", "设置失败", tid=TID, mid=MID)


@no_occasion("INS-02")
def a_download_finds_no_connection_on_the_way(world: World) -> None:
    ready(world)
    with world._operation("capk_update", "keypad") as operation:
        fields = {11: world.terminal.next_trace(), 60: f"00{world.terminal.batch}372"}
        world._exchange(world._request("0820", fields), Reply())
        stream = world.next("stream")
        world.connection(stream, "opening", "terminal", world.host_at)
        world.connection(stream, "refused", "acquirer")
        world.display("通讯失败")
        world.complete(operation, "fail", None, "通讯失败")


@undecided("INS-02", "not seen before it: parameter download, capk update, echo")
def steps_that_it_only_says_it_did(world: World) -> None:
    ready(world)
    for name in ("parameter_download", "capk_update", "echo"):
        world.complete(world.invoke(name), "ok")
    world.void(world.sale(1000).trace)
    world.settle()


@good("INS-02", "came into service by hand and settled its first batch")
def it_had_signed_in_by_itself(world: World) -> None:
    """Asked to sign in as it has just done so, it says that it has."""
    from_its_box(world)
    world.background_sign_in()
    world.complete(world.invoke("sign_in"), "ok")
    from_the_downloads_on(world)


@good("INS-02", "came into service by hand and settled its first batch")
def switched_off_and_on_between_two_steps(world: World) -> None:
    ready(world)
    world.reboot()
    from_the_downloads_on(world)


@bad("INS-02", "the unit reset itself in the installation")
def it_resets_itself(world: World) -> None:
    ready(world)
    world.reboot("watchdog")
    from_the_downloads_on(world)


# -- INS-07 ------------------------------------------------------------------------------------------------------------


@no_occasion("INS-07")
def its_own_reset_is_no_cut(world: World) -> None:
    ready(world)
    world.reboot("watchdog")
    from_the_downloads_on(world)


@no_occasion("INS-07")
def somebody_switches_it_off_and_on(world: World) -> None:
    ready(world)
    world.reboot()
    from_the_downloads_on(world)


@good("INS-07", "after it had been cut and settled its first batch")
def switched_off_in_a_step(world: World) -> None:
    from_its_box(world)
    operation = world.invoke("sign_in")
    world.power("off")
    world.complete(operation, "unknown")
    world.power("on")
    world.idle()
    come_into_service(world)


@no_occasion("INS-07")
def a_settlement_that_was_cut_comes_first(world: World) -> None:
    ready(world)
    world.sale(1000)
    operation = world.invoke("settle")
    world.power("off", "cut")
    world.complete(operation, "unknown")
    world.power("on", "cut")
    world.idle()
    world.sign_in()
    refused(world, "sale", "请先结算", amount="1000")


@no_occasion("INS-02")
def nothing_of_it_is_a_sale_that_was_claimed(world: World) -> None:
    """Signed in, and the sale is told as approved though the acquirer declined it: other rules speak of that."""
    world.replaced("97000009")
    set_up(world)
    world.sign_in()
    world.sale(1000, "51")
    claim_success(world)
