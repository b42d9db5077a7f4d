"""What is in a firmware image, and the verifier of the boot loader: our own code, not imgtool's.

An image is an MCUboot image (little endian): 32-byte header, payload, protected TLVs, TLVs. The hash covers everything
before the last; the signature (ed25519 or ECDSA P-256) covers the hash. The payload is an archive of modules, see
:func:`unpack`. Anything that is not exactly as the builder makes it is refused: unknown or repeated TLVs, flags, load
addresses.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import struct
import sys
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from harness.emulator.image_key import SIGNATURES, algorithm, key_hash, signature_fits
from harness.emulator.image_key import public_key_bytes as public_key_bytes

MAGIC = 0x96F3B83D
PROTECTED_MAGIC, TLV_MAGIC = 0x6908, 0x6907
KEY_HASH, SHA256, SECURITY_COUNTER = 0x01, 0x10, 0x50
MODELS, DATA_FORMAT, RESETS = 0x00A0, 0x00A1, 0x00A2  # vendor TLVs: model names joined by commas; u32; u32 1, or absent
ARCHIVE_MAGIC = b"HIL97APP"
MANIFEST = "manifest.json"
PYTHON_TAG = sys.implementation.cache_tag or sys.implementation.name
_HEADER = struct.Struct("<IIHHIIBBHII")
_TLV = struct.Struct("<HH")
TRUE = struct.pack("<I", 1)
_VERSION = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,10})(?:\.([0-9]{1,10})(?:\+([0-9]{1,10}))?)?)?\Z")

Refusal = Literal["empty", "damaged", "signature", "model", "old"]


class ImageRefused(Exception):
    """The image can't be trusted or can't run here. ``offset`` (bytes from its start) is where that shows.

    ``kind``: empty (nothing is there), damaged (structure, hash, content), signature (or key), model (another model, or
    another Python), old (its security counter is too low, or its version is not above the one that runs).
    """

    def __init__(self, reason: str, offset: int, kind: Refusal = "damaged") -> None:
        self.reason, self.offset, self.kind = reason, offset, kind
        super().__init__(f"{reason} (offset {offset})")


@dataclass(frozen=True)
class Application:
    """A verified image's content. ``modules``: dotted name -> .pyc bytes; packages are those in ``packages``.

    ``order``: the version in numbers, for comparing. ``counter``: its security counter. ``resets``: it begins with
    nothing stored.
    """

    name: str
    version: str
    order: tuple[int, int, int, int]
    counter: int
    resets: bool
    python: str
    models: tuple[str, ...]
    data_format: int
    modules: dict[str, bytes]
    packages: frozenset[str]
    size: int  # of the whole image, bytes
    sha256: str  # of the whole image, hex


class Verified(NamedTuple):
    """``version``: of the header. ``protected``: its TLVs by type. ``size``: of the whole image, bytes."""

    payload: bytes
    protected: dict[int, bytes]
    version: tuple[int, int, int, int]
    size: int


def declared_size(data: bytes) -> int | None:
    """Size of the whole image as its header and TLV areas say, unchecked; None: they say nothing that makes sense."""
    if len(data) < _HEADER.size:
        return None
    magic, _load, header_size, protected_size, payload_size = _HEADER.unpack_from(data)[:5]
    at = header_size + payload_size + protected_size
    if magic != MAGIC or at + _TLV.size > len(data):
        return None
    end = at + int(_TLV.unpack_from(data, at)[1])
    return end if end <= len(data) else None


def header_version(data: bytes) -> tuple[int, int, int, int]:
    """The version in a header, unchecked. ``data`` has a header's length at least."""
    major, minor, revision, build = _HEADER.unpack_from(data)[6:10]
    return major, minor, revision, build


def verify(data: bytes, key: bytes | None) -> Verified:
    """Checks everything from header to signature.

    ``data`` may go on after the image (a slot does). ``key``: DER (:mod:`harness.emulator.image_key`); None leaves
    out the signature, for a look at an image whose key is not at hand. Raises :class:`ImageRefused`.
    """
    if len(data) < _HEADER.size:
        raise ImageRefused(f"only {len(data)} bytes, the header has {_HEADER.size}", len(data))
    (magic, load, header_size, protected_size, payload_size, flags, major, minor, revision, build,
     padding) = _HEADER.unpack_from(data)
    if magic == 0xFFFFFFFF:
        raise ImageRefused("the slot is empty", 0, "empty")
    if magic != MAGIC:
        raise ImageRefused(f"no image: magic {magic:08x}, not {MAGIC:08x}", 0)
    if load or flags or padding or header_size != _HEADER.size:
        raise ImageRefused("header fields that this boot loader does not know", 4)
    protected_at = header_size + payload_size
    tlvs_at = protected_at + protected_size
    protected, end = _tlvs(data, protected_at, PROTECTED_MAGIC)
    if end != tlvs_at:
        raise ImageRefused(f"protected area has {end - protected_at} bytes, header says {protected_size}", protected_at)
    tlvs, end = _tlvs(data, tlvs_at, TLV_MAGIC)
    if set(protected) - {RESETS} != {SECURITY_COUNTER, MODELS, DATA_FORMAT}:
        raise ImageRefused(f"protected TLVs {sorted(protected)}", protected_at)
    if set(tlvs) == {SHA256}:
        raise ImageRefused("not signed", tlvs_at, "signature")
    if not any(set(tlvs) == {KEY_HASH, SHA256, signature} for signature in SIGNATURES.values()):
        raise ImageRefused(f"TLVs {sorted(tlvs)}", tlvs_at)
    digest = hashlib.sha256(memoryview(data)[:tlvs_at]).digest()
    if tlvs[SHA256] != digest:
        raise ImageRefused("hash does not match", tlvs_at)
    if key is not None:
        _check_signature(key, tlvs, digest, tlvs_at)
    return Verified(data[header_size:protected_at], protected, (major, minor, revision, build), end)


def read(data: bytes, key: bytes | None) -> Application:
    """Verifies an image and takes it apart. Raises :class:`ImageRefused`; that it fits this machine is not checked."""
    payload, protected, order, size = verify(data, key)
    entries = unpack(payload)
    at = _HEADER.size
    try:
        manifest: dict[str, Any] = json.loads(entries.pop(MANIFEST))
        name, version, python = str(manifest["name"]), str(manifest["version"]), str(manifest["python"])
        models, data_format = tuple(map(str, manifest["models"])), int(manifest["data_format"])
        said = ",".join(models).encode(), struct.pack("<I", data_format)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, struct.error) as error:
        raise ImageRefused(f"manifest can't be used: {error!r}", at) from error
    if (protected[MODELS], protected[DATA_FORMAT]) != said:
        raise ImageRefused("manifest and protected TLVs differ about models or data format", at)
    if version_order(version) != order:
        raise ImageRefused("manifest and header differ about the version", at)
    if len(protected[SECURITY_COUNTER]) != 4 or protected.get(RESETS, TRUE) != TRUE:
        raise ImageRefused("security counter or reset mark can't be used", at)
    packages = frozenset(_module(path) for path in entries if path.endswith("/__init__.pyc"))
    modules = {_module(path): content for path, content in entries.items()}
    return Application(name, version, order, int.from_bytes(protected[SECURITY_COUNTER], "little"), RESETS in protected,
                       python, models, data_format, modules, packages, size,
                       hashlib.sha256(memoryview(data)[:size]).hexdigest())


def version_order(version: str) -> tuple[int, int, int, int] | None:
    """MAJOR[.MINOR[.REVISION[+BUILD]]] in numbers; None: it is no version."""
    match = _VERSION.match(version)
    if match is None:
        return None
    major, minor, revision, build = (int(part or 0) for part in match.groups())
    return major, minor, revision, build


def check_fit(application: Application, model: str) -> None:
    """That the application is meant for this model and this Python. Raises :class:`ImageRefused`."""
    at = _HEADER.size
    if model not in application.models:
        raise ImageRefused(f"for {', '.join(application.models)}, not for {model}", at, "model")
    if application.python != PYTHON_TAG:
        raise ImageRefused(f"built for {application.python}, this is {PYTHON_TAG}", at, "model")
    for name, pyc in application.modules.items():
        if pyc[:4] != importlib.util.MAGIC_NUMBER:
            raise ImageRefused(f"module {name} was compiled by another Python", at, "model")
    if "app.main" not in application.modules or "app" not in application.packages:
        raise ImageRefused("no module app.main", at)


def pack(entries: dict[str, bytes]) -> bytes:
    """The payload archive: magic, u16 count, then per entry (sorted) u16 length of name, name, u32 length, content."""
    parts = [ARCHIVE_MAGIC, struct.pack("<H", len(entries))]
    for name in sorted(entries):
        encoded = name.encode()
        parts += [struct.pack("<H", len(encoded)), encoded, struct.pack("<I", len(entries[name])), entries[name]]
    return b"".join(parts)


def unpack(payload: bytes) -> dict[str, bytes]:
    """The inverse of :func:`pack`. Raises :class:`ImageRefused`."""
    if payload[:8] != ARCHIVE_MAGIC:
        raise ImageRefused("payload is no application archive", _HEADER.size)
    entries: dict[str, bytes] = {}
    at = 10
    try:
        for _ in range(struct.unpack_from("<H", payload, 8)[0]):
            (length,) = struct.unpack_from("<H", payload, at)
            name = payload[at + 2 : at + 2 + length].decode()
            (size,) = struct.unpack_from("<I", payload, at + 2 + length)
            at += 6 + length
            if at + size > len(payload) or name in entries:
                raise ImageRefused(f"archive entry {name!r} is cut short or comes twice", _HEADER.size + at)
            entries[name] = payload[at : at + size]
            at += size
    except (struct.error, UnicodeDecodeError) as error:
        raise ImageRefused(f"archive is damaged: {error}", _HEADER.size + at) from error
    if at != len(payload):
        raise ImageRefused("bytes after the archive's last entry", _HEADER.size + at)
    return entries


def _module(path: str) -> str:
    return path.removesuffix(".pyc").removesuffix("/__init__").replace("/", ".")


def _tlvs(data: bytes, at: int, magic: int) -> tuple[dict[int, bytes], int]:
    """The TLVs of the area at ``at`` by type, and the area's end."""
    if at + _TLV.size > len(data):
        raise ImageRefused("cut short: the TLV area is missing", len(data))
    found, size = _TLV.unpack_from(data, at)
    if found != magic:
        raise ImageRefused(f"TLV area begins with {found:04x}, not {magic:04x}", at)
    end = at + size
    if end > len(data):
        raise ImageRefused("cut short in the TLV area", len(data))
    result: dict[int, bytes] = {}
    at += _TLV.size
    while at < end:
        if at + _TLV.size > end:
            raise ImageRefused("TLV cut short", at)
        kind, length = _TLV.unpack_from(data, at)
        at += _TLV.size
        if at + length > end or kind in result:
            raise ImageRefused(f"TLV {kind:04x} is cut short or comes twice", at - _TLV.size)
        result[kind] = data[at : at + length]
        at += length
    return result, end


def _check_signature(key: bytes, tlvs: dict[int, bytes], digest: bytes, at: int) -> None:
    signature = tlvs.get(SIGNATURES[algorithm(key)])
    if tlvs[KEY_HASH] != key_hash(key) or signature is None:
        raise ImageRefused("signed with another key", at, "signature")
    if not signature_fits(key, signature, digest):
        raise ImageRefused("signature is wrong", at, "signature")
