"""A transfer that is disturbed goes on, or is begun again; the version that ran runs on meanwhile."""

import threading

import pytest

from fixtures.update import fill, look, sells_on, wanted
from harness.bench.bench import Bench
from harness.bench.updating import ask_version, give, second, update
from harness.history.events import WireFrame
from harness.instruments.serial_noise import Noise, SecondSender, Stops
from harness.lab.image_set import ImageFile, ImageSet
from harness.terminal.drivers.panel_firmware import SenderStopped
from harness.terminal.serial_line import ByteLine

PATIENCE_S = 10.0  # more than a terminal takes to give up a sender
SOME_BLOCKS = 20  # of more than two hundred


@pytest.mark.declares("FWU-05")
@pytest.mark.needs_image("successor")
def test_by_the_service_port(bench: Bench, images: ImageSet) -> None:
    """A sender that stops, then a second one in between."""
    fill(bench, reversal=False)
    software = wanted(images.successor())
    stopped = update(
        bench, software, disturbed="the sender stops after 40 blocks",
        patience_s=PATIENCE_S, through=lambda line: Stops(line, blocks=40, gone=SenderStopped),
    )
    assert not stopped.ok
    look(bench)
    other = software.path.read_bytes()[::-1]
    disturbed = update(
        bench, software, disturbed="a second sender from block 30 on",
        patience_s=PATIENCE_S, through=lambda line: SecondSender(line, other=other, after=30),
    )
    if not disturbed.ok:
        look(bench)
        assert update(bench, software, patience_s=PATIENCE_S).ok
    look(bench)
    sells_on(bench)


@pytest.mark.declares("FWU-05")
@pytest.mark.needs_image("successor")
def test_noise_on_the_service_port(bench: Bench, images: ImageSet) -> None:
    """In every twentieth block."""
    fill(bench, reversal=False)
    software = wanted(images.successor())
    noise: list[Noise] = []

    def noisy(line: ByteLine) -> Noise:
        noise.append(Noise(line))
        return noise[-1]

    disturbed = update(
        bench, software, disturbed="noise in 5 % of the blocks", patience_s=PATIENCE_S, through=noisy,
    )
    assert sum(line.spoilt for line in noise), "no block was spoilt"
    look(bench)
    if not disturbed.ok:
        assert update(bench, software, patience_s=PATIENCE_S).ok
        look(bench)
    sells_on(bench)


@pytest.mark.declares("FWU-05")
@pytest.mark.needs_image("successor")
def test_from_the_host(bench: Bench, images: ImageSet) -> None:
    """The cable is pulled out in the middle; when it is back, the download goes on where it broke off."""
    fill(bench, reversal=False)
    software = wanted(images.successor())
    assert not update(bench, software, via="network", meanwhile=lambda: pull_out(bench, after=200)).ok
    look(bench)
    bench.cable.plug()
    assert bench.once_connected(lambda: update(bench, software, via="network")).ok
    look(bench)
    sells_on(bench)


@pytest.mark.declares("FWU-05")
@pytest.mark.needs_image("successor")
def test_fetched_while_the_service_port_loads(bench: Bench, images: ImageSet) -> None:
    """Two senders at once: an engineer's image is coming, and the operator has one fetched from the host. He is told
    why not, and the engineer's is whole."""
    fill(bench, reversal=False)
    software = wanted(images.successor())
    bench.host.offer_software(software.path, version=software.firmware.version)
    blocks = threading.Semaphore(0)
    told = update(
        bench, software, on_block=lambda _number: blocks.release(), patience_s=PATIENCE_S,
        meanwhile=lambda: fetched_too(bench, software, blocks),
    )
    look(bench)
    if not told.ok:  # refused both: then the next one, alone, is not
        assert update(bench, software, patience_s=PATIENCE_S).ok
    look(bench)
    sells_on(bench)


@pytest.mark.declares("FWU-05")
@pytest.mark.needs_image("successor")
def test_loaded_by_the_service_port_while_the_host_is_asked(bench: Bench, images: ImageSet) -> None:
    """Two senders at once: the operator's image is coming from the host, and an engineer loads one."""
    fill(bench, reversal=False)
    software = wanted(images.successor())
    told = update(bench, software, via="network", meanwhile=lambda: loaded_too(bench, software))
    look(bench)
    if not told.ok:
        assert bench.once_connected(lambda: update(bench, software, via="network")).ok
    look(bench)
    sells_on(bench)


def fetched_too(bench: Bench, software: ImageFile, blocks: threading.Semaphore) -> None:
    """The operator asks for it when the first blocks have been taken by the service port."""
    for _ in range(SOME_BLOCKS):
        assert blocks.acquire(timeout=60.0), "the terminal takes no block"
    second(bench, software, "network")


def loaded_too(bench: Bench, software: ImageFile) -> None:
    """The engineer sends it when the first blocks have come from the host."""
    await_answers(bench, SOME_BLOCKS)
    second(bench, software, "service", patience_s=0.0)


@pytest.mark.nightly
@pytest.mark.declares("FWU-05")
@pytest.mark.needs_image("successor")
def test_the_link_is_lost_at_every_block(bench: Bench, images: ImageSet) -> None:
    """From the host: the answer to each block is lost once with its connection."""
    fill(bench, reversal=False)
    software = wanted(images.successor())
    lost = 0
    while True:
        fault = bench.arm("rst only=3 at response to 0800")  # the question what there is, a block, and the next one
        if give(bench, software, via="network").ok:
            break
        fault.heal()
        lost += 1
    assert lost > software.path.stat().st_size // 960 - 2
    ask_version(bench)
    look(bench)
    sells_on(bench)


def pull_out(bench: Bench, *, after: int) -> None:
    """The cable, when that many messages of the download were answered."""
    await_answers(bench, after)
    bench.cable.unplug()


def await_answers(bench: Bench, after: int) -> None:
    """That many messages of a download were answered."""
    answered = iter(range(1, after))
    bench.history.wait_for(
        lambda e: isinstance(e, WireFrame) and e.hex[26:30] == "0810" and next(answered, None) is None,
        60.0, f"{after} answers to the download",
    )
