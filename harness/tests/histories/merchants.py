"""STA-08: two merchants share a terminal, and one of them is answered 97."""

from __future__ import annotations

from harness.tests.golden import World, late, refused, withheld
from harness.tests.golden_stories import Stories
from harness.tests.histories.install_identity import WRONG_TID, identify
from harness.tests.histories.installation import TWO

stories = Stories("STA-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


def one_is_blocked(world: World) -> None:
    """Both sign in; the first is then answered 97, and the second is chosen."""
    world.share()
    world.sign_in()
    world.select("2")
    world.sign_in()
    world.select("1")
    world.remove_terminal()
    world.sign_in()
    world.select("2")


def told(world: World, name: str, text: str, code: str | None = None) -> None:
    operation = world.invoke(name, amount="1000")
    world.display(text)
    world.complete(operation, "fail", code, text)


@good("STA-08", "was sent and approved", declaration=TWO)
def the_other_goes_on(world: World) -> None:
    one_is_blocked(world)
    world.sale(1000)


@bad("STA-08", "was refused by the terminal, and nothing was sent", declaration=TWO)
def the_other_is_to_sign_in_first(world: World) -> None:
    one_is_blocked(world)
    told(world, "sale", "请先签到")


@bad("STA-08", "was refused by the terminal, and nothing was sent", declaration=TWO)
def the_other_is_to_sign_in_first_by_the_till(world: World) -> None:
    one_is_blocked(world)
    world.terminal.signed_in = False
    world.sale(1000, via="cashier")


@no_occasion("STA-08", declaration=TWO)
def nobody_was_there(world: World) -> None:
    one_is_blocked(world)
    world.sale(1000, refused())


@undecided("STA-08", "was sent, and not approved", declaration=TWO)
def its_reversal_is_not_answered(world: World) -> None:
    one_is_blocked(world)
    world.sale(1000, late())
    operation = world.invoke("sale", amount="1000")
    world.send_reversal(withheld())
    world.display("冲正未成功")
    world.complete(operation, "fail", None, "冲正未成功")


@undecided("STA-08", "nothing shows that the 97 is why", declaration=TWO)
def a_sale_is_cancelled(world: World) -> None:
    one_is_blocked(world)
    told(world, "sale", "交易已取消")


@no_occasion("STA-08", declaration=TWO)
def its_own_key_is_loaded_again(world: World) -> None:
    one_is_blocked(world)
    world.service("from_terminal", "OK MERCHANT 2")
    world.load_tmk()
    told(world, "sale", "请先签到")


@bad("STA-08", "was refused by the terminal, and nothing was sent", declaration=TWO)
def the_blocked_ones_key_is_loaded_again(world: World) -> None:
    one_is_blocked(world)
    world.service("from_terminal", "OK MERCHANT 1")
    world.load_tmk()
    told(world, "sale", "请先签到")


@no_occasion("STA-08", declaration=TWO)
def its_own_new_number_is_answered_97(world: World) -> None:
    world.share()
    world.sign_in()
    identify(world, WRONG_TID)
    world.host.registered = False
    world.sign_in()
    told(world, "sale", "请先签到")
