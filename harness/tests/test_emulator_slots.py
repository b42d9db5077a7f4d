"""The boot loader's choice, its services and its counter, on chips in memory: every cut of every operation."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulator import rollback, slots
from harness.emulator.build import build
from harness.emulator.image import public_key_bytes
from harness.emulator.nor import BLOCK, PROTECTED, FlashViolation, MemoryNor
from harness.emulator.services import Services
from harness.emulator.slots import Choice, Slot, Verifier, choose, start
from harness.tests.emulator_bench import BOOT_KEY, PROBE, SIGNING_KEY

KEY = public_key_bytes(BOOT_KEY.read_text("ascii"))
Images = dict[str, bytes]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Version -> image of the probe."""
    folder = tmp_path_factory.mktemp("versions")
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        build(PROBE, version, SIGNING_KEY, folder / version)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(KEY, "HT-100", memo=True)


def unit(image: bytes) -> MemoryNor:
    """A terminal from the factory."""
    nor = MemoryNor()
    nor.write_in_factory(slots.REGIONS["A"], slots.factory_slot(image))
    return nor


def application(nor: MemoryNor, verifier: Verifier) -> tuple[Choice, Services]:
    """A reset, and the application that runs then."""
    choice = start(nor, verifier)
    return choice, Services(nor, choice, verifier, fatal=False)


def load(services: Services, image: bytes) -> None:
    """As the application does: block for block."""
    for block in range(len(image) // BLOCK + 1):
        services.spare.erase(block)
        services.spare.program(block, 0, image[block * BLOCK : (block + 1) * BLOCK])


def update(nor: MemoryNor, verifier: Verifier, image: bytes, *, confirm: bool = True) -> Choice:
    """The whole way to another version, up to its first start."""
    _, services = application(nor, verifier)
    load(services, image)
    assert services.check_spare()["refused"] == ""
    services.request_trial()
    choice, services = application(nor, verifier)
    assert choice.trial and services.trial
    if confirm:
        services.confirm()
        assert not services.trial
    return choice


def runs(choice: Choice) -> str | None:
    return choice.application.version if choice.application else None


def test_what_the_factory_made_is_confirmed(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    for _ in range(2):
        choice = start(nor, verifier)
        assert (choice.slot, runs(choice), choice.trial, choice.returned) == ("A", "1.0.0", False, "")
    assert len(nor.operations) == 1  # the counter
    assert rollback.lowest_accepted(nor) == 1 << 24


def test_an_update_goes_back_and_forth_between_the_slots(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    assert update(nor, verifier, images["2.0.0"]).slot == "B"
    assert rollback.lowest_accepted(nor) == 1 << 24
    choice = start(nor, verifier)
    assert (choice.slot, runs(choice), choice.trial) == ("B", "2.0.0", False)
    assert rollback.lowest_accepted(nor) == 2 << 24
    assert update(nor, verifier, images["3.0.0"]).slot == "A"
    assert runs(start(nor, verifier)) == "3.0.0"
    assert start(nor, verifier).reasons == ("B: security counter 33554432 is below 50331648",)


def test_a_trial_that_is_not_confirmed_is_undone_and_told_once(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    update(nor, verifier, images["2.0.0"], confirm=False)
    choice = start(nor, verifier)
    assert (choice.slot, runs(choice), choice.trial, choice.returned) == ("A", "1.0.0", False, "unconfirmed")
    assert nor.read(slots.REGIONS["B"]) == b"\xff" * slots.REGIONS["B"].size
    assert start(nor, verifier).returned == ""
    assert rollback.lowest_accepted(nor) == 1 << 24


def test_an_image_without_the_magic_is_not_looked_at(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    _, services = application(nor, verifier)
    load(services, images["2.0.0"])
    before = len(nor.operations)
    choice = start(nor, verifier)
    assert runs(choice) == "1.0.0" and choice.reasons == ("B: nothing in it is to be started",)
    assert len(nor.operations) == before


def test_only_both_marks_and_a_passed_check_make_an_image_run(images: Images, verifier: Verifier) -> None:
    """Every combination of marks, with a good and a damaged newer image next to a confirmed one."""
    for marks in range(8):
        magic, ok, done = bool(marks & 1), bool(marks & 2), bool(marks & 4)
        for good in (True, False):
            nor = unit(images["1.0.0"])
            image = images["2.0.0"] if good else images["2.0.0"][:-1] + b"\0"
            end = (slots.SET if done else b"\xff") + b"\xff" * 7 + (slots.SET if ok else b"\xff") + b"\xff" * 7
            end += slots.MAGIC if magic else b"\xff" * 16
            nor.write_in_factory(slots.REGIONS["B"], image.ljust(slots.REGIONS["B"].size - 32, b"\xff") + end)
            choice = start(nor, verifier)
            new = magic and good and (ok or not done)
            assert runs(choice) == ("2.0.0" if new else "1.0.0"), (marks, good)
            assert choice.trial == (new and not ok)
            assert (choice.erase == ("B",)) == (magic and not ok and (done or not good)), (marks, good)


@pytest.mark.parametrize(("flaw", "kind"), [
    ("damaged", "damaged"), ("unsigned", "signature"), ("model", "model"), ("older", "old"), ("empty", "empty"),
    ("same", "old"),
])
def test_what_can_not_run_is_refused_by_the_service_and_by_the_boot_loader(
    images: Images, verifier: Verifier, tmp_path: Path, flaw: str, kind: str,
) -> None:
    nor = unit(images["2.0.0"])
    _, services = application(nor, verifier)
    load(services, flawed(images, flaw, tmp_path))
    found = services.check_spare()
    assert found["refused"] == kind and found["reason"] and "version" not in found
    services.request_trial()
    choice = start(nor, verifier)
    assert runs(choice) == "2.0.0" and choice.erase == ("B",)
    assert choice.returned == ("damaged" if kind == "empty" else kind)
    assert start(nor, verifier).returned == ""


def flawed(images: Images, flaw: str, folder: Path) -> bytes:
    match flaw:
        case "damaged":
            return images["3.0.0"][:2000] + b"?" + images["3.0.0"][2001:]
        case "older":
            return images["1.0.0"]
        case "same":
            return images["2.0.0"]
        case "empty":
            return b""
        case "model":
            source = folder / "source"
            (source / "app").mkdir(parents=True)
            (source / "firmware.yaml").write_text("name: other\nmodels: [HT-300]\ndata_format: 1\n")
            for name in ("__init__", "main"):
                (source / "app" / f"{name}.py").write_text("")
            build(source, "3.0.0", SIGNING_KEY, folder / "image")
            return (folder / "image").read_bytes()
    image = images["3.0.0"]
    tlvs = image.rindex(struct.pack("<H", 0x6907))
    assert flaw == "unsigned"
    return image[:tlvs] + struct.pack("<HHHH", 0x6907, 4 + 36, 0x10, 32) + image[tlvs + 8 : tlvs + 40]


def test_check_spare_says_what_is_there(images: Images, verifier: Verifier) -> None:
    _, services = application(unit(images["1.0.0"]), verifier)
    load(services, images["2.0.0"])
    found = services.check_spare()
    digest = found.pop("sha256")
    assert len(digest) == 64
    assert found == {"refused": "", "reason": "", "name": "probe", "version": "2.0.0",
                     "models": ("HT-100", "HT-200", "HT-300"), "data_format": 1, "counter": 2 << 24, "resets": False,
                     "size": len(images["2.0.0"])}


def test_a_confirmed_image_that_was_tampered_with_is_passed_over(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    update(nor, verifier, images["2.0.0"])  # confirmed, and not started again: the counter is still that of 1.0.0
    nor.content[slots.REGIONS["B"].offset + 5000] ^= 0xFF
    for _ in range(2):
        choice = start(nor, verifier)
        assert (runs(choice), choice.returned, choice.erase) == ("1.0.0", "damaged", ())
    nor.content[slots.REGIONS["A"].offset + 5000] ^= 0xFF
    choice = start(nor, verifier)
    assert choice.slot is None and choice.reasons == ("A: hash does not match", "B: hash does not match")


def test_an_older_confirmed_image_is_no_way_round_the_counter(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    update(nor, verifier, images["2.0.0"])
    assert runs(start(nor, verifier)) == "2.0.0"
    nor.content[slots.REGIONS["B"].offset + 5000] ^= 0xFF
    choice = start(nor, verifier)
    assert choice.slot is None
    assert choice.reasons == ("A: security counter 16777216 is below 33554432", "B: hash does not match")


def test_a_change_of_the_spare_slot_takes_its_marks_away_first(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    update(nor, verifier, images["2.0.0"])
    _, services = application(nor, verifier)
    assert slots.read_trailer(nor, "A").image_ok
    before = len(nor.operations)
    services.spare.erase(3)
    assert nor.operations[before:] == [(slots.trailer_at("A"), b"\xff" * BLOCK), (3 * BLOCK, b"\xff" * BLOCK)]
    services.spare.erase(4)
    assert len(nor.operations) == before + 3
    with pytest.raises(FlashViolation, match="outside"):
        services.spare.erase(255)


def test_on_trial_the_way_back_can_not_be_changed(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    update(nor, verifier, images["2.0.0"], confirm=False)
    services = Services(nor, choose_again(nor), verifier, fatal=False)
    before = bytes(nor.content)
    with pytest.raises(FlashViolation, match="way back"):
        services.spare.erase(0)
    with pytest.raises(FlashViolation, match="way back"):
        services.spare.program(200, 0, b"\0")
    services.request_trial()  # it is confirmed already: nothing to do
    assert nor.content == before
    services.confirm()
    services.confirm()
    assert len(nor.operations) and slots.read_trailer(nor, "B") == (True, True, True)
    services.spare.erase(0)


def choose_again(nor: MemoryNor) -> Choice:
    """The choice of the start that is under way, of a chip whose slot B is on trial."""
    copy = MemoryNor(bytes(nor.content))
    copy.content[slots.trailer_at("B") + BLOCK - 32] = 0xFF
    return choose(copy, Verifier(KEY, "HT-100"))


# Cuts


def cut_contents(before: bytes, operations: list[tuple[int, bytes]]) -> Iterator[bytes]:
    """The chip after a cut at each operation: not begun, half done, and at last all done."""
    content = bytearray(before)
    for at, data in operations:
        yield bytes(content)
        half = data[: len(data) // 2]
        torn = bytearray(content)
        torn[at : at + len(half)] = half
        yield bytes(torn)
        content[at : at + len(data)] = data
    yield bytes(content)


def journal(nor: MemoryNor, work: Callable[..., object], *arguments: object) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The chip before ``work``, and the operations of it."""
    before, done = bytes(nor.content), len(nor.operations)
    work(*arguments)
    return before, nor.operations[done:]


def test_every_cut_of_an_update_leaves_old_or_new_and_so_does_every_cut_after_it(
    images: Images, verifier: Verifier,
) -> None:
    """Load, request, first start, confirm, second start; at each cut the boot loader's own are cut as well."""
    nor = unit(images["1.0.0"])
    start(nor, verifier)

    def whole() -> None:
        update(nor, verifier, images["2.0.0"])
        start(nor, verifier)

    before, operations = journal(nor, whole)
    assert len(operations) > 2 * (len(images["2.0.0"]) // BLOCK)
    seen = set()
    for content in cut_contents(before, operations):
        for again in cuts_of_start(content, verifier):
            choice = start(MemoryNor(again), verifier)
            assert runs(choice) in ("1.0.0", "2.0.0")
            seen.add((runs(choice), choice.trial, choice.returned))
    assert seen == {("1.0.0", False, ""), ("1.0.0", False, "unconfirmed"), ("2.0.0", True, ""), ("2.0.0", False, "")}


def cuts_of_start(content: bytes, verifier: Verifier) -> Iterator[bytes]:
    nor = MemoryNor(content)
    start(nor, verifier)
    yield from cut_contents(content, nor.operations)


def test_every_cut_of_a_return_and_of_a_refusal_leaves_the_old_one(
    images: Images, verifier: Verifier, tmp_path: Path,
) -> None:
    tried = unit(images["1.0.0"])
    update(tried, verifier, images["2.0.0"], confirm=False)
    refused = unit(images["1.0.0"])
    _, services = application(refused, verifier)
    load(services, flawed(images, "damaged", tmp_path)[: len(images["2.0.0"])])
    services.request_trial()
    for nor, kind in ((tried, "unconfirmed"), (refused, "damaged")):
        before, operations = journal(nor, start, nor, verifier)
        assert len(operations) == len(images["2.0.0"]) // BLOCK + 2
        *cut, whole = cut_contents(before, operations)
        for content in cut:
            choice = start(chip := MemoryNor(content), verifier)
            assert (runs(choice), choice.returned) == ("1.0.0", kind)
            assert chip.content == whole
        assert start(MemoryNor(whole), verifier).returned == ""


def test_a_cut_of_a_change_of_the_spare_slot_never_spoils_what_runs(images: Images, verifier: Verifier) -> None:
    """Version 3 is loaded over the confirmed version 1 while 2 runs: half an image never passes for a confirmed one."""
    nor = unit(images["1.0.0"])
    update(nor, verifier, images["2.0.0"])
    _, services = application(nor, verifier)
    before, operations = journal(nor, load, services, images["3.0.0"])
    for content in cut_contents(before, operations):
        choice = start(MemoryNor(content), verifier)
        assert (runs(choice), choice.trial, choice.returned) == ("2.0.0", False, "")


# The counter


def test_the_counter_survives_a_cut_at_every_operation() -> None:
    """More records than the two blocks hold: each cut leaves the old or the new value, and it can be raised further."""
    nor = MemoryNor()
    for counter in range(1, 1100):
        before, operations = journal(nor, rollback.raise_to, nor, counter)
        assert rollback.lowest_accepted(nor) == counter and len(operations) in (1, 2)
        if counter % 512 in (0, 1, 2, 511) or len(operations) == 2:
            for content in cut_contents(before, operations):
                cut = MemoryNor(content)
                assert rollback.lowest_accepted(cut) in (counter - 1, counter)
                rollback.raise_to(cut, counter + 1)
                assert rollback.lowest_accepted(cut) == counter + 1
    assert sum(data == b"\xff" * BLOCK for _, data in nor.operations) == 1


counters = st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.sampled_from(["whole", "before", "torn"])), max_size=30)


@settings(deadline=None)
@given(counters)
def test_the_counter_is_the_highest_that_was_kept(sequence: list[tuple[int, str]]) -> None:
    nor, low, high = MemoryNor(), 0, 0
    for counter, how in sequence:
        before = nor.read(PROTECTED)
        rollback.raise_to(nor, counter)
        high = max(high, counter)
        if how != "whole" and nor.read(PROTECTED) != before:  # it took one program: not begun, or half done
            at, data = nor.operations[-1]
            nor.write_in_factory(PROTECTED, before)
            half = data[: len(data) // 2] if how == "torn" else b""
            nor.content[at : at + len(half)] = half
        kept = rollback.lowest_accepted(nor)
        assert kept in (low, max(low, counter)) and kept <= high
        assert how != "whole" or kept >= counter
        low = kept


@given(st.binary(max_size=200))
def test_wild_bytes_in_the_protected_region_can_be_written_over(data: bytes) -> None:
    nor = MemoryNor()
    nor.content[PROTECTED.offset : PROTECTED.offset + len(data)] = data
    kept = rollback.lowest_accepted(nor)
    if kept < 0xFFFFFFFF:
        rollback.raise_to(nor, kept + 1)
        assert rollback.lowest_accepted(nor) == kept + 1


# The verifier


def test_the_memo_never_hides_a_change(images: Images) -> None:
    remembering, forgetting = Verifier(KEY, "HT-100", memo=True), Verifier(KEY, "HT-100")
    nor = unit(images["1.0.0"])
    assert choose(nor, remembering) == choose(nor, forgetting)
    end = len(images["1.0.0"])
    for at in (*range(40), *range(end - 300, end), 2000, end, end + 1):
        nor.content[at] ^= 0x10
        assert choose(nor, remembering) == choose(nor, forgetting), at
        nor.content[at] ^= 0x10
    assert choose(nor, remembering).slot == "A"


def test_a_choice_reads_only(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    update(nor, verifier, images["2.0.0"], confirm=False)
    before, done = bytes(nor.content), len(nor.operations)
    choose(nor, verifier)
    assert nor.content == before and len(nor.operations) == done


def test_of_equal_versions_the_confirmed_one_and_then_slot_a(images: Images, verifier: Verifier) -> None:
    nor = unit(images["1.0.0"])
    slot: Slot = "B"
    nor.write_in_factory(slots.REGIONS[slot], slots.factory_slot(images["1.0.0"]))
    assert choose(nor, verifier).slot == "A"
    nor.content[5000] ^= 1
    assert choose(nor, verifier).slot == "B"
