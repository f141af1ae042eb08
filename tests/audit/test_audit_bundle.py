"""A run's folder: what stands in it when, and what is left when the disk or the process fails."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import Signature, Signer  # type: ignore[attr-defined]  # re-exports

from cxplan.audit.keys import SigningKey
from cxplan.audit.ledger import FileLedger
from cxplan.core.canonical import sha256_hex
from cxplan.core.errors import CxplanError, EvidenceError, Exit, UnapprovedError
from cxplan.ports import Run
from tests.audit.samples import (
    AGENTS,
    FILES,
    OPEN,
    PLAN,
    RECORDS,
    STATEMENT,
    carry_out,
    closing,
    codes,
    ecdsa_key,
    files_end_at,
    ledger_at,
    opening,
    payload_of,
    plan_bytes,
    records_of,
    statement_of,
    uuid,
    write_agent,
)

OPEN_FOLDER = f"000001-{uuid(1)}.open"


@pytest.fixture
def key() -> SigningKey:
    return ecdsa_key()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def ledger(root: Path, key: SigningKey) -> FileLedger:
    return ledger_at(root, key)


@pytest.fixture
def run(ledger: FileLedger) -> Iterator[Run]:
    """A run that has begun and written its first agent."""
    plan = plan_bytes(1, AGENTS[:2])
    with ledger.lock(plan_id="p"):
        run = ledger.begin(opening(1, plan), plan)
        run.record("run.start", {})
        write_agent(run, AGENTS[0])
        yield run


def finish(run: Run) -> None:
    write_agent(run, AGENTS[1])
    run.seal(closing(applied=2))


def test_everything_stands_on_disk_before_the_first_record(
    root: Path, ledger: FileLedger, key: SigningKey
) -> None:
    plan = plan_bytes(1)
    with ledger.lock(plan_id="p"):
        run = ledger.begin(opening(), plan)
        folder = root / OPEN_FOLDER
        assert sorted(path.name for path in folder.iterdir()) == [OPEN, PLAN, RECORDS]
        assert (folder / PLAN).read_bytes() == plan
        assert (folder / RECORDS).read_bytes() == b""
        assert run.id == uuid(1)
    said = statement_of(folder / OPEN)
    assert said["predicateType"] == "https://cxplan.dev/attestations/apply-open/v1"
    assert said["subject"] == [{"name": PLAN, "digest": {"sha256": sha256_hex(plan)}}]
    assert key.public.fingerprint in (folder / OPEN).read_text()


def test_seal_says_what_the_document_says(root: Path, ledger: FileLedger) -> None:
    head = carry_out(ledger)
    bundle = root / head.folder
    said = statement_of(bundle / STATEMENT)

    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://cxplan.dev/attestations/apply/v1"
    assert {one["name"]: one["digest"]["sha256"] for one in said["subject"]} == {
        name: sha256_hex((bundle / name).read_bytes()) for name in (RECORDS, PLAN, OPEN)
    }
    assert said["predicate"] == {
        "ledger": {"id": head.ledger_id, "sequence": 1, "previous": None},
        "run": {
            "id": uuid(1),
            "openedAt": "2026-11-22T12:01:00.000Z",
            "sealedAt": "2026-11-22T13:00:00.000Z",
            "exit": {"code": 0, "word": "ok"},
            "recovered": False,
        },
        "actor": {"kind": "ci", "id": "octocat", "ci": {"GITHUB_RUN_ID": "17"}},
        "tool": {"name": "cxplan", "version": "1.0.0"},
        "target": {
            "tenant": "acme-demo",
            "baseUrl": "https://api.example",
            "apiVersion": "availability-v2",
        },
        "plan": {
            "id": uuid(0xA001),
            "createdAt": "2026-11-22T11:00:00Z",
            "expiresAt": "2026-11-23T11:00:00Z",
            "semanticDigest": f"sha256:{1:064x}",
        },
        "records": {
            "count": 7,
            "intents": 2,
            "outcomes": 3,
            "last": {"sha256": sha256_hex((bundle / RECORDS).read_bytes().splitlines()[-1])},
        },
        "summary": {"applied": 2, "alreadyThere": 1},
    }
    assert payload_of(bundle / STATEMENT).isascii()
    assert head.sha256 == sha256_hex(payload_of(bundle / STATEMENT))
    assert str(head) == f"{head.ledger_id} 1 sha256:{head.sha256}"
    assert sorted(path.name for path in bundle.iterdir()) == sorted(FILES)


def test_run_end_is_written_where_it_is_missing(run: Run, root: Path) -> None:
    finish(run)
    end = records_of(root / OPEN_FOLDER.removesuffix(".open"))[-1]
    assert end["kind"] == "run.end"
    assert end["exit"] == {"code": 0, "word": "ok"}
    assert end["summary"] == {"applied": 2}


def test_run_end_of_the_caller_is_kept(run: Run, root: Path, ledger: FileLedger) -> None:
    write_agent(run, AGENTS[1])
    run.record("run.end", {"undelivered": 1})
    run.seal(closing(applied=2))
    ends = [r for r in records_of(root / OPEN_FOLDER[:-5]) if r["kind"] == "run.end"]
    assert [end["undelivered"] for end in ends] == [1]
    assert ledger.verify().exit is Exit.OK


def test_second_try_with_a_fresh_tag_shares_the_outcome(run: Run, ledger: FileLedger) -> None:
    for tag in ('"7"', '"8"'):
        run.record("agent.intent", {"agentId": AGENTS[1], "ifMatch": tag})
        run.record("agent.attempt", {"agentId": AGENTS[1], "status": 412})
    run.record("agent.outcome", {"agentId": AGENTS[1], "outcome": "conflict"})
    run.seal(closing(applied=1, conflict=1, unknown=0))
    assert ledger.verify().exit is Exit.OK


def test_nobody_else_may_read_whatever_the_umask(root: Path, ledger: FileLedger) -> None:
    before = os.umask(0)
    try:
        carry_out(ledger)
    finally:
        os.umask(before)
    for path in (root, *root.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


# --- what is refused before anything is written ---------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "code", "word"),
    [
        (plan_bytes(2), Exit.AUDIT, "audit.plan"),
        (b"{}", Exit.AUDIT, "audit.plan"),
        (b"{", Exit.AUDIT, "audit.plan"),
        (plan_bytes(1, ["a", "a"]), Exit.AUDIT, "audit.plan"),
    ],
    ids=["another plan", "no plan", "no JSON", "an agent twice"],
)
def test_plan_that_could_not_be_verified_is_refused(
    plan: bytes, code: Exit, word: str, ledger: FileLedger, root: Path
) -> None:
    with ledger.lock(plan_id="p"), pytest.raises(CxplanError) as error:
        ledger.begin(opening(1), plan)
    assert (error.value.exit_code, error.value.problem.code) == (code, word)
    assert [path.name for path in root.iterdir()] == [".lock"]


def test_plan_that_expired_meanwhile_is_refused(ledger: FileLedger, root: Path) -> None:
    plan = plan_bytes(1, expiresAt="2026-11-22T12:00:30Z")
    with ledger.lock(plan_id="p"), pytest.raises(UnapprovedError) as error:
        ledger.begin(opening(1, plan), plan)
    assert error.value.problem.code == "plan.expired"
    assert [path.name for path in root.iterdir()] == [".lock"]


def test_disk_without_room_leaves_nothing_of_a_run(ledger: FileLedger, root: Path) -> None:
    with ledger.lock(plan_id="p"):
        with files_end_at(100), pytest.raises(EvidenceError) as error:
            ledger.begin(opening(), plan_bytes())
        assert error.value.problem.code == "audit.write"
        assert [path.name for path in root.iterdir()] == [".lock"]
    assert carry_out(ledger).sequence == 1


# --- while it runs --------------------------------------------------------------------------------


def test_no_room_for_the_intent_and_nothing_after_it(
    run: Run, root: Path, ledger: FileLedger
) -> None:
    whole = (root / OPEN_FOLDER / RECORDS).read_bytes()
    with files_end_at(len(whole)), pytest.raises(EvidenceError) as error:
        run.record("agent.intent", {"agentId": AGENTS[1]})
    assert error.value.exit_code is Exit.AUDIT

    for attempt in (
        lambda: run.record("agent.outcome", {"agentId": AGENTS[1], "outcome": "failed"}),
        lambda: run.seal(closing(applied=1, failed=1)),
    ):
        with pytest.raises(EvidenceError):
            attempt()

    assert (root / OPEN_FOLDER / RECORDS).read_bytes() == whole
    assert not (root / OPEN_FOLDER / STATEMENT).exists()
    assert codes(ledger.verify()) == ["audit.unsealed"]


UNSOUND: dict[str, Callable[[Run], object]] = {
    "an intent without its outcome": lambda run: run.record("agent.intent", {"agentId": AGENTS[1]}),
    "an agent without an outcome": lambda _: None,
    "an agent that is not in the plan": lambda run: write_agent(run, AGENTS[2]),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_unsound_run_is_not_sealed(what: str, run: Run, root: Path) -> None:
    UNSOUND[what](run)
    with pytest.raises(EvidenceError) as error:
        run.seal(closing(applied=2))
    assert error.value.problem.code == "audit.seal"
    assert sorted(path.name for path in (root / OPEN_FOLDER).iterdir()) == [OPEN, PLAN, RECORDS]


def test_summary_that_lies_is_not_sealed(run: Run, root: Path) -> None:
    write_agent(run, AGENTS[1], "rejected")
    with pytest.raises(EvidenceError):
        run.seal(closing(applied=2))
    run.seal(closing(applied=1, rejected=1))
    assert (root / OPEN_FOLDER.removesuffix(".open") / STATEMENT).exists()


# --- at the seal ----------------------------------------------------------------------------------


def test_disk_that_fails_at_the_seal_keeps_the_journal_and_no_statement(
    run: Run, root: Path, ledger: FileLedger
) -> None:
    write_agent(run, AGENTS[1])
    run.record("run.end", {})
    journal = (root / OPEN_FOLDER / RECORDS).read_bytes()

    with files_end_at(100), pytest.raises(EvidenceError) as error:
        run.seal(closing(applied=2))

    assert error.value.problem.code == "audit.seal"
    assert f"cxplan recover {uuid(1)}" in (error.value.problem.hint or "")
    assert sorted(path.name for path in (root / OPEN_FOLDER).iterdir()) == [OPEN, PLAN, RECORDS]
    assert (root / OPEN_FOLDER / RECORDS).read_bytes() == journal
    run.seal(closing(applied=2))
    assert ledger.verify().exit is Exit.OK


def test_folder_that_cannot_get_its_name_keeps_no_statement(run: Run, root: Path) -> None:
    taken = root / OPEN_FOLDER.removesuffix(".open")
    taken.mkdir()
    (taken / "something").touch()
    with pytest.raises(EvidenceError):
        finish(run)
    assert sorted(path.name for path in (root / OPEN_FOLDER).iterdir()) == [OPEN, PLAN, RECORDS]


class FailingSigner(Signer):
    """Signs as long as it may, as a key service that goes away would."""

    def __init__(self, key: SigningKey, times: int) -> None:
        self._key = key
        self._left = times

    @property
    def public_key(self) -> Any:
        return self._key.public.key

    @classmethod
    def from_priv_key_uri(cls, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        self._left -= 1
        if self._left < 0:
            raise OSError("the key service is gone")
        return self._key.signer.sign(payload)


def test_signer_that_fails_at_the_seal_keeps_the_journal(root: Path, key: SigningKey) -> None:
    going = SigningKey(FailingSigner(key, 1), key.public)
    with pytest.raises(EvidenceError) as error:
        carry_out(ledger_at(root, going))
    assert error.value.problem.code == "audit.seal"
    assert records_of(root / OPEN_FOLDER)[-1]["kind"] == "run.end"
    assert not (root / OPEN_FOLDER / STATEMENT).exists()


def test_signer_that_signs_with_another_key_is_told(root: Path, key: SigningKey) -> None:
    mixed = SigningKey(ecdsa_key().signer, key.public)
    with pytest.raises(UnapprovedError) as error:
        ledger_at(root, mixed).prepare()
    assert error.value.problem.code == "key.sign"


def test_sealed_run_takes_nothing_more(run: Run, ledger: FileLedger) -> None:
    finish(run)
    with pytest.raises(EvidenceError):
        run.record("run.note", {})
    with pytest.raises(EvidenceError):
        run.seal(closing(applied=2))
    assert ledger.verify().exit is Exit.OK


def test_hostile_text_cannot_forge_a_record(run: Run, root: Path, ledger: FileLedger) -> None:
    forged = '{"a":1}\n{"i":9,"kind":"agent.outcome"}\u2028\x1b[2J'
    run.record("agent.attempt", {"agentId": AGENTS[1], "detail": forged})
    finish(run)
    lines = (root / OPEN_FOLDER.removesuffix(".open") / RECORDS).read_bytes()
    assert lines.isascii()
    assert b"\x1b" not in lines
    assert [json.loads(line)["i"] for line in lines.splitlines()] == [1, 2, 3, 4, 5, 6, 7]
    assert ledger.verify().exit is Exit.OK
