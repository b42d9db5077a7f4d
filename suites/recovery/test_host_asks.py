"""After recovery the host asks for more than a sign-in: parameters, status, keys, lists (header nibble 5)."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC

pytestmark = [
    pytest.mark.declares("REC-05"),
    pytest.mark.needs(transactions="parameter_download"), pytest.mark.needs(transactions="status_upload"),
    pytest.mark.needs(transactions="capk_update"), pytest.mark.needs(transactions="ic_parameter_update"),
    pytest.mark.needs(transactions="blacklist_update"), pytest.mark.needs(transactions="software_update"),
]  # fmt: skip
ASKED = {  # nibble -> what the terminal sends first
    "1": "0800", "2": "0820", "4": "0820", "5": "0820", "6": "0800", "7": "0800",
}  # fmt: skip


@pytest.mark.parametrize(
    "nibble", ASKED, ids=["parameters", "status", "ca-keys", "chip-parameters", "software", "blacklist"],
)
def test_done_by_itself(bench: Bench, nibble: str) -> None:
    """Asked for in the answer to a sale, and done before the next one."""
    terminal = bench.terminal
    bench.host.deregister()
    assert terminal.sign_in().code == bench.profile.not_registered[0]
    bench.host.register()
    assert terminal.sign_in().ok
    bench.host.misbehave("0200", "processing_request", header_request=nibble)
    assert terminal.sale(10_00, card=MAGNETIC, pin=True).ok  # no signature, which would go first
    bench.await_frame(ASKED[nibble])
    terminal.to_idle(30)
    assert terminal.sale(11_00, card=MAGNETIC).ok
