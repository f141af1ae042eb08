"""New signing keys: two files that are both whole or both not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from cxplan.audit import disk
from cxplan.audit.keys import PublicKey, parse_public_key, public_path
from cxplan.audit.pkcs8 import locked_pem
from cxplan.core.errors import InvalidError

PUBLIC_MODE = 0o644


def generate_key(path: Path, passphrase: bytes | None = None) -> PublicKey:
    """Make an ECDSA P-256 key: the private half at ``path`` (0600), the public half beside it.

    The private half is PKCS#8, locked with scrypt where a passphrase is given.

    Raises:
        InvalidError: ``key.exists`` where one of the two names is taken (neither is replaced), or
            ``key.write``; in both cases nothing of the new key stays.
    """
    key = generate_private_key(SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    beside = public_path(path)
    made: list[Path] = []
    try:
        _place(beside, public, PUBLIC_MODE, made)
        _place(path, _private_pem(key, passphrase), disk.FILE_MODE, made)
        with disk.folder(path.parent) as fd:
            os.fsync(fd)
    except OSError as error:
        _take_back(made)
        raise _refusal(error, path, beside) from None
    return parse_public_key(public, str(beside))


def _private_pem(key: EllipticCurvePrivateKey, passphrase: bytes | None) -> bytes:
    plain = NoEncryption()
    if passphrase is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, plain)
    return locked_pem(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, plain), passphrase)


def _place(path: Path, data: bytes, mode: int, made: list[Path]) -> None:
    """Write a whole file and give it its name by a link, which fails where the name is taken."""
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        os.fchmod(fd, mode)
        disk.write_synced(fd, data)
        os.link(temporary, path)
        made.append(path)
    finally:
        Path(temporary).unlink()


def _take_back(made: list[Path]) -> None:
    for path in made:
        path.unlink(missing_ok=True)


def _refusal(error: OSError, path: Path, beside: Path) -> InvalidError:
    if isinstance(error, FileExistsError):
        return InvalidError(
            f"A key is there already: {path} or {beside}; neither is replaced.",
            code="key.exists",
            hint="Give another name with --out, or move the old key away.",
        )
    return InvalidError(
        f"The key cannot be written to {path}: {disk.reason(error)}.",
        code="key.write",
        hint="Give a name in a folder that exists and can be written, with --out.",
    )
