"""Session keys that the server's side of TLS hands out, and what is derived from them (RFC 5246, RFC 8446).

The file has the format that browsers write for SSLKEYLOGFILE: label, the client's random, secret, a line each.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

MASTER = "CLIENT_RANDOM"  # label of a TLS 1.2 session
HANDSHAKE = "{}_HANDSHAKE_TRAFFIC_SECRET"  # of TLS 1.3, with CLIENT or SERVER for {}
TRAFFIC = "{}_TRAFFIC_SECRET_0"
_USED = {MASTER, *(label.format(side) for label in (HANDSHAKE, TRAFFIC) for side in ("CLIENT", "SERVER"))}


class KeyLog:
    """A file that grows; lines are read as they come. None: there is none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._read = 0
        self._secrets: dict[tuple[str, bytes], bytes] = {}

    def secret(self, label: str, client_random: bytes) -> bytes | None:
        """None: not known, or not yet."""
        known = self._secrets.get((label, client_random))
        if known is None and self._path is not None:
            self._read_on(self._path)
            known = self._secrets.get((label, client_random))
        return known

    def latest(self, label: str, count: int) -> list[tuple[bytes, bytes]]:
        """Client's random and secret of the last sessions, the newest first."""
        if self._path is not None:
            self._read_on(self._path)
        known = [(random, secret) for (kind, random), secret in self._secrets.items() if kind == label]
        return known[:-count - 1:-1]

    def _read_on(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            words = line.split()
            if len(words) == 3 and not line.startswith(b"#"):
                try:
                    label, *values = (word.decode("ascii") for word in words)
                    random, secret = map(bytes.fromhex, values)
                except ValueError:
                    continue
                if label in _USED:
                    self._secrets[label, random] = secret


@dataclass(frozen=True)
class Suite:
    """A cipher suite whose records can be opened. ``chacha``: ChaCha20-Poly1305, else AES-GCM."""

    hash: str
    key_size: int
    chacha: bool = False

    @property
    def secret_size(self) -> int:
        """Bytes of a traffic secret of TLS 1.3."""
        return 48 if self.hash == "sha384" else 32


SUITES = {
    0x1301: Suite("sha256", 16), 0x1302: Suite("sha384", 32), 0x1303: Suite("sha256", 32, True),
    0xC02B: Suite("sha256", 16), 0xC02C: Suite("sha384", 32), 0xCCA9: Suite("sha256", 32, True),  # ECDHE, ECDSA
    0xC02F: Suite("sha256", 16), 0xC030: Suite("sha384", 32), 0xCCA8: Suite("sha256", 32, True),  # ECDHE, RSA
    0x009C: Suite("sha256", 16), 0x009D: Suite("sha384", 32),  # RSA
}


def expand_label(hash_name: str, secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context, of at most one block (RFC 8446, 7.1)."""
    name = b"tls13 " + label.encode("ascii")
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\x00"
    block = hmac.digest(secret, info + b"\x01", hash_name)
    assert size <= len(block), "more than one block of HKDF"
    return block[:size]


def key_block(suite: Suite, master: bytes, client_random: bytes, server_random: bytes) -> list[tuple[bytes, bytes]]:
    """(key, IV) of the client and of the server in TLS 1.2 (RFC 5246, 6.3)."""
    iv_size = 12 if suite.chacha else 4
    seed = b"key expansion" + server_random + client_random
    block, a = b"", seed
    while len(block) < 2 * (suite.key_size + iv_size):
        a = hmac.digest(master, a, suite.hash)
        block += hmac.digest(master, a + seed, suite.hash)
    sizes = (suite.key_size, suite.key_size, iv_size, iv_size)
    parts, at = [], 0
    for size in sizes:
        parts.append(block[at : at + size])
        at += size
    return [(parts[0], parts[2]), (parts[1], parts[3])]
