"""Certificates for servers on loopback: a good one, and one for each way to be refused."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))


@dataclass(frozen=True)
class Authority:
    """Signs what it is asked to; ``bundle`` is its own certificate as a file."""

    folder: Path
    bundle: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    def server(
        self, label: str, host: x509.GeneralName = LOOPBACK, *, until: datetime | None = None
    ) -> ssl.SSLContext:
        """A server with a certificate for ``host``, signed by this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_name(label), self.name, key, until).add_extension(
            x509.SubjectAlternativeName([host]), critical=False
        )
        return _context(self.folder / f"{label}.pem", made.sign(self.key, hashes.SHA256()), key)

    def self_signed(self) -> ssl.SSLContext:
        """A server whose certificate nobody but itself has signed."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("nobody")
        made = _builder(name, name, key, None).add_extension(
            x509.SubjectAlternativeName([LOOPBACK]), critical=False
        )
        return _context(self.folder / "nobody.pem", made.sign(key, hashes.SHA256()), key)


def authority(folder: Path) -> Authority:
    """Make an authority whose files lie in ``folder``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("authority")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(name, name, key, None)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    bundle = folder / "ca.pem"
    bundle.write_bytes(_pem(made.sign(key, hashes.SHA256())))
    return Authority(folder, bundle, key, name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime | None
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(until or now + DAY)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _context(
    path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> ssl.SSLContext:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(_pem(certificate) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
