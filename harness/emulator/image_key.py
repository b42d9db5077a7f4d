"""The boot key: which signatures the boot loader believes. ed25519 or ECDSA P-256, told by the key file.

A key is its DER SubjectPublicKeyInfo, as an image's key hash covers it. cryptography is imported only where a signature
is checked, and its PEM parser not at all: that import costs 47 ms at every power-on.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Literal

Algorithm = Literal["ed25519", "ecdsa-p256"]
ED25519, ECDSA = 0x24, 0x22  # TLVs of the signature
SIGNATURES: dict[Algorithm, int] = {"ed25519": ED25519, "ecdsa-p256": ECDSA}
_PREFIXES: dict[Algorithm, bytes] = {  # DER before the key itself: 32 bytes; 04 and two coordinates of 32 bytes
    "ed25519": bytes.fromhex("302a300506032b6570032100"),
    "ecdsa-p256": bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
}
_SIZES: dict[Algorithm, int] = {"ed25519": 44, "ecdsa-p256": 91}
_PEM_LINES = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")


def public_key_bytes(text: str) -> bytes:
    """The DER of a public key in PEM, ed25519 or P-256 (uncompressed). Raises ValueError."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) < 3 or (lines[0], lines[-1]) != _PEM_LINES:
        raise ValueError("is no public key in PEM format (BEGIN PUBLIC KEY)")
    der = base64.b64decode("".join(lines[1:-1]), validate=True)
    algorithm(der)
    return der


def algorithm(key: bytes) -> Algorithm:
    """What kind of key it is. Raises ValueError."""
    for name, prefix in _PREFIXES.items():
        if len(key) == _SIZES[name] and key.startswith(prefix):
            return name
    raise ValueError("is a public key, but neither ed25519 nor ECDSA P-256")


def key_hash(key: bytes) -> bytes:
    """What an image names its key by."""
    return hashlib.sha256(key).digest()


def signature_fits(key: bytes, signature: bytes, digest: bytes) -> bool:
    """Whether ``signature`` is that of an image's hash (SHA-256, 32 bytes). ECDSA: DER, without padding."""
    from cryptography.exceptions import InvalidSignature

    kind = algorithm(key)
    bare = key[len(_PREFIXES[kind]) :]
    try:
        if kind == "ed25519":
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

            Ed25519PublicKey.from_public_bytes(bare).verify(signature, digest)
        else:
            from cryptography.hazmat.primitives.asymmetric import ec, utils
            from cryptography.hazmat.primitives.hashes import SHA256

            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bare)
            public.verify(signature, digest, ec.ECDSA(utils.Prehashed(SHA256())))
    except (InvalidSignature, ValueError):
        return False
    return True
