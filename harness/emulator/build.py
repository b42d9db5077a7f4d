"""Builds signed firmware images. The one module that uses imgtool, and only while it builds."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import io
import json
import marshal
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from harness.emulator.image import DATA_FORMAT, MANIFEST, MODELS, PYTHON_TAG, RESETS, TRUE, pack
from harness.emulator.image_key import Algorithm
from harness.emulator.nor import LARGEST_IMAGE
from harness.emulator.source import Source, load_source
from harness.errors import BadInput, writing
from harness.given_file import whole

_UNCHECKED_HASH = struct.pack("<I", 0b01)  # PEP 552: hash-based, not to be compared with a source


@dataclass(frozen=True)
class ImageInfo:
    """What was built. ``sha256`` is that of the whole image, hex; ``size`` in bytes."""

    name: str
    version: str
    sha256: str
    size: int
    python: str
    models: tuple[str, ...]
    data_format: int
    modules: int


@dataclass(frozen=True)
class Content:
    """What an image is made of. ``counter`` None: made from the version. ``modules``: path in the image -> .pyc."""

    name: str
    version: str
    models: tuple[str, ...]
    data_format: int
    counter: int | None
    resets: bool
    modules: dict[str, bytes]
    python: str = PYTHON_TAG


def build(source: Path, version: str, key: Path, output: Path) -> ImageInfo:
    """Compiles, packs and signs ``source`` (see harness.emulator.source) into ``output``.

    The same source, version, ed25519 key and Python give the same bytes; an ECDSA signature is another one each time.
    ``version`` is MAJOR.MINOR.REVISION[+BUILD], "": that of the source. Raises :class:`BadInput` with file and line.
    """
    return build_source(load_source(source), version, key, output)


def build_source(source: Source, version: str, key: Path, output: Path) -> ImageInfo:
    """As :func:`build`, of a loaded source."""
    version = version or source.version
    if not version:
        raise BadInput(f"the source of {source.name} does not say which version it is", remedy="For example 1.0.0.")
    modules = {f"{path.removesuffix('.py')}.pyc": compile_module(text, path, origin)
               for path, (text, origin) in source.files.items()}
    image = Content(source.name, version, source.models, source.data_format, source.counter, source.resets, modules)
    data = sign(image, key, output.parent)
    write(output, data)
    return ImageInfo(source.name, version, hashlib.sha256(data).hexdigest(), len(data), PYTHON_TAG, source.models,
                     source.data_format, len(source.files))


def generate_key(private: Path, public: Path, kind: Algorithm = "ed25519") -> None:
    """A new key pair in PEM. The private file is readable by its owner only; nothing is overwritten."""
    from imgtool import keys

    for path in (private, public):
        if path.exists():
            raise BadInput("is there already and is not overwritten", where=str(path))
    pair = keys.Ed25519.generate() if kind == "ed25519" else keys.ECDSA256P1.generate()
    try:
        os.close(os.open(private, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        pair.export_private(str(private))
        pair.export_public(str(public))
    except OSError as error:
        raise BadInput(f"can't be written: {error.strerror}", where=str(private)) from error


def compile_module(text: str, path: str, origin: Path) -> bytes:
    """An unchecked hash-based .pyc. Paths in tracebacks are those in the image."""
    try:
        tree = ast.parse(text, path)
        code = compile(tree, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise BadInput(f"does not compile: {getattr(error, 'msg', error)}", where=f"{origin}:{line}") from error
    for node in ast.walk(tree):
        for name in _imported(node):
            if name.partition(".")[0] in ("harness", "app"):
                raise BadInput(f"imports {name}", where=f"{origin}:{getattr(node, 'lineno', 1)}",
                               remedy="The application imports its own modules relatively, and nothing of the harness.")
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(text.encode()) + _marshal(code)


def _marshal(code: CodeType) -> bytes:
    """Version 2 has no back references, which depend on reference counts: the same code gives the same bytes."""
    try:
        return marshal.dumps(code, 2)
    except ValueError:  # constants that only newer versions know (slices, from Python 3.14)
        return marshal.dumps(code)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module]
    return []


def sign(content: Content, key: Path | None, folder: Path, *, largest: int = LARGEST_IMAGE) -> bytes:
    """The image of a content, signed by imgtool with the key in PEM; None: without a signature. ``folder`` gets a
    temporary file. ``largest``: bytes that it may have, with room for MCUboot's own trailer."""
    from imgtool import image as imgtool_image
    from imgtool import version as imgtool_version

    version = content.version
    try:
        decoded = imgtool_version.decode_version(version)
    except ValueError as error:
        raise BadInput(f"version {version!r} is not MAJOR.MINOR.REVISION[+BUILD]",
                       remedy="For example 1.0.0.") from error
    if decoded.major > 255 or decoded.minor > 255 or decoded.revision > 65535 or decoded.build > 0xFFFFFFFF:
        raise BadInput(f"version {version!r} does not fit: at most 255.255.65535")
    signer = None if key is None else _load_key(key)
    counter = "auto" if content.counter is None else content.counter
    image = imgtool_image.Image(version=decoded, header_size=32, pad_header=True, slot_size=largest,
                                security_counter=counter)
    manifest = {"name": content.name, "version": version, "python": content.python, "models": list(content.models),
                "data_format": content.data_format}
    entries = {**content.modules, MANIFEST: json.dumps(manifest, sort_keys=True, ensure_ascii=False).encode()}
    tlvs = {MODELS: ",".join(content.models).encode(), DATA_FORMAT: struct.pack("<I", content.data_format)}
    if content.resets:
        tlvs[RESETS] = TRUE
    with writing(folder), _temporary(folder) as temporary, contextlib.redirect_stdout(io.StringIO()):
        path = Path(temporary) / "payload.bin"
        path.write_bytes(pack(entries))
        image.load(str(path))
        try:
            image.create(signer, "hash", None, custom_tlvs=tlvs)
        except imgtool_image.click.UsageError as error:
            raise BadInput(f"no image can be made: {error.message}") from error
        image.save(str(path))
        return path.read_bytes()


def _temporary(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """In ``folder``, which is made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=folder)
    except OSError as error:
        raise BadInput(f"nothing can be written there: {error.strerror}", where=str(folder)) from error


def _load_key(path: Path) -> Any:
    from imgtool import keys

    try:
        if not path.is_fifo():  # a key may come through a pipe and never be on a disk
            whole(path)
        key = keys.load(str(path))
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"the signing key can't be read: {error.strerror}", where=str(path)) from error
    except Exception as error:  # imgtool and cryptography raise a dozen kinds here
        raise BadInput("is no key in PEM format", where=str(path),
                       remedy="Make one with: hil97 firmware keygen -o KEY") from error
    if not isinstance(key, keys.Ed25519 | keys.ECDSA256P1):
        kind = "is encrypted" if key is None else f"is a {type(key).__name__} key"
        raise BadInput(f"{kind}; an unencrypted private key is needed, ed25519 or ECDSA P-256", where=str(path))
    return key


def write(output: Path, data: bytes) -> None:
    """All or nothing: a bench must never find half an image. Raises :class:`BadInput`."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(output)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(f"can't be written: {error.strerror}", where=str(output)) from error
