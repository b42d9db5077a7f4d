"""A terminal that the acquirer does not know: installed too early, application pending, or turned down."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC

pytestmark = pytest.mark.declares("MSG-01", "MSG-05", "STA-01", "STA-03", "REC-01", "REC-07")


@pytest.mark.physical
def test_no_row_at_the_acquirer(bench: Bench) -> None:
    """Its sign-in is answered 97, it says so, sells nothing, and works after registration."""
    bench.host.deregister()

    assert bench.terminal.sign_in().code == "97"
    assert not bench.terminal.sale(1_00, card=MAGNETIC).ok

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(1_00, card=MAGNETIC).ok


@pytest.mark.parametrize("state", ["pending", "rejected"])
def test_application_under_review(bench: Bench, state: str) -> None:
    """While the registration is missing a decision it stays 97; approval restores service."""
    bench.host.set_state(state)

    assert bench.terminal.sign_in().code == "97"
    assert not bench.terminal.sale(1_00, card=MAGNETIC).ok
    assert bench.terminal.sign_in().code == "97"

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(1_00, card=MAGNETIC).ok


@pytest.mark.declares("STA-02", "STA-03")
def test_keys_in_a_refused_sign_in_are_not_loaded(bench: Bench) -> None:
    """A 97 that carries key material changes no key: what the terminal signs afterwards is under the keys it had."""
    bench.host.answer("0800", "97", f62="keys")  # sound keys under the right TMK, which the host will not use
    assert bench.terminal.sign_in().code == "97"

    bench.host.misbehave("0800", "no_keys")  # an honest sign-in that brings no keys: the old ones are in use again
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(1_00, card=MAGNETIC).ok
    assert bench.terminal.reprint().ok


@pytest.mark.declares("MSG-06")
@pytest.mark.parametrize("text", ["终端未登记请联系收单机构" * 9, "\\x00\\xff%n%s<b>" * 12], ids=["gbk", "wild"])
def test_host_text_that_is_too_long(bench: Bench, text: str) -> None:
    """F63 with a display text far over its width: cut or ignored, and the terminal lives on."""
    raw = text.encode("gbk")[:250]
    bench.host.answer("0200", "97", f63=raw.hex())
    assert bench.terminal.sale(1_00, card=MAGNETIC).code == "97"

    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(2_00, card=MAGNETIC).ok
