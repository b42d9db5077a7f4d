"""Records of TLS opened with the session's keys."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from harness.wire.tls_keys import Suite, expand_label

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
HEADER_SIZE = 5
LARGEST = (1 << 14) + 2048
_TAG_SIZE = 16
_EXPLICIT_NONCE = 8


@dataclass(frozen=True, slots=True)
class Record:
    """As captured. ``t``: of its last byte, ``t_first``: of its first."""

    type: int
    header: bytes
    payload: bytes
    t: int
    t_first: int
    packets: tuple[int, ...]

    @property
    def raw(self) -> bytes:
        return self.header + self.payload


class Unopened(Exception):
    """A record that these keys don't open."""


class Opener:
    """One direction under one key. Records must come in their order."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes, *, explicit: bool) -> None:
        """``explicit``: TLS 1.2 with GCM, where a part of the nonce is in the record."""
        self._cipher = ChaCha20Poly1305(key) if suite.chacha else AESGCM(key)
        self._iv, self._explicit = iv, explicit
        self.number = 0
        """Of the next record."""

    def open(self, payload: bytes, header: bytes) -> bytes:
        """The plain content. ``header``: of a TLS 1.3 record, whole; of TLS 1.2, type and version."""
        number = self.number.to_bytes(8, "big")
        try:
            if self._explicit:
                nonce, sealed = self._iv + payload[:_EXPLICIT_NONCE], payload[_EXPLICIT_NONCE:]
            else:
                padded = number.rjust(len(self._iv), b"\x00")
                nonce, sealed = bytes(a ^ b for a, b in zip(self._iv, padded, strict=True)), payload
            if len(sealed) < _TAG_SIZE:
                raise Unopened
            bound = header
            if len(header) < HEADER_SIZE:
                bound = number + header + (len(sealed) - _TAG_SIZE).to_bytes(2, "big")
            plain = self._cipher.decrypt(nonce, sealed, bound)
        except (InvalidTag, ValueError) as error:
            raise Unopened from error
        self.number += 1
        return plain


def opener_13(suite: Suite, secret: bytes) -> Opener:
    """Under a traffic secret of TLS 1.3."""
    key, iv = expand_label(suite.hash, secret, "key", suite.key_size), expand_label(suite.hash, secret, "iv", 12)
    return Opener(suite, key, iv, explicit=False)


def next_secret(suite: Suite, secret: bytes) -> bytes:
    """After a key update."""
    return expand_label(suite.hash, secret, "traffic upd", len(secret))
