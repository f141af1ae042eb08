"""One changed byte anywhere in a bundle is told, with the kind of thing and the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxplan.core.errors import Exit
from tests.audit.samples import (
    FILES,
    OPEN,
    PLAN,
    RECORDS,
    STATEMENT,
    carry_out,
    ecdsa_key,
    ledger_at,
)

CODES = {
    STATEMENT: {"audit.json", "audit.form", "audit.signature", "audit.keyid"},
    OPEN: {"audit.digest"},
    PLAN: {"audit.digest"},
    RECORDS: {"audit.json", "audit.form", "audit.record", "audit.chain"},
}


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte_is_told(name: str, tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path, ecdsa_key())
    path = tmp_path / carry_out(ledger, agents=["agent-0001"]).folder / name
    whole = path.read_bytes()
    assert ledger.verify().exit is Exit.OK

    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 7)]) + whole[at + 1 :])
        report = ledger.verify()

        assert report.exit is Exit.AUDIT, f"byte {at}"
        [failure] = report.all_failures
        assert failure.code in CODES[name], f"byte {at}: {failure}"
        where = failure.place.removeprefix(f"{path.parent.name}/")
        assert where in places(name, whole, at), f"byte {at}: {failure}"


def places(name: str, whole: bytes, at: int) -> set[str]:
    """The file; in the journal the line of the byte, or the next, which chains to it."""
    if name != RECORDS:
        return {name}
    line = whole[:at].count(b"\n") + 1
    return {f"{name}:{line}", f"{name}:{line + 1}"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", ["insert", "delete", "cut"])
def test_inserted_deleted_and_cut_bytes_are_told(name: str, change: str, tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path, ecdsa_key())
    path = tmp_path / carry_out(ledger, agents=["agent-0001"]).folder / name
    whole = path.read_bytes()

    for at in range(0, len(whole), 23):
        after = {"insert": whole[at:], "delete": whole[at + 1 :], "cut": b""}[change]
        middle = b" " if change == "insert" else b""
        path.write_bytes(whole[:at] + middle + after)
        report = ledger.verify()

        [failure] = report.all_failures
        assert failure.place.startswith(f"{path.parent.name}/{name}"), f"byte {at}: {failure}"
