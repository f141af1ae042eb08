"""A bundle is checked with what a reviewer has: openssl, jq and sha256sum, and no code of ours.

The lines are those of the document, with the key's path in front.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from cxplan.audit.keys import SigningKey
from cxplan.core.errors import Exit
from tests.audit.samples import (
    FILES,
    PLAN,
    RECORDS,
    STATEMENT,
    carry_out,
    ecdsa_key,
    ed25519_key,
    ledger_at,
    pem_of,
)

TOOLS = ("bash", "openssl", "jq", "sha256sum", "base64")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {MISSING}")

UNPACK = r"""
set -eu
W=$(mktemp -d)
trap 'rm -r "$W"' EXIT
jq -r .payload statement.dsse.json | base64 -d > $W/payload
{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < $W/payload)"; cat $W/payload; } > $W/pae
jq -r '.signatures[0].sig' statement.dsse.json | base64 -d > $W/sig
"""  # noqa: E501 - the line as the document has it
ECDSA = 'openssl dgst -sha256 -verify "$KEY" -signature $W/sig $W/pae\n'
ED25519 = 'openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in $W/pae -sigfile $W/sig\n'
FILES_HOLD = (
    """jq -r '.subject[]|"\\(.digest.sha256)  \\(.name)"' $W/payload | sha256sum -c --strict\n"""
)

KINDS = [
    pytest.param(ecdsa_key, ECDSA, id="ecdsa"),
    pytest.param(ed25519_key, ED25519, id="ed25519"),
]


def shell(lines: str, bundle: Path, key: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", lines],
        cwd=bundle,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "KEY": str(key), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def sealed(tmp_path: Path, key: SigningKey) -> tuple[Path, Path]:
    public = tmp_path / "seal.pub.pem"
    public.write_bytes(pem_of(key.public))
    head = carry_out(ledger_at(tmp_path / "audit", key))
    return tmp_path / "audit" / head.folder, public


@pytest.mark.parametrize(("make", "verify"), KINDS)
def test_reviewers_lines_hold(make: Callable[[], SigningKey], verify: str, tmp_path: Path) -> None:
    key = make()
    bundle, public = sealed(tmp_path, key)

    done = shell(UNPACK + verify + FILES_HOLD, bundle, public)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [f"{name}: OK" for name in (RECORDS, PLAN, FILES[1])]
    assert sorted(path.name for path in bundle.iterdir()) == sorted(FILES)
    assert ledger_at(tmp_path / "audit", key).verify().exit is Exit.OK


@pytest.mark.parametrize(("make", "verify"), KINDS)
def test_reviewers_lines_tell_another_key(
    make: Callable[[], SigningKey], verify: str, tmp_path: Path
) -> None:
    bundle, public = sealed(tmp_path, make())
    public.write_bytes(pem_of(make().public))

    assert shell(UNPACK + verify, bundle, public).returncode != 0


def test_reviewers_lines_tell_an_edited_file(tmp_path: Path) -> None:
    bundle, public = sealed(tmp_path, ecdsa_key())
    records = (bundle / RECORDS).read_bytes()
    (bundle / RECORDS).write_bytes(records.replace(b"applied", b"unknown", 1))

    done = shell(UNPACK + ECDSA + FILES_HOLD, bundle, public)

    assert done.returncode != 0
    assert f"{RECORDS}: FAILED" in done.stdout


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not on this machine")
@pytest.mark.parametrize("make", [ecdsa_key, ed25519_key])
def test_key_id_is_what_ssh_keygen_prints(make: Callable[[], SigningKey], tmp_path: Path) -> None:
    key = make()
    bundle, public = sealed(tmp_path, key)
    openssh = load_pem_public_key(public.read_bytes()).public_bytes(
        Encoding.OpenSSH, PublicFormat.OpenSSH
    )
    (tmp_path / "key.pub").write_bytes(openssh)
    printed = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, check=True, text=True
    ).stdout
    assert key.public.fingerprint in printed.split()
    assert key.public.fingerprint.encode() in (bundle / STATEMENT).read_bytes()
