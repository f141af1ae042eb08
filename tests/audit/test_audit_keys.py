"""Keys: made whole or not at all, and refused where they are not safe or not of our kind."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from cxplan.audit import envelope
from cxplan.audit.keygen import generate_key
from cxplan.audit.keys import (
    load_own_public_key,
    load_public_key,
    load_signing_key,
    public_path,
)
from cxplan.core.errors import CxplanError, Exit, InvalidError, UnapprovedError
from tests.audit.samples import NOON

IN_TOTO = Path(__file__).parent / "vectors" / "in-toto-dsse"


def test_generated_key_signs_and_its_public_half_verifies(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.pem"
    made = generate_key(path)

    key = load_signing_key(path)
    signed = envelope.parse(envelope.sign(b"{}", key), "here")

    assert sorted(p.name for p in tmp_path.iterdir()) == ["signing-key.pem", "signing-key.pub.pem"]
    assert envelope.check(signed, (load_own_public_key(path),), "here") == made == key.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert b"PRIVATE" not in public_path(path).read_bytes()


@pytest.mark.parametrize(
    ("private", "public"),
    [
        ("signing-key.pem", "signing-key.pub.pem"),
        ("key", "key.pub.pem"),
        ("a.b.pem", "a.b.pub.pem"),
    ],
)
def test_public_half_lies_beside(private: str, public: str) -> None:
    assert public_path(Path("keys") / private) == Path("keys") / public


def test_private_key_is_0600_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        generate_key(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("taken", ["key.pem", "key.pub.pem"])
def test_neither_file_is_replaced_and_none_is_left_half(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken).write_bytes(b"mine")

    with pytest.raises(InvalidError) as error:
        generate_key(tmp_path / "key.pem")

    assert error.value.problem.code == "key.exists"
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_bytes() == b"mine"


def test_dangling_link_at_the_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "key.pem").symlink_to("elsewhere.pem")
    with pytest.raises(InvalidError):
        generate_key(tmp_path / "key.pem")
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


def test_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as error:
        generate_key(tmp_path / "nowhere" / "key.pem")
    assert error.value.problem.code == "key.write"


def test_disk_that_fails_leaves_no_half_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fail)
        with pytest.raises(InvalidError) as error:
            generate_key(tmp_path / "key.pem")

    assert "Input/output error" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_own_public_key_without_its_file_comes_from_the_private_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = generate_key(path, b"correct horse")
    public_path(path).unlink()
    assert load_own_public_key(path, b"correct horse") == made

    path.unlink()
    with pytest.raises(UnapprovedError) as error:
        load_own_public_key(path)
    assert error.value.problem.code == "key.missing"


# --- passphrases -------------------------------------------------------------------------------


def test_passphrase_locks_the_key_with_scrypt(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = generate_key(path, b"correct horse")

    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert bytes.fromhex("2b06010401da47040b") in _der(path)
    assert load_signing_key(path, b"correct horse").public == made
    assert load_own_public_key(path) == made


def _der(path: Path) -> bytes:
    return base64.b64decode(b"".join(path.read_bytes().splitlines()[1:-1]))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")
def test_openssl_reads_the_locked_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    generate_key(path, b"correct horse")
    command = ["openssl", "pkey", "-in", str(path), "-passin", "pass:correct horse", "-pubout"]
    public = subprocess.run(command, capture_output=True, check=True).stdout
    assert public == public_path(path).read_bytes()


@pytest.mark.parametrize("passphrase", [None, b"", b"wrong"])
def test_missing_or_wrong_passphrase_is_exit_9(passphrase: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    generate_key(path, b"correct horse")
    with pytest.raises(CxplanError) as error:
        load_signing_key(path, passphrase)
    assert error.value.exit_code is Exit.UNAPPROVED
    assert error.value.problem.code == "key.passphrase"
    assert "horse" not in str(error.value)


# --- what is refused ---------------------------------------------------------------------------


def write_private(path: Path, key: PrivateKeyTypes, mode: int = 0o600) -> Path:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem)
    path.chmod(mode)
    return path


def p256(path: Path) -> None:
    write_private(path, ec.generate_private_key(ec.SECP256R1()))


def readable_by_the_group(path: Path) -> None:
    write_private(path, ec.generate_private_key(ec.SECP256R1()), 0o640)


def readable_by_all(path: Path) -> None:
    write_private(path, ec.generate_private_key(ec.SECP256R1()), 0o644)


def executable(path: Path) -> None:
    write_private(path, ec.generate_private_key(ec.SECP256R1()), 0o700)


def other_curve(path: Path) -> None:
    write_private(path, ec.generate_private_key(ec.SECP384R1()))


def rsa_key(path: Path) -> None:
    write_private(path, rsa.generate_private_key(65537, 2048))


def certificate(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cxplan")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOON, NOON)
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    path.chmod(0o600)


def public_half(path: Path) -> None:
    path.write_bytes((IN_TOTO / "ecdsa_public.pub").read_bytes())
    path.chmod(0o600)


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00" * 100)
    path.chmod(0o600)


def too_large(path: Path) -> None:
    garbage(path)
    os.truncate(path, 10 * 1024**3)


def symlink(path: Path) -> None:
    p256(path.with_name("real.pem"))
    path.symlink_to("real.pem")


REFUSED: list[tuple[Callable[[Path], object], Exit, str]] = [
    (readable_by_the_group, Exit.INVALID, "key.mode"),
    (readable_by_all, Exit.INVALID, "key.mode"),
    (executable, Exit.INVALID, "key.mode"),
    (other_curve, Exit.INVALID, "key.type"),
    (rsa_key, Exit.INVALID, "key.type"),
    (certificate, Exit.INVALID, "key.type"),
    (public_half, Exit.INVALID, "key.type"),
    (garbage, Exit.INVALID, "key.type"),
    (too_large, Exit.INVALID, "key.type"),
    (symlink, Exit.INVALID, "path.symlink"),
    (os.mkfifo, Exit.INVALID, "path.type"),
    (os.mkdir, Exit.INVALID, "path.type"),
    (lambda _: None, Exit.UNAPPROVED, "key.missing"),
]


@pytest.mark.parametrize(
    ("make", "code", "word"), REFUSED, ids=[getattr(row[0], "__name__", "") for row in REFUSED]
)
def test_signing_key_is_refused(
    make: Callable[[Path], object], code: Exit, word: str, tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    make(path)
    with pytest.raises(CxplanError) as error:
        load_signing_key(path)
    assert (error.value.exit_code, error.value.problem.code) == (code, word)
    assert error.value.problem.hint


def test_ed25519_and_a_narrower_mode_are_accepted(tmp_path: Path) -> None:
    path = write_private(tmp_path / "key.pem", ed25519.Ed25519PrivateKey.generate(), 0o400)
    key = load_signing_key(path)
    signed = envelope.parse(envelope.sign(b"{}", key), "here")
    assert envelope.check(signed, (key.public,), "here").fingerprint.startswith("SHA256:")


@pytest.mark.parametrize("name", ["ecdsa_public.pub", "ed25519_public.pub"])
def test_public_keys_of_others_are_read(name: str) -> None:
    assert load_public_key(IN_TOTO / name).fingerprint.startswith("SHA256:")


@pytest.mark.parametrize("make", [certificate, garbage, p256, too_large, symlink, os.mkfifo])
def test_public_key_is_refused(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "key.pem")
    with pytest.raises(InvalidError):
        load_public_key(tmp_path / "key.pem")


def test_rsa_and_missing_public_keys_are_refused(tmp_path: Path) -> None:
    for path, code in (
        (IN_TOTO / "rsa_public.pub", "key.type"),
        (tmp_path / "none", "key.missing"),
    ):
        with pytest.raises(InvalidError) as error:
            load_public_key(path)
        assert error.value.problem.code == code
