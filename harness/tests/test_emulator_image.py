"""Images: built reproducibly, verified by our own code, and refused when anything about them is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imgtool import keys
from imgtool.image import Image, VerifyResult

from harness.cli import main
from harness.emulator import build as builder
from harness.emulator.image import PYTHON_TAG, ImageRefused, check_fit, pack, public_key_bytes, read, unpack
from harness.emulator.image_key import ECDSA, ED25519, SIGNATURES, algorithm
from harness.emulator.source import load_source
from harness.errors import BadInput
from harness.tests.emulator_bench import BOOT_KEY, PROBE, ROOT, SIGNING_KEY

KEY = public_key_bytes(BOOT_KEY.read_text("ascii"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("image") / "probe.img"
    builder.build(PROBE, "1.2.3", SIGNING_KEY, path)
    return path.read_bytes()


def test_what_was_built_can_be_read(image: bytes, tmp_path: Path) -> None:
    info = builder.build(PROBE, "1.2.3", SIGNING_KEY, tmp_path / "image")
    application = read(image, KEY)
    assert (application.name, application.version) == ("probe", "1.2.3")
    assert application.models == ("HT-100", "HT-200", "HT-300")
    assert (application.data_format, application.python) == (1, PYTHON_TAG)
    assert set(application.modules) == {"app", "app.main", "app.store"} and application.packages == {"app"}
    assert (info.sha256, info.size) == (application.sha256, application.size) == (application.sha256, len(image))
    check_fit(application, "HT-200")


def test_the_same_source_gives_the_same_bytes(image: bytes, tmp_path: Path) -> None:
    """In another process too, where strings hash differently and other objects are alive."""
    script = ("import sys; from pathlib import Path; from harness.emulator.build import build; "
              "build(*[Path(sys.argv[1]), '1.2.3', Path(sys.argv[2]), Path(sys.argv[3])])")
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "-c", script, PROBE, SIGNING_KEY, tmp_path / seed], check=True,
                       env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed})
        assert (tmp_path / seed).read_bytes() == image


def test_every_byte_matters(image: bytes) -> None:
    """A flipped bit anywhere is refused: all bits of header and TLV areas, one of every payload byte."""
    choose = random.Random(97)
    tail = len(image) - 260
    for at in range(len(image)):
        bits = range(8) if at < 32 or at >= tail else [choose.randrange(8)]
        for bit in bits:
            damaged = bytearray(image)
            damaged[at] ^= 1 << bit
            with pytest.raises(ImageRefused):
                read(bytes(damaged), KEY)


def test_every_truncation_is_refused(image: bytes) -> None:
    for size in {*range(0, len(image), 97), *range(len(image) - 300, len(image))}:
        with pytest.raises(ImageRefused):
            read(image[:size], KEY)


def test_the_rest_of_a_slot_does_not_matter(image: bytes) -> None:
    assert read(image + b"\xff" * 5000, KEY) == read(image, KEY)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_wild_bytes_are_refused(image: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(image)))
    wild = image[:at] + data.draw(st.binary(max_size=200)) + image[at + data.draw(st.integers(1, 200)):]
    if wild[: len(image)] != image:
        with pytest.raises(ImageRefused):
            read(wild, KEY)


def test_ours_and_imgtool_agree_on_a_good_image_and_on_a_foreign_key(image: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(image)
    assert Image.verify(str(path), keys.load(str(BOOT_KEY)))[0] == VerifyResult.OK
    read(image, KEY)
    builder.generate_key(tmp_path / "other", tmp_path / "other.pub")
    assert Image.verify(str(path), keys.load(str(tmp_path / "other.pub")))[0] != VerifyResult.OK
    with pytest.raises(ImageRefused, match="another key"):
        read(image, public_key_bytes((tmp_path / "other.pub").read_text("ascii")))


def test_ours_never_accepts_what_imgtool_refuses(image: bytes, tmp_path: Path) -> None:
    """On 300 damaged images; imgtool itself accepts some of them (it checks neither key hash nor trailing TLVs)."""
    choose, key, path = random.Random(97), keys.load(str(BOOT_KEY)), tmp_path / "image"
    accepted_by_imgtool = 0
    for _ in range(300):
        damaged = bytearray(image)
        damaged[choose.randrange(len(image) - 200, len(image))] ^= 1 << choose.randrange(8)
        path.write_bytes(damaged)
        try:
            accepted_by_imgtool += Image.verify(str(path), key)[0] == VerifyResult.OK
        except Exception:  # a TLV cut short: struct.error and others
            continue
        with pytest.raises(ImageRefused):
            read(bytes(damaged), KEY)
    assert accepted_by_imgtool > 0


def test_another_model_and_another_python_do_not_fit(image: bytes) -> None:
    application = read(image, KEY)
    with pytest.raises(ImageRefused, match="not for HT-400"):
        check_fit(application, "HT-400")
    with pytest.raises(ImageRefused, match="built for cpython-399"):
        check_fit(replace(application, python="cpython-399"), "HT-100")
    foreign = {**application.modules, "app.store": b"\0\0\0\0" + application.modules["app.store"][4:]}
    with pytest.raises(ImageRefused, match=r"app\.store was compiled by another Python"):
        check_fit(replace(application, modules=foreign), "HT-100")
    without = {name: pyc for name, pyc in application.modules.items() if name != "app.main"}
    with pytest.raises(ImageRefused, match=r"no module app\.main"):
        check_fit(replace(application, modules=without), "HT-100")


@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=100), max_size=6))
def test_the_archive_round_trips(entries: dict[str, bytes]) -> None:
    assert unpack(pack(entries)) == entries


@given(st.binary(max_size=60))
def test_a_wild_archive_is_refused_or_read(data: bytes) -> None:
    for payload in (data, b"HIL97APP" + data):
        try:
            entries = unpack(payload)
        except ImageRefused:
            continue
        assert unpack(pack(entries)) == entries


@pytest.mark.parametrize(("text", "reason"), [
    ("", "PEM"), (SIGNING_KEY.read_text(), "PEM"),
    ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "ed25519"),
    (str(keys.RSA.generate(2048).get_public_pem(), "ascii"), "neither ed25519 nor ECDSA P-256"),
    (str(keys.ECDSA384P1.generate().get_public_pem(), "ascii"), "neither ed25519 nor ECDSA P-256"),
])
def test_a_boot_key_must_be_a_public_key_of_a_known_kind(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        public_key_bytes(text)


# Signatures


@pytest.fixture(scope="module", params=["ed25519", "ecdsa-p256"])
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An image with a reset mark and a counter of its own, and its public key, of each kind."""
    folder = tmp_path_factory.mktemp(request.param)
    builder.generate_key(folder / "key", folder / "key.pub", request.param)
    base = source(folder / "source", firmware_yaml="name: base\nmodels: [HT-100]\ndata_format: 3\nresets: true\n"
                                                   "security_counter: 7\nversion: 4.5.6\n")
    builder.build(base, "", folder / "key", folder / "image")
    return folder / "image", folder / "key.pub"


def test_both_kinds_of_signature_are_verified_by_us_and_by_imgtool(signed: tuple[Path, Path]) -> None:
    image, public = signed
    data, key = image.read_bytes(), public_key_bytes(public.read_text("ascii"))
    application = read(data, key)
    assert (application.version, application.order) == ("4.5.6", (4, 5, 6, 0))
    assert (application.counter, application.resets, application.data_format) == (7, True, 3)
    assert Image.verify(str(image), keys.load(str(public)))[0] == VerifyResult.OK
    with pytest.raises(ImageRefused, match="another key") as refused:
        read(data, KEY)
    assert refused.value.kind == "signature"
    assert Image.verify(str(image), keys.load(str(BOOT_KEY)))[0] != VerifyResult.OK


def test_every_bit_and_every_truncation_matters_for_both_kinds(signed: tuple[Path, Path]) -> None:
    """All bits of header, TLVs and signature, one in 50 bytes of the rest."""
    image, public = signed
    data, key = image.read_bytes(), public_key_bytes(public.read_text("ascii"))
    read(data, key)
    for at in (*range(32), *range(32, len(data) - 260, 50), *range(len(data) - 260, len(data))):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            with pytest.raises(ImageRefused):
                read(bytes(damaged), key)
    for size in range(len(data)):
        with pytest.raises(ImageRefused):
            read(data[:size] + b"\xff" * 200, key)
        with pytest.raises(ImageRefused):
            read(data[:size], key)


def test_ours_accepts_no_signature_that_imgtool_refuses(signed: tuple[Path, Path], tmp_path: Path) -> None:
    """The key on the other side of the pair is at hand: images of it differ in the signature alone."""
    image, public = signed
    choose, data, key = random.Random(97), image.read_bytes(), public_key_bytes(public.read_text("ascii"))
    theirs, path = keys.load(str(public)), tmp_path / "image"
    for _ in range(150):
        damaged = bytearray(data)
        damaged[choose.randrange(len(data) - 64, len(data))] ^= 1 << choose.randrange(8)
        path.write_bytes(damaged)
        assert Image.verify(str(path), theirs)[0] != VerifyResult.OK
        with pytest.raises(ImageRefused):
            read(bytes(damaged), key)


def test_a_signature_of_the_other_kind_under_the_right_key_hash_is_refused(signed: tuple[Path, Path]) -> None:
    """The TLV's type alone is changed: 0x22 for 0x24 and back."""
    image, public = signed
    data, key = image.read_bytes(), public_key_bytes(public.read_text("ascii"))
    other = ED25519 if SIGNATURES[algorithm(key)] == ECDSA else ECDSA
    mine = ED25519 + ECDSA - other
    at = data.rindex(struct.pack("<H", mine), 0, len(data) - 60)
    with pytest.raises(ImageRefused, match="another key"):
        read(data[:at] + struct.pack("<H", other) + data[at + 2 :], key)


def test_a_manifest_that_can_not_be_used_is_refused(image: bytes) -> None:
    """Whoever made it: without a key only its hash is checked, which anybody can make fit."""
    good = read(image, None)
    modules = {f"{name.replace('.', '/')}{'/__init__' if name in good.packages else ''}.pyc": pyc
               for name, pyc in good.modules.items()}
    sound: dict[str, Any] = {"name": "probe", "version": good.version, "python": PYTHON_TAG,
                             "models": list(good.models), "data_format": good.data_format}
    header = bytearray(image[:32])
    protected_at = 32 + int.from_bytes(image[12:16], "little")
    protected = image[protected_at : protected_at + int.from_bytes(image[10:12], "little")]

    def made(manifest: bytes) -> bytes:
        payload = pack({**modules, "manifest.json": manifest})
        header[12:16] = len(payload).to_bytes(4, "little")
        body = bytes(header) + payload + protected
        tlvs = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in (
            (0x10, hashlib.sha256(body).digest()), (0x01, bytes(32)), (ED25519, bytes(64))))
        return body + struct.pack("<HH", 0x6907, len(tlvs) + 4) + tlvs

    assert read(made(json.dumps(sound).encode()), None).models == good.models
    wrong: list[dict[str, Any]] = [
        {"models": ["\ud800"]}, {"data_format": -1}, {"data_format": 1 << 40}, {"data_format": float("inf")},
        {"version": "1" * 5000}, {"version": f"{good.version}\n"}, {"models": 7},
    ]
    for manifest in [json.dumps({**sound, **one}).encode() for one in wrong] + [b"[" * 100_000, b"", b"null"]:
        with pytest.raises(ImageRefused):
            read(made(manifest), None)


def test_an_image_without_a_signature_is_named_so(tmp_path: Path) -> None:
    content = builder.Content("base", "1.0.0", ("HT-100",), 1, None, False, {"app/main.pyc": b""})
    unsigned = builder.sign(content, None, tmp_path)
    with pytest.raises(ImageRefused, match="not signed") as refused:
        read(unsigned, KEY)
    assert refused.value.kind == "signature"
    with pytest.raises(ImageRefused, match="not signed"):
        read(unsigned, None)


@pytest.mark.parametrize("change", [
    {"counter": 1 << 32}, {"version": "1.0.0+4294967296"},
])
def test_what_does_not_fit_into_the_format_is_refused_by_the_builder(tmp_path: Path, change: dict[str, Any]) -> None:
    content = replace(builder.Content("base", "1.0.0", ("HT-100",), 1, None, False, {}), **change)
    with pytest.raises((BadInput, struct.error)):
        builder.sign(content, SIGNING_KEY, tmp_path)


def test_the_version_comes_from_the_source_or_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not say which version"):
        builder.build(source(tmp_path), "", SIGNING_KEY, tmp_path / "image")


# Sources


def source(folder: Path, **files: str) -> Path:
    """A source directory; in file names __ stands for / and _yaml for .yaml."""
    base = {"firmware_yaml": "name: base\nmodels: [HT-100]\ndata_format: 1\n", "app____init__": "",
            "app__main": "def start(board):\n    LIMIT = 3\n", **files}
    for name, text in base.items():
        path = folder / (name.removesuffix("_yaml") + ".yaml" if name.endswith("_yaml") else f"app/{name[5:]}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


DEFECT = """name: no-limit
title: retries without limit
breaks: STA-05
consequences: {MON-01: the same requests}
edits:
  - file: app/main.py
    old: LIMIT = 3
    new: LIMIT = 3000
"""


def defect(folder: Path, text: str = DEFECT) -> Path:
    source(folder)
    place = folder / "defects" / "no-limit"
    place.mkdir(parents=True)
    (place / "defect.yaml").write_text(text, "utf-8")
    return place


def test_a_defect_is_the_reference_with_edits(tmp_path: Path) -> None:
    place = defect(tmp_path)
    loaded = load_source(place)
    assert (loaded.name, loaded.breaks, loaded.consequences) == ("no-limit", "STA-05", {"MON-01": "the same requests"})
    assert loaded.files["app/main.py"][0] == "def start(board):\n    LIMIT = 3000\n"
    assert loaded.files["app/__init__.py"] == load_source(tmp_path).files["app/__init__.py"]
    builder.build(place, "1.0.0", SIGNING_KEY, tmp_path / "image")
    application = read((tmp_path / "image").read_bytes(), KEY)
    assert application.name == "no-limit" and application.models == ("HT-100",)


@pytest.mark.parametrize(("change", "line", "reason"), [
    (("old: LIMIT = 3", "old: LIMIT = 4"), 6, "stands 0 times"),
    (("old: LIMIT = 3\n", "old: t\n"), 6, "stands 2 times"),
    (("app/main.py", "app/other.py"), 6, "no file of the base"),
    (("breaks: STA-05", "breaks: STA-05\nmodel: HT-900"), 4, "model 'HT-900' is none"),
    (("breaks: STA-05", "breaks: everything"), 3, "breaks"),
    (("title:", "tilte:"), 2, "tilte"),
    (("    new: LIMIT = 3000\n", ""), 6, "new"),
    (("name: no-limit", "name: [no-limit"), 2, "expected"),
    (("name: no-limit\n", "name: no-limit\nname: twice\n"), 2, "duplicate"),
])
def test_a_wrong_defect_names_its_line(tmp_path: Path, change: tuple[str, str], line: int, reason: str) -> None:
    place = defect(tmp_path, DEFECT.replace(*change))
    with pytest.raises(BadInput) as caught:
        load_source(place)
    assert caught.value.where == f"{place / 'defect.yaml'}:{line}", caught.value
    assert reason in str(caught.value)


VERSION = """name: base
version: 2.0.0
title: another limit
security_counter: 5
data_format: 2
resets: true
base: ../..
edits:
  - file: app/main.py
    old: LIMIT = 3
    new: LIMIT = 4
files: [app/more.py]
"""


def version_source(folder: Path, text: str = VERSION) -> Path:
    source(folder)
    place = folder / "versions" / "2.0.0"
    (place / "app").mkdir(parents=True)
    (place / "app" / "more.py").write_text("MORE = 1\n", "utf-8")
    (place / "version.yaml").write_text(text, "utf-8")
    return place


def test_a_version_is_its_base_with_edits_and_more_files(tmp_path: Path) -> None:
    info = builder.build(version_source(tmp_path), "", SIGNING_KEY, tmp_path / "image")
    application = read((tmp_path / "image").read_bytes(), KEY)
    assert (info.version, application.version, application.counter) == ("2.0.0", "2.0.0", 5)
    assert (application.data_format, application.resets, application.models) == (2, True, ("HT-100",))
    assert set(application.modules) == {"app", "app.main", "app.more"}


@pytest.mark.parametrize(("change", "where", "reason"), [
    (("old: LIMIT = 3", "old: LIMIT = 9"), "version.yaml:9", "stands 0 times"),
    (("[app/more.py]", "[app/main.py]"), "version.yaml:12", "no new module"),
    (("[app/more.py]", "[app/../../../x.py]"), "version.yaml:12", "no new module"),
    (("[app/more.py]", "[app/none.py]"), "app/none.py", "can't be read"),
    (("version: 2.0.0", "version: two"), "version.yaml:2", "version"),
    (("security_counter: 5", "security_counter: -5"), "version.yaml:4", "security_counter"),
    (("base: ../..", "base: ."), "", "its own base"),
    (("base: ../..", "base: ../other"), "", "none of firmware.yaml"),
])
def test_a_wrong_version_names_its_place(tmp_path: Path, change: tuple[str, str], where: str, reason: str) -> None:
    place = version_source(tmp_path, VERSION.replace(*change))
    with pytest.raises(BadInput) as caught:
        load_source(place)
    assert reason in str(caught.value)
    assert not where or caught.value.where == str(place / where), caught.value


@pytest.mark.parametrize(("files", "file", "line", "reason"), [
    ({"app__main": "def start(board):\n  (\n"}, "app/main.py", 2, "does not compile"),
    ({"app__main": "x = 1\nfrom harness.protocol import frames\n"}, "app/main.py", 2, "imports harness"),
    ({"app__main": "def start(board):\n    import harness\n"}, "app/main.py", 2, "imports harness"),
    ({"app__main": "import app.other\n"}, "app/main.py", 1, "imports app"),
    ({"firmware_yaml": "name: base\nmodels: []\ndata_format: 1\n"}, "firmware.yaml", 2, "models"),
    ({"firmware_yaml": "name: base\nmodels: [HT-100]\ndata_format: one\n"}, "firmware.yaml", 3, "data_format"),
    ({"firmware_yaml": "- name\n"}, "firmware.yaml", 1, "dict"),
])
def test_a_wrong_source_names_its_line(
    tmp_path: Path, files: dict[str, str], file: str, line: int, reason: str,
) -> None:
    with pytest.raises(BadInput) as caught:
        builder.build(source(tmp_path, **files), "1.0.0", SIGNING_KEY, tmp_path / "image")
    assert caught.value.where == f"{tmp_path / file}:{line}"
    assert reason in str(caught.value)
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize("version", ["", "1", "one", "1.0.0.0", "256.0.0", "1.0.65536", "1.0.0-rc1"])
def test_a_version_is_checked(tmp_path: Path, version: str) -> None:
    if version == "1":
        builder.build(PROBE, version, SIGNING_KEY, tmp_path / "image")
        return
    with pytest.raises(BadInput, match="version"):
        builder.build(PROBE, version, SIGNING_KEY, tmp_path / "image")


def test_an_application_that_does_not_fit_into_the_slot_is_refused(tmp_path: Path) -> None:
    large = source(tmp_path, app__large=f"DATA = {'x' * (1 << 20)!r}\n")
    with pytest.raises(BadInput, match="exceeds"):
        builder.build(large, "1.0.0", SIGNING_KEY, tmp_path / "image")


# Command line


@pytest.fixture
def _only_firmware(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests hold whatever the other commands need."""
    monkeypatch.setattr("harness.cli.COMMANDS", ("firmware",))


@pytest.mark.usefixtures("_only_firmware")
@pytest.mark.parametrize("kind", [[], ["--type", "ecdsa-p256"]])
def test_build_check_and_keygen(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: list[str]) -> None:
    key, target = tmp_path / "key.pem", tmp_path / "image"
    assert main(["--lang", "en", "firmware", "keygen", *kind, "-o", str(key)]) == 0
    assert key.stat().st_mode & 0o777 == 0o600
    assert main(["firmware", "keygen", "-o", str(key)]) == 2
    build = ["--lang", "en", "firmware", "build", "--source", str(PROBE), "--version", "1.0.0", "--key", str(key)]
    assert main([*build, "-o", str(target)]) == 0
    capsys.readouterr()
    assert main(["--lang", "en", "firmware", "check", str(target), "--boot-key", f"{key}.pub"]) == 0
    assert "probe" in (shown := capsys.readouterr().out) and "signature: verified" in shown
    assert "security counter: 16777216" in shown and "begins with nothing stored: no" in shown
    assert main(["--lang", "en", "firmware", "check", str(target)]) == 0
    assert "not checked" in capsys.readouterr().out
    assert main(["firmware", "check", str(target), "--boot-key", str(BOOT_KEY)]) == 2


@pytest.mark.usefixtures("_only_firmware")
@pytest.mark.parametrize("output", [".", "file/image", "no/such/folder/image"])
def test_what_can_not_be_written_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str,
) -> None:
    (tmp_path / "file").touch()
    target = str(tmp_path / output)
    build = ["firmware", "build", "--source", str(PROBE), "--version", "1.0.0", "--key", str(SIGNING_KEY), "-o", target]
    commands = [["firmware", "keygen", "-o", target], build]
    for command in commands if output != "no/such/folder/image" else commands[:1]:  # a build makes its folder
        assert main(["--lang", "en", *command]) == 2
        shown = capsys.readouterr().err
        assert str(tmp_path) in shown and "Errno" not in shown and "Traceback" not in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.usefixtures("_only_firmware")
@pytest.mark.parametrize(("damage", "reason"), [
    (lambda data: data[:20], "only 20 bytes"), (lambda data: data[:5000], "cut short"),
    (lambda data: data[:100] + b"?" + data[101:], "hash does not match"),
    (lambda data: data + b"more", "bytes after the end"), (lambda data: b"", "only 0 bytes"),
])
def test_a_damaged_image_is_named_with_its_offset(
    image: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: object, reason: str,
) -> None:
    assert callable(damage)
    (tmp_path / "image").write_bytes(damage(image))
    assert main(["--lang", "en", "firmware", "check", str(tmp_path / "image")]) == 2
    shown = capsys.readouterr().err
    assert reason in shown and "image: offset " in shown


@pytest.mark.parametrize("wrong", ["no file", "no key", "public key"])
def test_a_key_that_cannot_sign_is_named(tmp_path: Path, wrong: str) -> None:
    key = BOOT_KEY if wrong == "public key" else tmp_path / "key.pem"
    if wrong == "no key":
        key.write_text("hello")
    with pytest.raises(BadInput) as caught:
        builder.build(PROBE, "1.0.0", key, tmp_path / "image")
    assert str(key) in str(caught.value)
