"""Images for a firmware test, made from one that was signed with the test key, without its source.

What is made is relative to the given image, which the terminal runs: its successor is the same application under the
next version. Every flaw but ``older_version`` is one of that successor, so that the flaw alone is why it is refused.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import CodeType

from harness.emulator.build import Content, compile_module, sign, write
from harness.emulator.image import ImageRefused, read
from harness.emulator.nor import MIB
from harness.emulator.shipped import TEST_KEY
from harness.errors import BadInput
from harness.history.base import Firmware
from harness.lab.image_set import FLAWS, ImageFile

_MAIN, _SELF_TEST, _SOUND = "app/main.pyc", "app/selftest.pyc", "app/selftest_sound.pyc"
_FOREIGN_SEED = hashlib.sha256(b"hil97: a key that no terminal knows").digest()
_HANGS = '"""Made to hang."""\nimport time\n\n\ndef start(board):\n    while True:\n        time.sleep(60)\n'
_CRASHES = '"""Made to end."""\n\n\ndef start(board):\n    raise RuntimeError("this image was made so")\n'
_FAILS = '''"""Made to fail: everything of the sound self-test, but that the hardware is said not to work."""
from . import selftest_sound as _sound

globals().update({name: value for name, value in vars(_sound).items() if not name.startswith("__")})


def hardware(board):
    raise _sound.SelfTestFailed("this image was made so")
'''


def successor(image: Path, output: Path, *, key: Path = TEST_KEY, version: str = "") -> ImageFile:
    """``image`` once more, as ``version`` ("": the next revision), signed with ``key``. It stores in the same format,
    so it resets nothing, also where ``image`` did. Raises :class:`BadInput`."""
    content = _content(image)
    later = replace(content, version=version or _next(content.version), resets=False)
    write(output, sign(later, key, output.parent))
    return _described(output, later, "")


def flawed(image: Path, flaw: str, output: Path, *, key: Path = TEST_KEY) -> ImageFile | None:
    """One of :data:`harness.lab.image_set.FLAWS`; None where it can't be made of this image (a counter of 0 has none
    below, an application without ``app/selftest.py`` no self-test that could fail). Raises :class:`BadInput`."""
    if flaw not in FLAWS:
        raise BadInput(f"there is no flaw {flaw!r}; there are {', '.join(FLAWS)}")
    running = _content(image)
    later = replace(running, version=_next(running.version), resets=False)
    content, data = later, b""
    match flaw:
        case "corrupt" | "truncated" | "empty":
            data = _DAMAGES[flaw](sign(later, key, output.parent))
        case "oversized":
            content = replace(later, modules={**later.modules, "app/padding.pyc": _module(f"PAD = {b'x' * MIB!r}\n")})
            data = sign(content, key, output.parent, largest=4 * MIB)
        case "unsigned":
            data = sign(later, None, output.parent)
        case "foreign_key":
            data = _signed_by_nobody(later, output.parent)
        case _:
            changed = _changed(flaw, running, later)
            if changed is None:
                return None
            content, data = changed, sign(changed, key, output.parent)
    write(output, data)
    return _described(output, content, flaw)


class MadeImages:
    """The image set of a terminal that boots images of the test key (:class:`harness.lab.image_set.ImageSet`).

    ``running``: the image that it runs. ``folder`` gets what is made, each once.
    """

    def __init__(self, running: Path, folder: Path, *, key: Path = TEST_KEY) -> None:
        self._running, self._folder, self._key = running, folder, key
        self._made: dict[str, ImageFile | None] = {}

    @property
    def releases(self) -> tuple[ImageFile, ...]:
        return (self.successor(),)

    def successor(self) -> ImageFile:
        made = self._made.get("")
        if made is None:
            made = self._made[""] = successor(self._running, self._folder / "successor.img", key=self._key)
        return made

    def flawed(self, flaw: str) -> ImageFile | None:
        if flaw not in self._made:
            self._made[flaw] = flawed(self._running, flaw, self._folder / f"{flaw}.img", key=self._key)
        return self._made[flaw]


def _content(image: Path) -> Content:
    try:
        found = read(image.read_bytes(), None)
    except OSError as error:
        raise BadInput(f"the image can't be read: {error.strerror}", where=str(image)) from error
    except ImageRefused as refusal:
        raise BadInput(f"the firmware image is refused: {refusal.reason}",
                       where=f"{image}: offset {refusal.offset}") from refusal
    modules = {
        f"{name.replace('.', '/')}{'/__init__' if name in found.packages else ''}.pyc": pyc
        for name, pyc in found.modules.items()
    }
    return Content(found.name, found.version, found.models, found.data_format, found.counter, found.resets, modules,
                   found.python)


def _next(version: str) -> str:
    """The next revision; the build number is left out, which is lower than any other."""
    major, minor, revision = (int(part) for part in f"{version.partition('+')[0]}.0.0".split(".")[:3])
    if revision < 0xFFFF:
        return f"{major}.{minor}.{revision + 1}"
    if minor < 0xFF:
        return f"{major}.{minor + 1}.0"
    if major < 0xFF:
        return f"{major + 1}.0.0"
    raise BadInput(f"no version is above {version}")


def _changed(flaw: str, running: Content, later: Content) -> Content | None:
    modules = later.modules
    match flaw:
        case "wrong_model":
            return replace(later, models=("NO-SUCH-MODEL",))
        case "older_counter":
            return replace(later, counter=later.counter - 1) if later.counter else None
        case "older_version":
            return replace(running, version="0.0.0")
        case "wrong_data_format":
            return replace(later, data_format=later.data_format - 1) if later.data_format else None
        case "hangs" | "crashes":
            return replace(later, modules={**modules, _MAIN: _module(_HANGS if flaw == "hangs" else _CRASHES)})
    sound = modules.get(_SELF_TEST)  # self_test
    if sound is None or not {"SelfTestFailed", "hardware"} <= set(_names(sound)):
        return None
    return replace(later, modules={**modules, _SOUND: sound, _SELF_TEST: _module(_FAILS)})


def _names(pyc: bytes) -> tuple[str, ...]:
    """What a compiled module defines or uses at its top."""
    if pyc[:4] != importlib.util.MAGIC_NUMBER:
        return ()
    code: CodeType = marshal.loads(pyc[16:])
    return code.co_names


def _module(text: str) -> bytes:
    return compile_module(text, "made for a test", Path(__file__))


def _signed_by_nobody(content: Content, folder: Path) -> bytes:
    """With a key that is always the same one, and in nobody's boot loader."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.from_private_bytes(_FOREIGN_SEED)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "foreign.pem"
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return sign(content, path, folder)


def _corrupt(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + struct.pack("B", data[middle] ^ 1) + data[middle + 1 :]


_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "corrupt": _corrupt, "truncated": lambda data: data[: len(data) * 3 // 4], "empty": lambda data: b"",
}


def _described(path: Path, content: Content, flaw: str) -> ImageFile:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return ImageFile(path, Firmware(name=content.name, version=content.version, sha256=digest), content.models,
                     content.data_format, content.counter or 0, content.resets, flaw)
