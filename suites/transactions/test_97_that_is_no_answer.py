"""97 that answers nothing, on everything that is reversed: the outcome is unknown, and the reversal due."""

import pytest

from fixtures.shop import shop_for
from harness.bench.bench import Bench
from harness.protocol.transactions import KINDS, REVERSIBLE

pytestmark = pytest.mark.declares("MSG-02")
EACH = [pytest.param(name, marks=pytest.mark.needs(transactions=name)) for name in sorted(REVERSIBLE)]


@pytest.mark.declares("MON-10")
@pytest.mark.parametrize("name", EACH)
def test_wrong_mac(bench: Bench, name: str) -> None:
    shop, code = shop_for(bench, name), bench.profile.not_registered[0]
    bench.host.misbehave(KINDS[name].mti, "bad_mac", code=code)
    told = shop.perform(shop.order())
    assert not told.ok
    assert told.code != code
    assert shop.sign_in().ok
    assert shop.sale().ok
    assert shop.perform(shop.order()).ok


@pytest.mark.declares("MON-09")
@pytest.mark.parametrize("name", EACH)
def test_too_late(bench: Bench, name: str) -> None:
    shop, code = shop_for(bench, name), bench.profile.not_registered[0]
    mti = KINDS[name].mti
    bench.host.misbehave(mti, "late", code=code, delay_s=bench.plan.timeout_s + 0.7)
    told = shop.perform(shop.order())
    assert not told.ok
    assert told.code != code
    bench.await_frame(f"{int(mti) + 10:04d}")
    assert shop.sale().ok
    assert shop.perform(shop.order()).ok
