"""A day on a real bench, read again by others: its capture by tshark, its cryptography by other libraries.

One bench for each way of key blocks, and F48 in both encodings.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.bench.ready import conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.history.events import AnyEvent, Key, WireFrame
from harness.lab.inventory import load_lab
from harness.protocol.frames import Frame, decode
from harness.terminal.cards import CHIP, MAGNETIC
from harness.tests import oracle_keys as second
from harness.tests.oracle import dissect, needs_tshark
from harness.tests.test_oracle_dissector import assert_same

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: one, kind: emulated, model: {model}, profile: {profile}, firmware: reference, time_scale: 20}}
"""


@pytest.fixture(
    scope="module",
    params=[("HT-100", "unionpay-direct"), ("HT-200", "unionpay-ums"), ("HT-100", "unionpay-sm-006")],
    ids=lambda pair: pair[1],
)
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[AnyEvent], Path]:
    """The history of a bench that sold, was refused with 97, recovered, sold, voided and settled; and its capture."""
    folder = tmp_path_factory.mktemp("oracle")
    inventory = folder / "lab.yaml"
    catalogue = Path(__file__).resolve().parents[2] / "lab_config"
    model, profile = request.param
    text = INVENTORY.format(catalogue=catalogue, model=model, profile=profile)
    inventory.write_text(text, encoding="utf-8")
    plan = RunPlan.make(load_lab(inventory), folder / "results")
    plan.write([])
    with Bench(plan.bench_plan("one")).opened() as bench:
        make_ready(bench)
        sold = bench.terminal.sale(10_00, card=MAGNETIC, pin=True)
        assert sold.ok
        bench.host.deregister()
        assert bench.terminal.sale(11_00, card=CHIP).code == "97"
        bench.host.register()
        assert bench.terminal.sign_in().ok
        assert bench.terminal.sale(12_00, card=CHIP, pin=True).ok
        conclude(bench)
        events = list(bench.history.events)
    (capture,) = plan.folder.rglob("wire.pcapng")
    return events, capture


def frames_of(events: list[AnyEvent]) -> list[Frame]:
    return [decode(bytes.fromhex(event.hex)) for event in events if isinstance(event, WireFrame)]


@needs_tshark
def test_the_capture_of_a_bench(day: tuple[list[AnyEvent], Path]) -> None:
    """Every frame that the tap rebuilt stands in the capture with the same values, and none besides."""
    events, capture = day
    seen = {item.raw_frame: item for item in dissect(capture)}
    ours = frames_of(events)
    assert {frame.raw for frame in ours} == set(seen)
    assert len(ours) >= 10
    for frame in ours:
        assert_same(frame, seen[frame.raw])
    assert any(item.values.get("code_text") == ["terminal not registered"] for item in seen.values())
    assert not [item.notes for item in seen.values() if item.notes]


def test_the_keys_of_a_bench(day: tuple[list[AnyEvent], Path]) -> None:
    """Each F62 opens under a TMK of the day, each F64 fits the MAC key of a sign-in before it, each PIN is right."""
    events, _capture = day
    tmks = {bytes.fromhex(event.value) for event in events if isinstance(event, Key)}
    working: list[dict[str, tuple[bytes, bool]]] = []
    signed, pins, is_sm4 = 0, 0, False
    for frame in frames_of(events):
        if frame.mti == "0810" and 62 in frame:
            is_sm4 = frame.network_code in ("005", "006")
            opened = [second.open_f62(tmk, frame.binary(62), frame.network_code) for tmk in tmks]
            working += [found for found in opened if all(fits for _key, fits in found.values())][:1]
        if 64 in frame:
            macs = {second.mac(found["MAK"][0], frame.raw[13:-8], is_sm4=is_sm4) for found in working}
            assert frame.get(64) in macs
            signed += 1
        if 52 in frame:
            card = MAGNETIC if frame.get(22).startswith("02") else CHIP
            wanted = second.pin_block(card.pin, card.pan)
            assert frame.binary(52) in {second.des(found["PIK"][0], wanted) for found in working}
            pins += 1
        if 35 in frame:
            track = (MAGNETIC if frame.get(22).startswith("02") else CHIP).track2
            enciphered = {second.encipher_track(found["TDK"][0], track) for found in working if "TDK" in found}
            assert frame.get(35) in (enciphered or {track})
            assert frame.get(53, "000")[2] == ("1" if enciphered else "0")
    assert working and signed >= 5
    assert pins == (0 if is_sm4 else 2)  # the terminal takes no PIN with SM4 keys
