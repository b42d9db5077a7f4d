"""Every transaction meets a refusal by its real cause, however the customer pays, and works again afterwards.

Which cases there are: ``harness/campaigns/matrix.py``; which of them run: docs/suites.md.
"""

import pytest

from fixtures.shop import Shop
from harness.bench.bench import Bench
from harness.campaigns.matrix import UNREGISTERED, Case

pytestmark = pytest.mark.declares("MON-07", "MON-08", "REC-10")


def test_97_and_back(bench: Bench, case: Case) -> None:
    """Refused on this transaction, told so, mended, and done again."""
    shop = Shop(bench, case)
    shop.prepare()

    assert shop.meet().code == shop.code
    shop.await_refusal()

    if case.transaction == "sign_in":
        assert not shop.sale().ok
    if case.cause in UNREGISTERED and not case.unregistered(bench.profile):
        assert shop.sign_in().code == bench.profile.not_registered[0]  # told at the sign-in only
    shop.come_back()
    assert shop.again().ok
