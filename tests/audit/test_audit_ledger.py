"""The ledger: one apply at a time, one line of runs, and keys only where they are needed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cxplan.audit.keys import SigningKey
from cxplan.audit.ledger import FileLedger
from cxplan.core.errors import (
    CxplanError,
    EvidenceError,
    Exit,
    InvalidError,
    LockedError,
    UnapprovedError,
)
from cxplan.ports import Ledger
from tests.audit.samples import (
    AGENTS,
    PLAN,
    STATEMENT,
    CountingIds,
    carry_out,
    closing,
    codes,
    ecdsa_key,
    ed25519_key,
    ledger_at,
    opening,
    plan_bytes,
    statement_of,
    uuid,
)


@pytest.fixture
def key() -> SigningKey:
    return ecdsa_key()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def ledger(root: Path, key: SigningKey) -> FileLedger:
    return ledger_at(root, key)


def as_port(ledger: FileLedger) -> Ledger:
    """The type checker holds the class to its port here."""
    return ledger


def never() -> SigningKey:
    raise AssertionError("nobody asked for the private key")


# --- one line of runs -----------------------------------------------------------------------------


def test_runs_follow_one_another_under_one_ledger_id(ledger: FileLedger, root: Path) -> None:
    heads = [carry_out(ledger, number) for number in (1, 2, 3)]

    assert [head.sequence for head in heads] == [1, 2, 3]
    assert len({head.ledger_id for head in heads}) == 1
    assert list(ledger.runs()) == heads
    third = statement_of(root / heads[2].folder / STATEMENT)["predicate"]["ledger"]
    assert third["previous"] == {"sha256": heads[1].sha256}
    report = ledger.verify()
    assert (report.exit, report.head, report.ledger_id) == (Exit.OK, heads[2], heads[0].ledger_id)


def test_another_writer_goes_on_with_the_ledger(root: Path, key: SigningKey) -> None:
    first = carry_out(ledger_at(root, key), 1)
    other = ed25519_key()
    second = carry_out(ledger_at(root, other, ids=CountingIds(500)), 2)
    assert second.ledger_id == first.ledger_id
    both = ledger_at(root, trusted=(key.public, other.public))
    report = both.verify()
    assert report.exit is Exit.OK
    assert [b.signer for b in report.bundles] == [key.public.fingerprint, other.public.fingerprint]


def test_plan_is_applied_once_a_sealed_run_holds_an_intent(ledger: FileLedger) -> None:
    assert ledger.applied(opening(1).plan_id) is None
    carry_out(ledger, 1)
    plan = plan_bytes(2, AGENTS[:1])
    with ledger.lock(plan_id="p"):
        run = ledger.begin(opening(2, plan), plan)
        run.record("run.start", {})
        run.record("agent.outcome", {"agentId": AGENTS[0], "outcome": "deferred"})
        run.seal(closing(deferred=1))

    assert ledger.applied(opening(1).plan_id) == uuid(1)
    assert ledger.applied(opening(2).plan_id) is None
    assert ledger.applied("never") is None


def test_another_tenants_run_does_not_go_in(ledger: FileLedger, root: Path) -> None:
    carry_out(ledger, 1)
    before = sorted(root.iterdir())
    with ledger.lock(plan_id="p"), pytest.raises(UnapprovedError) as caught:
        ledger.begin(replace(opening(2), tenant="other"), plan_bytes(2))
    assert caught.value.problem.code == "audit.tenant"
    assert sorted(root.iterdir()) == before


@pytest.mark.parametrize("damage", ["cut", "gone", "another's"])
def test_nothing_goes_on_after_a_bundle_that_cannot_be_read(
    damage: str, ledger: FileLedger, root: Path
) -> None:
    statements = [root / carry_out(ledger, number).folder / STATEMENT for number in (1, 2)]
    if damage == "cut":
        statements[1].write_bytes(statements[1].read_bytes()[:-100])
    elif damage == "gone":
        statements[1].unlink()
    else:
        statements[1].write_bytes(statements[0].read_bytes())

    for attempt in (
        lambda: ledger.applied("any"),
        lambda: list(ledger.runs()),
        lambda: carry_out(ledger, 3),
    ):
        with pytest.raises(EvidenceError) as error:
            attempt()
        assert "audit verify" in (error.value.problem.hint or "")
    assert len([path for path in root.iterdir() if path.is_dir()]) == 2


def test_run_begins_under_the_lock_and_once(ledger: FileLedger) -> None:
    with pytest.raises(RuntimeError):
        ledger.begin(opening(), plan_bytes())
    with ledger.lock(plan_id="p"):
        ledger.begin(opening(), plan_bytes())
        with pytest.raises(RuntimeError):
            ledger.begin(opening(2), plan_bytes(2))


def test_run_that_was_left_takes_nothing_once_the_lock_is_gone(ledger: FileLedger) -> None:
    with ledger.lock(plan_id="p"):
        run = ledger.begin(opening(), plan_bytes())
    with pytest.raises(EvidenceError):
        run.record("run.start", {})


# --- keys -----------------------------------------------------------------------------------------


def test_reading_needs_no_private_key(root: Path, key: SigningKey) -> None:
    carry_out(ledger_at(root, key))
    reader = as_port(ledger_at(root, trusted=(key.public,), signer=never))
    assert reader.verify().exit is Exit.OK
    assert len(list(reader.runs())) == 1
    assert reader.applied(opening().plan_id)
    with reader.lock(plan_id="p"):
        pass


def test_private_key_is_loaded_once(root: Path, key: SigningKey) -> None:
    loaded: list[int] = []

    def load() -> SigningKey:
        loaded.append(1)
        return key

    ledger = ledger_at(root, trusted=(key.public,), signer=load)
    ledger.prepare()
    carry_out(ledger)
    assert loaded == [1]


def test_no_signing_key_is_exit_9_and_says_how_to_make_one(root: Path) -> None:
    with pytest.raises(UnapprovedError) as error:
        ledger_at(root).prepare()
    assert "cxplan keys generate" in (error.value.problem.hint or "")
    assert not root.exists()


def test_no_key_to_verify_with_is_exit_9(root: Path, key: SigningKey) -> None:
    carry_out(ledger_at(root, key))
    with pytest.raises(UnapprovedError) as error:
        ledger_at(root, trusted=()).verify()
    assert error.value.problem.code == "key.missing"


def test_report_says_whose_keys_are_trusted(root: Path, key: SigningKey) -> None:
    carry_out(ledger_at(root, key))
    assert ledger_at(root, key).verify().trust == "this machine's own key only"
    given = ledger_at(root, trusted=(key.public, key.public)).verify()
    assert given.trust == f"the given keys: {key.public.fingerprint}"


def test_key_that_is_not_trusted_is_exit_12(root: Path, key: SigningKey) -> None:
    carry_out(ledger_at(root, key))
    report = ledger_at(root, trusted=(ecdsa_key().public,)).verify()
    assert (report.exit, codes(report)) == (Exit.AUDIT, ["audit.signer"])
    assert report.head is None


# --- the lock -------------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from tests.audit.samples import ledger_at
with ledger_at(Path(sys.argv[1])).lock(plan_id="plan-17"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_process_is_told_who_holds_the_ledger(root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError) as error, ledger_at(root).lock(plan_id="p"):
            pass
        holder.kill()

    assert error.value.exit_code is Exit.LOCKED
    assert str(error.value) == (
        "Another run holds the ledger: pat on build-7, since 2026-11-22T12:00:00Z, on plan plan-17."
    )
    with ledger_at(root).lock(plan_id="p"):
        pass


def test_lock_is_free_after_the_block_even_when_it_fails(ledger: FileLedger, root: Path) -> None:
    with pytest.raises(ZeroDivisionError), ledger.lock(plan_id="p"):
        raise ZeroDivisionError
    with ledger.lock(plan_id="p"):
        assert b'"planId":"p"' in (root / ".lock").read_bytes()
    assert (root / ".lock").read_bytes() == b""


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"owner":1}', b"\xff" * 9000])
def test_second_is_told_whatever_stands_in_the_note(
    note: bytes, ledger: FileLedger, root: Path
) -> None:
    with ledger.lock(plan_id="p"):
        (root / ".lock").write_bytes(note)
        with pytest.raises(LockedError), ledger_at(root).lock(plan_id="p"):
            pass


def test_hostile_note_is_shown_escaped(ledger: FileLedger, root: Path) -> None:
    with ledger.lock(plan_id="p"):
        (root / ".lock").write_text('{"owner":"\\u001b[2J","planId":"x","since":"y"}')
        with pytest.raises(LockedError) as error, ledger_at(root).lock(plan_id="p"):
            pass
    assert "\\u{001B}[2J" in str(error.value)
    assert str(error.value).isprintable()


def test_ledger_folder_is_made_for_its_first_run(ledger: FileLedger, root: Path) -> None:
    assert not root.exists()
    assert list(ledger.runs()) == []
    assert not root.exists()
    assert carry_out(ledger).sequence == 1


def parent_missing(root: Path) -> Path:
    return root / "nowhere" / "audit"


def is_a_file(root: Path) -> Path:
    root.write_bytes(b"")
    return root


def lock_is_a_link(root: Path) -> Path:
    root.mkdir()
    (root / ".lock").symlink_to("elsewhere")
    return root


def lock_is_a_folder(root: Path) -> Path:
    (root / ".lock").mkdir(parents=True)
    return root


@pytest.mark.parametrize("make", [parent_missing, is_a_file, lock_is_a_link, lock_is_a_folder])
def test_folder_that_cannot_be_used_is_exit_12(make: object, root: Path) -> None:
    assert callable(make)
    with pytest.raises(EvidenceError) as error, ledger_at(make(root)).lock(plan_id="p"):
        pass
    assert error.value.problem.code == "audit.folder"
    assert "--audit" in (error.value.problem.hint or "")


def test_unsealed_run_stops_the_next_one(ledger: FileLedger, root: Path) -> None:
    with ledger.lock(plan_id="p"):
        ledger.begin(opening(), plan_bytes()).record("run.start", {})

    with pytest.raises(EvidenceError) as error, ledger.lock(plan_id="p"):
        pass

    assert (error.value.exit_code, error.value.problem.code) == (Exit.AUDIT, "audit.unsealed")
    assert uuid(1) in str(error.value)
    assert error.value.problem.address == f"000001-{uuid(1)}.open"
    assert f"cxplan apply --resume {uuid(1)}" in (error.value.problem.hint or "")
    assert f"cxplan recover {uuid(1)}" in (error.value.problem.hint or "")
    assert (root / f"000001-{uuid(1)}.open" / PLAN).exists()


# --- naming runs ----------------------------------------------------------------------------------


@pytest.fixture
def three(ledger: FileLedger) -> FileLedger:
    for number in (1, 2, 3):
        carry_out(ledger, number)
    return ledger


@pytest.mark.parametrize("name", [uuid(2), f"000002-{uuid(2)}", f"audit/000002-{uuid(2)}/"])
def test_run_is_found_by_its_names(name: str, three: FileLedger) -> None:
    report = three.verify([name])
    assert [bundle.sequence for bundle in report.bundles] == [2]
    assert report.exit is Exit.OK


def test_run_is_found_by_a_unique_beginning(three: FileLedger) -> None:
    plan = plan_bytes(4, AGENTS[:1])
    with three.lock(plan_id="p"):
        said = replace(opening(4, plan), run_id="fe" + uuid(4)[2:])
        run = three.begin(said, plan)
        run.record("run.start", {})
        run.record("agent.outcome", {"agentId": AGENTS[0], "outcome": "deferred"})
        run.seal(closing(deferred=1))
    assert [bundle.sequence for bundle in three.verify(["fe"]).bundles] == [4]


@pytest.mark.parametrize("name", ["", "ffff", "0000", uuid(9), "../audit", "\x1b[2J"])
def test_name_that_fits_none_or_several_is_exit_3(name: str, three: FileLedger) -> None:
    with pytest.raises(InvalidError) as error:
        three.verify([name])
    assert error.value.problem.code == "usage.run"
    assert str(error.value).isprintable()


def test_named_runs_are_checked_alone(three: FileLedger, root: Path) -> None:
    (root / f"000001-{uuid(1)}" / PLAN).unlink()
    assert three.verify([uuid(2), uuid(3), uuid(3)]).exit is Exit.OK
    assert codes(three.verify([uuid(1)])) == ["audit.missing"]


def test_named_run_is_checked_with_the_head_of_the_ledger(three: FileLedger) -> None:
    [*_, head] = three.runs()
    assert three.verify([uuid(1)], expect_head=f"3:{head.sha256}").exit is Exit.OK
    assert codes(three.verify([uuid(1)], expect_head=f"2:{head.sha256}")) == ["audit.head"]


def test_unsealed_run_can_be_named(three: FileLedger) -> None:
    with three.lock(plan_id="p"):
        three.begin(opening(4), plan_bytes(4))
    report = three.verify([f"000004-{uuid(4)}.open"])
    assert codes(report) == ["audit.unsealed"]


@pytest.mark.parametrize("text", ["", "3", "3:abc", "x:" + "0" * 64, "3:" + "g" * 64])
def test_what_is_no_head_is_exit_3(text: str, three: FileLedger) -> None:
    with pytest.raises(InvalidError) as error:
        three.verify(expect_head=text)
    assert error.value.problem.code == "usage.head"


def test_ledger_that_is_not_there_is_exit_12(root: Path, key: SigningKey) -> None:
    with pytest.raises(CxplanError) as error:
        ledger_at(root, key).verify()
    assert (error.value.exit_code, error.value.problem.code) == (Exit.AUDIT, "audit.missing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_exit_12(root: Path, key: SigningKey) -> None:
    root.mkdir(mode=0o500)
    with pytest.raises(EvidenceError) as error:
        carry_out(ledger_at(root, key))
    assert error.value.problem.code == "audit.folder"
