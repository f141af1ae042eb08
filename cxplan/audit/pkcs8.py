"""A private key locked with scrypt, in the standard form that OpenSSL reads (RFC 7914, RFC 8018).

The library writes PKCS#8 with PBKDF2 and 2,048 rounds, which is little for a passphrase. It reads
scrypt, and it has every part needed to write it; this module joins them.
"""

from __future__ import annotations

import base64
import os
from textwrap import wrap

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.x509 import ObjectIdentifier

COST, BLOCK, LANES = 2**14, 8, 5
"""scrypt's N, r and p. OpenSSL opens nothing that needs over 32 MiB, so p is raised, not N."""

_PBES2 = ObjectIdentifier("1.2.840.113549.1.5.13")
_SCRYPT = ObjectIdentifier("1.3.6.1.4.1.11591.4.11")
_AES_256_CBC = ObjectIdentifier("2.16.840.1.101.3.4.1.42")


@asn1.sequence
class _ScryptParameters:
    salt: bytes
    cost: int
    block: int
    lanes: int


@asn1.sequence
class _Derivation:
    algorithm: ObjectIdentifier
    parameters: _ScryptParameters


@asn1.sequence
class _Encryption:
    algorithm: ObjectIdentifier
    iv: bytes


@asn1.sequence
class _Pbes2:
    derivation: _Derivation
    encryption: _Encryption


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    parameters: _Pbes2


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: _Algorithm
    data: bytes


def locked_pem(private_info: bytes, passphrase: bytes) -> bytes:
    """Return the DER ``PrivateKeyInfo`` as ``ENCRYPTED PRIVATE KEY`` in PEM."""
    salt, iv = os.urandom(16), os.urandom(16)
    key = Scrypt(salt=salt, length=32, n=COST, r=BLOCK, p=LANES).derive(passphrase)
    algorithm = _Pbes2(
        derivation=_Derivation(
            algorithm=_SCRYPT,
            parameters=_ScryptParameters(salt=salt, cost=COST, block=BLOCK, lanes=LANES),
        ),
        encryption=_Encryption(algorithm=_AES_256_CBC, iv=iv),
    )
    info = _EncryptedPrivateKeyInfo(
        algorithm=_Algorithm(algorithm=_PBES2, parameters=algorithm),
        data=_encrypted(private_info, key, iv),
    )
    return _armoured(asn1.encode_der(info))


def _encrypted(data: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(algorithms.AES.block_size).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def _armoured(der: bytes) -> bytes:
    label = "ENCRYPTED PRIVATE KEY"
    lines = wrap(base64.b64encode(der).decode("ascii"), 64)
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()
