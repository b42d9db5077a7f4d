"""What the service engineer loads for a link: a second host, certificates and a key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.acquirer.certificates import Certificates
from harness.history.events import Service
from harness.history.recorder import Recorder
from harness.terminal import links
from harness.tests.firmware_bench import Bench
from harness.tests.links_helpers import certificates


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def terminal() -> Iterator[Bench]:
    with Bench() as made:
        yield made


def test_a_second_host_is_kept_over_a_power_cut_and_forgotten(terminal: Bench) -> None:
    assert terminal.serve("HOST2 10.97.0.3 8583") == "OK HOST2 10.97.0.3 8583"
    terminal.reboot()
    assert (terminal.state.host2, terminal.state.port2) == ("10.97.0.3", 8583)
    assert terminal.serve("HOST2 NONE") == "OK HOST2 NONE"
    assert (terminal.state.host2, terminal.state.port2) == ("", 0)


@pytest.mark.parametrize("line", [
    "HOST2 ho_st 8583", "HOST2 10.97.0.3 0", "HOST2 10.97.0.3 65536", "HOST2 10.97.0.3 x",
])
def test_a_second_host_that_is_none(terminal: Bench, line: str) -> None:
    assert terminal.serve(line).startswith("ERR 03 the ")
    assert terminal.state.host2 == ""


def test_certificates_and_key(terminal: Bench, ours: Certificates) -> None:
    for what, text in (("CA", ours.ca), ("CERT", ours.client), ("KEY", ours.client_key)):
        assert terminal.serve(f"TLS {what} {text}") == f"OK TLS {what}"
    terminal.reboot()
    state = terminal.state
    assert (state.tls_ca, state.tls_cert, state.tls_key) == (ours.ca, ours.client, ours.client_key)
    assert terminal.serve(f"TLS CERT {ours.ca}") == "OK TLS CERT"
    assert terminal.state.tls_key == "", "a key belongs to its certificate"
    for what in ("CA", "CERT", "KEY"):
        assert terminal.serve(f"TLS {what} NONE") == f"OK TLS {what}"
    assert (terminal.state.tls_ca, terminal.state.tls_cert) == ("", "")


def test_what_is_no_certificate_and_no_key(terminal: Bench, ours: Certificates, tmp_path: Path) -> None:
    nonsense = base64.b64encode(b"no certificate at all").decode()
    assert terminal.serve(f"TLS KEY {ours.client_key}") == "ERR 03 the certificate comes before its key"
    assert terminal.serve("TLS CA !!!").startswith("ERR 03 not")
    assert terminal.serve(f"TLS CERT {nonsense}").startswith("ERR 03 not the base64 of a certificate")
    assert terminal.serve(f"TLS NAME {ours.ca}").startswith("ERR 03 ")
    assert terminal.serve(f"TLS CERT {ours.client}").startswith("OK")
    other = certificates(tmp_path / "other").client_key
    for key in (nonsense, other):
        assert terminal.serve(f"TLS KEY {key}").startswith("ERR 03 not the base64 of a private key")
    assert (terminal.state.tls_ca, terminal.state.tls_cert, terminal.state.tls_key) == ("", ours.client, "")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["CA", "CERT", "KEY"]), st.binary(min_size=1, max_size=200))
def test_any_bytes_as_a_certificate(terminal: Bench, what: str, data: bytes) -> None:
    assert terminal.serve(f"TLS {what} {base64.b64encode(data).decode()}").startswith("ERR 03 ")


def test_the_history_does_not_hold_the_key(ours: Certificates, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history.jsonl", bench="one")
    port = links.ServicePort("loop://", recorder, bench="one")  # it hears itself: that is the answer
    port.ask(f"TLS CA {ours.ca}")
    port.ask(f"TLS KEY {ours.client_key}")
    sent = [event.text for event in recorder.events if isinstance(event, Service) and event.direction == "to_terminal"]
    assert sent == [f"TLS CA {ours.ca}", "TLS KEY ***"]
    port.close()
    recorder.close()
