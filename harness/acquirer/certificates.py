"""Certificates for tests of TLS: ``python -m harness.acquirer.certificates FOLDER``.

An authority of our own, made anew each time, with a certificate for the acquirer and one for terminals. Every name says
TEST-ONLY, and the authority's key is thrown away: nothing more can be signed with it.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.errors import BadInput

CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY = "ca.pem", "server.pem", "server.key", "client.pem", "client.key"
FILES = (CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY)
_VALID = timedelta(days=3650)
_BACKDATED = timedelta(days=30)  # clocks of test machines differ

_Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Certificates:
    """The files of one folder, and what of them goes into a terminal: base64 of DER."""

    folder: Path

    @property
    def ca(self) -> str:
        """The authority's certificate."""
        return self._payload(CA)

    @property
    def client(self) -> str:
        """The terminal's certificate."""
        return self._payload(CLIENT)

    @property
    def client_key(self) -> str:
        """The key to it (PKCS #8)."""
        return self._payload(CLIENT_KEY)

    def _payload(self, name: str) -> str:
        lines = (self.folder / name).read_text("ascii").splitlines()
        return "".join(line for line in lines if not line.startswith("-----"))


def make(folder: Path, addresses: Sequence[str] = ("127.0.0.1",)) -> Certificates:
    """Makes the files for a server at these IP addresses. Raises :class:`BadInput` where there are some already."""
    present = [name for name in FILES if (folder / name).exists()]
    if present:
        raise BadInput(f"{present[0]} is there already", where=str(folder), remedy="Give another folder, or remove it.")
    try:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    except ValueError as error:
        raise BadInput(str(error), where="--address", remedy="for instance 127.0.0.1") from error
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _name(f"authority {os.urandom(4).hex()}")  # so that another one is told apart by its name
    constraint = x509.BasicConstraints(ca=True, path_length=0)
    usage = _usage(signs_certificates=True)
    ca = _builder(authority, authority, authority_key).add_extension(constraint, critical=True).add_extension(
        usage, critical=True
    ).sign(authority_key, hashes.SHA256())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / CA, ca.public_bytes(Encoding.PEM))
        for certificate, key_file, purpose in (
            (SERVER, SERVER_KEY, ExtendedKeyUsageOID.SERVER_AUTH),
            (CLIENT, CLIENT_KEY, ExtendedKeyUsageOID.CLIENT_AUTH),
        ):
            key = ec.generate_private_key(ec.SECP256R1())
            builder = _builder(_name(certificate.partition(".")[0]), authority, key)
            builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            if certificate == SERVER:
                builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            _write(folder / certificate, builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM))
            _write(folder / key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except OSError as error:
        raise BadInput(f"can't be written: {error.strerror or error}", where=str(folder)) from error
    return Certificates(folder)


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - _BACKDATED).not_valid_after(now + _VALID)
    )


def _name(of: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "hil97 TEST-ONLY"),
        x509.NameAttribute(NameOID.COMMON_NAME, f"TEST-ONLY {of}"),
    ])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )


def _write(path: Path, data: bytes) -> None:
    """Readable by the owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.acquirer.certificates", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--address", action="append", metavar="IP", help="of the server; more than one if you like")
    options = parser.parse_args(argv)
    try:
        made = make(options.folder, options.address or ("127.0.0.1",))
    except BadInput as error:
        print(f"certificates: {error}", file=sys.stderr)
        return 2
    for words in (f"TLS CA {made.ca}", f"TLS CERT {made.client}", f"TLS KEY {made.client_key}"):
        print(words)  # as a terminal's service port takes them
    return 0


if __name__ == "__main__":
    sys.exit(main())
