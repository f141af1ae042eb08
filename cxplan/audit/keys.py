"""Keys: ECDSA P-256 and Ed25519, in PEM, named by the fingerprint that ``ssh-keygen -l`` prints.

The fingerprint is a name for people. Whether a signature holds is decided by the bytes of a key
that somebody trusts, never by the key id in an envelope.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # its public names are re-exports
    CryptoSigner,
    Signature,
    Signer,
    SSlibKey,
)

from cxplan.audit import disk
from cxplan.audit.refusal import Refused
from cxplan.core.errors import CxplanError, InvalidError, UnapprovedError

KEY_LIMIT = 64 * 1024
"""Bytes of a key file at most."""

_ONLY = "ECDSA P-256 and Ed25519 keys in PEM are accepted"
_GENERATE = "`cxplan keys generate` makes a key."

_PRIVATE = (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
_PublicType = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that can check signatures; two with the same bytes are equal."""

    key: SSlibKey

    @property
    def fingerprint(self) -> str:
        """``SHA256:…`` as OpenSSH prints it; the key id in envelopes."""
        return self.key.keyid

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Tell whether ``signature`` over ``data`` was made with this key."""
        try:
            self.key.verify_signature(Signature(self.key.keyid, signature.hex()), data)
        except UnverifiedSignatureError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that can sign, wherever its private half lies."""

    signer: Signer
    public: PublicKey


def public_key(key: object) -> PublicKey | None:
    """Return the ``cryptography`` key as one of ours, or None where its kind is not accepted."""
    if not _accepted(key):
        return None
    wire = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1]
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(wire)).digest())
    return PublicKey(SSlibKey.from_crypto(key, f"SHA256:{digest.decode().rstrip('=')}"))


def _accepted(key: object) -> TypeGuard[_PublicType]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, ed25519.Ed25519PublicKey)


def public_path(path: Path) -> Path:
    """Return where the public half of the private key at ``path`` lies."""
    stem = path.name.removesuffix(".pem")
    return path.with_name(f"{stem}.pub.pem")


def load_public_key(path: Path) -> PublicKey:
    """Return the public key in a PEM file.

    Raises:
        InvalidError: ``key.missing``, ``key.type``, or a ``path.`` code for what is no plain file.
    """
    with _reading(path) as fd:
        pem = disk.read_all(fd, str(path), limit=KEY_LIMIT)
    return parse_public_key(pem, str(path))


def parse_public_key(pem: bytes, where: str) -> PublicKey:
    """Return the public key in ``pem``; ``where`` names its file in messages.

    Raises:
        InvalidError: ``key.type``.
    """
    try:
        key = public_key(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if key is None:
        raise _wrong_type(where, "public")
    return key


def load_own_public_key(path: Path, passphrase: bytes | None = None) -> PublicKey:
    """Return the public half of the signing key at ``path``.

    It is read from the file beside it; only where there is none, from the private key itself.

    Raises:
        UnapprovedError: there is neither, or the passphrase is missing or wrong.
        InvalidError: as ``load_public_key`` and ``load_signing_key``.
    """
    beside = public_path(path)
    if beside.exists():
        return load_public_key(beside)
    return load_signing_key(path, passphrase).public


def load_signing_key(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """Return the private key in the PKCS#8 file at ``path``.

    Raises:
        UnapprovedError: ``key.missing``, or ``key.passphrase`` where it is missing or wrong.
        InvalidError: ``key.mode`` where others can read the file, ``key.type``, or a code that
            begins with ``path.``.
    """
    with _reading(path, _no_key) as fd:
        _refuse_mode(fd, path)
        pem = disk.read_all(fd, str(path), limit=KEY_LIMIT)
    private = _private(pem, path, passphrase)
    public = public_key(private.public_key()) if isinstance(private, _PRIVATE) else None
    if public is None:
        raise _wrong_type(str(path), "private")
    return SigningKey(CryptoSigner(private, public.key), public)


def _private(pem: bytes, path: Path, passphrase: bytes | None) -> PrivateKeyTypes:
    encrypted = b"ENCRYPTED" in pem
    if encrypted and not passphrase:
        raise UnapprovedError(
            f"The signing key {path} is locked with a passphrase and none was given.",
            code="key.passphrase",
            hint="Give the passphrase of the key.",
        )
    try:
        return load_pem_private_key(pem, passphrase if encrypted else None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        if encrypted:
            raise UnapprovedError(
                f"The passphrase does not open the signing key {path}.",
                code="key.passphrase",
                hint="Give the passphrase that the key was made with.",
            ) from None
        raise _wrong_type(str(path), "private") from None


@contextmanager
def _reading(path: Path, missing: Callable[[Path], CxplanError] | None = None) -> Iterator[int]:
    """Hold a key file open; what is refused becomes an error of whoever named the file."""
    try:
        with disk.regular(path, str(path), limit=KEY_LIMIT) as fd:
            yield fd
    except Refused as refused:
        failure = refused.failure
        if failure.code == "audit.missing":
            raise (missing or _no_file)(path) from None
        code = "key.type" if failure.code == "audit.too_large" else failure.code
        raise InvalidError(
            f"The key file {path} is refused: {failure.summary}.",
            code=code,
            hint=f"Name the key file itself: {_ONLY}.",
        ) from None


def _no_key(path: Path) -> CxplanError:
    return UnapprovedError(
        f"There is no signing key at {path}.", code="key.missing", hint=_GENERATE
    )


def _no_file(path: Path) -> CxplanError:
    return InvalidError(
        f"There is no public key at {path}.",
        code="key.missing",
        hint=f"Name the file of a public key. {_GENERATE}",
    )


def _refuse_mode(fd: int, path: Path) -> None:
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & ~disk.FILE_MODE:
        raise InvalidError(
            f"The signing key {path} has mode {mode:04o}, so that others may read or change it.",
            code="key.mode",
            hint=f"chmod 600 {path}",
        )


def _wrong_type(where: str, half: str) -> InvalidError:
    return InvalidError(
        f"{where} holds no {half} key that is accepted.",
        code="key.type",
        hint=f"{_ONLY}; certificates and RSA keys are not.",
    )
