"""A run that was cut off, opened again: what it may have left, and what nobody may have put."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cxplan.audit.keys import SigningKey
from cxplan.audit.ledger import FileLedger
from cxplan.core.canonical import sha256_hex, signed_form
from cxplan.core.errors import EvidenceError, Exit, InvalidError, LockedError
from cxplan.core.evidence import Head
from cxplan.ports import CutRun
from tests.audit.samples import (
    AGENTS,
    FILES,
    OPEN,
    PLAN,
    RECORDS,
    STATEMENT,
    carry_out,
    chain_again,
    closing,
    codes,
    ecdsa_key,
    files_end_at,
    ledger_at,
    opening,
    payload_of,
    pem_of,
    plan_bytes,
    records_of,
    seal_again,
    sign_again,
    statement_of,
    uuid,
    write_agent,
)
from tests.audit.test_audit_reviewer import ECDSA, FILES_HOLD, MISSING, UNPACK, shell

RUN = uuid(1)
FOLDER = f"000001-{RUN}.open"
KILLED = 9


@pytest.fixture
def key() -> SigningKey:
    return ecdsa_key()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def cut(root: Path, key: SigningKey) -> Path:
    """The folder of a run that was cut off after its second intent."""
    ledger = ledger_at(root, key)
    with ledger.lock(plan_id="p"):
        run = ledger.begin(opening(), plan_bytes())
        run.record("run.start", {"commit": None})
        write_agent(run, AGENTS[0])
        run.record("agent.intent", {"agentId": AGENTS[1], "ifMatch": '"7"'})
    return root / FOLDER


def recover(root: Path, key: SigningKey) -> Head | None:
    """Settle and seal the run, whatever was settled before; None where it had not begun."""
    ledger = ledger_at(root, key)
    with ledger.lock(plan_id="p", unsealed=True):
        run = ledger.reopen(RUN)
        if run is None:
            return None
        return settle(run)


def settle(run: CutRun) -> Head:
    ended = {line["agentId"] for line in run.records if line["kind"] == "agent.outcome"}
    intents = {line["agentId"] for line in run.records if line["kind"] == "agent.intent"}
    counts = {"applied": len(ended & {AGENTS[0]}), "unknown": len(intents - {AGENTS[0]})}
    counts |= {"notAttempted": len(AGENTS) - sum(counts.values())}
    if not (run.records and run.records[-1]["kind"] == "run.end"):
        run.again({"how": "recover"})
        for agent in AGENTS:
            if agent not in ended:
                if agent in intents:
                    run.record("recovery.outcome", {"agentId": agent})
                outcome = "unknown" if agent in intents else "notAttempted"
                run.record("agent.outcome", {"agentId": agent, "outcome": outcome})
        run.record("run.end", {"exit": 11})
    return run.seal(replace(closing(**{k: n for k, n in counts.items() if n}), exit=Exit.UNKNOWN))


def sound(root: Path, key: SigningKey) -> bool:
    return ledger_at(root, key).verify().exit is Exit.OK


# --- what a kill leaves ---------------------------------------------------------------------


def test_complete_lines_stay_and_the_run_is_sealed_as_recovered(
    root: Path, cut: Path, key: SigningKey
) -> None:
    before = (cut / RECORDS).read_bytes()
    head = recover(root, key)
    bundle = root / f"000001-{RUN}"
    assert head is not None
    assert head.folder == bundle.name
    assert (bundle / RECORDS).read_bytes().startswith(before)
    assert statement_of(bundle / STATEMENT)["predicate"]["run"]["recovered"] is True
    assert sorted(path.name for path in bundle.iterdir()) == sorted(FILES)
    assert sound(root, key)
    carry_out(ledger_at(root, key), 2)
    assert sound(root, key)


TORN = {
    "half a line": b'{"agentId":"agent-0002","at":"2026-',
    "zeros, as a machine that lost its power leaves them": b"\0" * 700,
    "zeros that end in a newline": b"\0" * 700 + b"\n",
    "a line in another form": b'{"at": 1}\n',
    "a carriage return": b'{"agentId":"agent\r-0002',
}


@pytest.mark.parametrize("what", TORN)
def test_torn_last_line_is_cut_off_and_kept(
    what: str, root: Path, cut: Path, key: SigningKey
) -> None:
    before = (cut / RECORDS).read_bytes()
    (cut / RECORDS).write_bytes(before + TORN[what])
    recover(root, key)
    bundle = root / f"000001-{RUN}"
    assert (bundle / RECORDS).read_bytes().startswith(before)
    [start] = [line for line in records_of(bundle) if line["kind"] == "recovery.start"]
    assert base64.b64decode(start["torn"]["base64"]) == TORN[what]
    assert (start["torn"]["bytes"], start["torn"]["sha256"]) == (
        len(TORN[what]),
        sha256_hex(TORN[what]),
    )
    assert sound(root, key)


def test_of_a_torn_line_too_long_for_a_record_the_beginning_is_kept(
    root: Path, cut: Path, key: SigningKey
) -> None:
    torn = b"x" * 3_000_000
    with (cut / RECORDS).open("ab") as journal:
        journal.write(torn)
    recover(root, key)
    [start] = [
        line for line in records_of(root / f"000001-{RUN}") if line["kind"] == "recovery.start"
    ]
    assert base64.b64decode(start["torn"]["base64"]) == torn[: 1024 * 1024]
    assert start["torn"]["sha256"] == sha256_hex(torn)
    assert sound(root, key)


def test_leftovers_under_temporary_names_go(root: Path, cut: Path, key: SigningKey) -> None:
    for name in FILES:
        (cut / f"{name}.tmp").write_bytes(b"half")
    recover(root, key)
    assert sound(root, key)


def test_run_without_a_journal_is_sealed_with_nothing_attempted(
    root: Path, cut: Path, key: SigningKey
) -> None:
    (cut / RECORDS).unlink()
    head = recover(root, key)
    assert head is not None
    assert head.summary == {"notAttempted": 3}
    assert sound(root, key)


def test_run_that_had_not_signed_its_opening_is_removed(
    root: Path, cut: Path, key: SigningKey
) -> None:
    for left in ((OPEN, RECORDS), (RECORDS,), (PLAN, OPEN, RECORDS), (STATEMENT + ".tmp",)):
        ledger = ledger_at(root, key)
        cut.mkdir(exist_ok=True)
        (cut / OPEN).unlink(missing_ok=True)
        (cut / RECORDS).write_bytes(b"")
        for name in left:
            (cut / name).write_bytes(b"half an envelope" if name == OPEN else b"")
        with ledger.lock(plan_id="p", unsealed=True):
            assert ledger.reopen(RUN) is None
        assert not cut.exists()
    assert [head.sequence for head in [carry_out(ledger_at(root, key))]] == [1]


def test_statement_in_place_is_verified_and_only_the_name_is_given(
    root: Path, cut: Path, key: SigningKey
) -> None:
    first = recover(root, key)
    bundle = root / f"000001-{RUN}"
    data = (bundle / STATEMENT).read_bytes()
    bundle.rename(cut)
    assert recover(root, key) == first
    assert (bundle / STATEMENT).read_bytes() == data
    assert sound(root, key)


# --- what nobody may have put there ---------------------------------------------------------


def rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda cut: (cut / name).write_bytes(change((cut / name).read_bytes()))


def rechained(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def attack(cut: Path) -> None:
        lines = records_of(cut)
        change(lines)
        chain_again(cut, lines)

    return attack


def by_a_stranger(cut: Path) -> None:
    sign_again(cut / OPEN, ecdsa_key(), payload_of(cut / OPEN))


def link_to(name: str) -> Callable[[Path], None]:
    def attack(cut: Path) -> None:
        (cut / name).rename(cut.parent.parent / name)
        (cut / name).symlink_to(cut.parent.parent / name)

    return attack


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "another plan": (rewrite(PLAN, lambda data: data + b" "), "audit.digest"),
    "no plan": (lambda cut: (cut / PLAN).unlink(), "audit.missing"),
    "an edited last line": (
        rewrite(RECORDS, lambda data: data.replace(b'"prev":"', b'"prev":"0', 5)),
        "audit.chain",
    ),
    "a line that was dropped": (
        rewrite(RECORDS, lambda data: data[data.index(b"\n") + 1 :]),
        "audit.chain",
    ),
    "a torn line in the middle": (
        rewrite(RECORDS, lambda data: data.replace(b"\n", b"x\n", 1)),
        "audit.json",
    ),
    "a second outcome": (
        rechained(lambda lines: lines.append({**lines[2]})),
        "audit.pairs",
    ),
    "an intent without a start": (rechained(lambda lines: lines.pop(0)), "audit.order"),
    "opened by a stranger": (by_a_stranger, "audit.signer"),
    "records without an opening": (lambda cut: (cut / OPEN).unlink(), "audit.missing"),
    "a file of somebody": (lambda cut: (cut / "note.txt").touch(), "audit.unlisted"),
    "a link for the journal": (link_to(RECORDS), "path.symlink"),
    "a link for the opening": (link_to(OPEN), "path.symlink"),
    "a statement that is none": (
        lambda cut: (cut / STATEMENT).write_bytes(b"{}\n"),
        "audit.form",
    ),
    "something after the end": (
        rechained(lambda lines: lines.extend([{**lines[0], "kind": "run.end"}, {**lines[1]}])),
        "audit.order",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_run_leaves_is_refused_and_not_touched(
    what: str, root: Path, cut: Path, key: SigningKey
) -> None:
    attack, code = REFUSED[what]
    attack(cut)
    before = {path.name: path.read_bytes() for path in cut.iterdir()}
    with pytest.raises(EvidenceError) as error:
        recover(root, key)
    assert error.value.problem.code == code
    assert (error.value.problem.address or "").startswith(FOLDER)
    assert error.value.problem.hint
    assert {path.name: path.read_bytes() for path in cut.iterdir()} == before


def test_torn_line_after_the_end_is_refused(root: Path, cut: Path, key: SigningKey) -> None:
    rechained(lambda lines: lines.append({**lines[0], "kind": "run.end"}))(cut)
    with (cut / RECORDS).open("ab") as journal:
        journal.write(b"{")
    with pytest.raises(EvidenceError) as error:
        recover(root, key)
    assert error.value.problem.code == "audit.order"


def test_another_key_is_told_apart_from_tampering(root: Path, cut: Path) -> None:
    with pytest.raises(EvidenceError) as error:
        recover(root, ecdsa_key())
    assert error.value.problem.code == "audit.signer"
    assert "--signing-key" in (error.value.problem.hint or "")
    assert cut.exists()


def test_renamed_folder_is_refused(root: Path, cut: Path, key: SigningKey) -> None:
    cut.rename(root / f"000002-{RUN}.open")
    with pytest.raises(EvidenceError) as error:
        recover(root, key)
    assert error.value.problem.code == "audit.name"


def test_seal_that_hides_a_recovery_does_not_verify(root: Path, cut: Path, key: SigningKey) -> None:
    recover(root, key)
    bundle = root / cut.name.removesuffix(".open")
    seal_again(bundle, key, lambda said: said["predicate"]["run"].update(recovered=False))
    assert codes(ledger_at(root, key).verify()) == ["audit.recovered"]


LINES: dict[str, tuple[dict[str, Any], ...]] = {
    "a finding about nobody's intent": (
        {"kind": "recovery.start"},
        {"kind": "recovery.outcome", "agentId": AGENTS[2]},
    ),
    "a finding without a recovery": ({"kind": "recovery.outcome", "agentId": AGENTS[1]},),
    "a second start of the run": ({"kind": "recovery.start"}, {"kind": "run.start"}),
}


@pytest.mark.parametrize("what", LINES)
def test_rules_hold_for_the_lines_of_a_recovery(
    what: str, root: Path, cut: Path, key: SigningKey
) -> None:
    rechained(lambda lines: lines.extend({**lines[0], **line} for line in LINES[what]))(cut)
    with pytest.raises(EvidenceError) as error:
        recover(root, key)
    assert error.value.problem.code in {"audit.pairs", "audit.order"}


# --- naming it ------------------------------------------------------------------------------


def test_open_runs_are_listed_where_the_name_fits_none_or_several(
    root: Path, cut: Path, key: SigningKey
) -> None:
    other = f"000001-{uuid(2)}"
    (root / f"{other}.open").mkdir()
    ledger = ledger_at(root, key)
    assert ledger.cut_off() == (RUN, uuid(2))
    for name in ("0000", "ffff"):
        with ledger.lock(plan_id="p", unsealed=True), pytest.raises(InvalidError) as error:
            ledger.reopen(name)
        assert RUN in (error.value.problem.hint or "")
        assert uuid(2) in (error.value.problem.hint or "")
    assert cut.exists()


def test_sealed_run_is_not_opened_again(root: Path, key: SigningKey) -> None:
    ledger = ledger_at(root, key)
    carry_out(ledger)
    with ledger.lock(plan_id="p", unsealed=True), pytest.raises(InvalidError) as error:
        ledger.reopen(RUN)
    assert "sealed" in error.value.problem.summary
    assert ledger.cut_off() == ()
    assert ledger_at(root / "none", key).cut_off() == ()


def test_run_under_way_is_not_opened_by_another(root: Path, key: SigningKey) -> None:
    first, second = ledger_at(root, key), ledger_at(root, key)
    with first.lock(plan_id="p"):
        first.begin(opening(), plan_bytes())
        with pytest.raises(LockedError), second.lock(plan_id="p", unsealed=True):
            pass


def test_run_is_opened_again_under_the_lock_and_once(
    root: Path, cut: Path, key: SigningKey
) -> None:
    ledger = ledger_at(root, key)
    with pytest.raises(RuntimeError):
        ledger.reopen(RUN)
    with ledger.lock(plan_id="p", unsealed=True):
        assert ledger.reopen(RUN)
        with pytest.raises(RuntimeError):
            ledger.reopen(RUN)
    assert cut.exists()


# --- a disk that fails, a process that dies -------------------------------------------------


@pytest.mark.parametrize("torn", [b"", b'{"half'])
def test_full_disk_leaves_the_journal_as_it_was(
    torn: bytes, root: Path, cut: Path, key: SigningKey
) -> None:
    with (cut / RECORDS).open("ab") as journal:
        journal.write(torn)
    before = (cut / RECORDS).read_bytes()
    ledger: FileLedger = ledger_at(root, key)
    with ledger.lock(plan_id="p", unsealed=True):
        run = ledger.reopen(RUN)
        assert run is not None
        with files_end_at(len(before)), pytest.raises(EvidenceError) as error:
            run.again({})
        with pytest.raises(EvidenceError):
            run.record("agent.outcome", {"agentId": AGENTS[1], "outcome": "unknown"})
    assert error.value.problem.code == "audit.write"
    assert (cut / RECORDS).read_bytes() == before
    assert sorted(path.name for path in cut.iterdir()) == sorted({*FILES} - {STATEMENT})
    recover(root, key)
    assert sound(root, key)


def dies_at(root: Path, key: SigningKey, at: int) -> int:
    """Recover in a child that ends before its ``at``-th durable operation; return its code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            left = [at]
            for name in ("write", "fsync", "rename"):
                setattr(os, name, _dying(getattr(os, name), left))
            recover(root, key)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _dying(call: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def instead(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os._exit(KILLED)
        return call(*args, **kwargs)

    return instead


@pytest.mark.parametrize("torn", [b"", b'{"half'])
def test_recovery_killed_at_every_durable_operation_is_recovered(
    torn: bytes, root: Path, cut: Path, key: SigningKey
) -> None:
    whole = (cut / RECORDS).read_bytes()
    files = {path.name: path.read_bytes() for path in cut.iterdir()}
    bundle = root / f"000001-{RUN}"
    for at in range(1, 100):
        (cut / RECORDS).write_bytes(whole + torn)
        code = dies_at(root, key, at)
        if not bundle.exists():
            assert (cut / RECORDS).read_bytes().startswith(whole)
            recover(root, key)
        assert sound(root, key)
        lines = records_of(bundle)
        kept = [line["torn"] for line in lines if line["kind"] == "recovery.start"]
        assert [base64.b64decode(one["base64"]) for one in kept if one] == ([torn] if torn else [])
        if code == 0:
            break
        for path in bundle.iterdir():
            path.unlink()
        bundle.rename(cut)
        for name, data in files.items():
            (cut / name).write_bytes(data)
    else:
        pytest.fail("the recovery has no end")
    assert at > 15


# --- what a reviewer has --------------------------------------------------------------------


@pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {MISSING}")
def test_reviewers_lines_hold_for_a_recovered_bundle(
    root: Path, cut: Path, key: SigningKey, tmp_path: Path
) -> None:
    with (cut / RECORDS).open("ab") as journal:
        journal.write(signed_form({"torn": True})[:-1])
    recover(root, key)
    (tmp_path / "seal.pub.pem").write_bytes(pem_of(key.public))
    done = shell(UNPACK + ECDSA + FILES_HOLD, root / f"000001-{RUN}", tmp_path / "seal.pub.pem")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 3
    assert json.loads(payload_of(root / f"000001-{RUN}" / STATEMENT))["predicate"]["run"][
        "recovered"
    ]
