"""Every way of tampering with a bundle that evidence has to tell, and the code that tells it."""

from __future__ import annotations

import os
import shutil

import pytest

from cxplan.core.errors import Exit
from cxplan.core.evidence import Completeness
from tests.audit.samples import (
    FILES,
    OPEN,
    PLAN,
    RECORDS,
    STATEMENT,
    chain_again,
    codes,
    records_of,
    seal_again,
    sign_again,
    statement_of,
    uuid,
)
from tests.audit.scene import (
    Attack,
    Scene,
    add,
    append_line,
    claim_key,
    edit_line,
    edit_payload,
    edited_without_chain,
    folder,
    from_next_bundle,
    open_by_stranger,
    opened,
    payload,
    predicate,
    records,
    remove,
    replace,
    replanned,
    rewrite,
    signed_by_stranger,
    sparse,
    statement,
    subject,
    swap_lines,
    wrong_type,
)


def test_untouched_ledger_verifies(scene: Scene) -> None:
    report = scene.verify()
    assert report.exit is Exit.OK
    assert codes(report) == []
    assert [bundle.records for bundle in report.bundles] == [7, 7, 7]
    assert {bundle.signer for bundle in report.bundles} == {scene.key.public.fingerprint}
    assert report.completeness is Completeness.NOT_CHECKED


# What is done, the code that tells it, and the place inside the bundle.

GIB = 1024**3
BRACKETS = b"[" * 100_000

BUNDLE_ATTACKS: dict[str, tuple[Attack, str, str]] = {
    # records, by somebody without the key
    "edit a record": (
        edit_line(3, lambda line: line.replace(b'"applied"', b'"unknown"')),
        "audit.chain",
        "records.jsonl:4",
    ),
    "edit the last record": (
        edit_line(7, lambda line: line.replace(b'"code":0', b'"code":5')),
        "audit.chain",
        "records.jsonl:7",
    ),
    "drop a record": (edit_line(3, lambda _: b""), "audit.chain", "records.jsonl:3"),
    "drop the last record": (edit_line(7, lambda _: b""), "audit.chain", "records.jsonl:6"),
    "drop all records": (rewrite(RECORDS, lambda _: b""), "audit.chain", "records.jsonl:0"),
    "truncate a record": (
        rewrite(RECORDS, lambda data: data[:-40]),
        "audit.form",
        "records.jsonl:7",
    ),
    "lose the last newline": (
        rewrite(RECORDS, lambda data: data[:-1]),
        "audit.form",
        "records.jsonl:7",
    ),
    "reorder records": (swap_lines(3, 4), "audit.chain", "records.jsonl:3"),
    "append a record after the end": (append_line, "audit.digest", "records.jsonl:8"),
    "append a line of garbage": (
        rewrite(RECORDS, lambda data: data + b"x\n"),
        "audit.digest",
        "records.jsonl:8",
    ),
    "whitespace in a record": (
        edit_line(2, lambda line: line.replace(b",", b", ", 1)),
        "audit.form",
        "records.jsonl:2",
    ),
    "a duplicate member in a record": (
        edit_line(2, lambda line: line.replace(b'{"', b'{"i":2,"', 1)),
        "audit.json",
        "records.jsonl:2",
    ),
    "brackets as a record": (
        edit_line(2, lambda _: BRACKETS + b"\n"),
        "audit.json",
        "records.jsonl:2",
    ),
    "NaN in a record": (
        edit_line(2, lambda line: line.replace(b'"i":2', b'"i":NaN')),
        "audit.json",
        "records.jsonl:2",
    ),
    "a fraction in a record": (
        edit_line(2, lambda line: line.replace(b'"i":2', b'"i":2.0')),
        "audit.form",
        "records.jsonl:2",
    ),
    "a lone surrogate in a record": (
        edit_line(2, lambda line: line.replace(b"agent-0001", b"agent-\\ud800")),
        "audit.json",
        "records.jsonl:2",
    ),
    "a record that is no object": (
        edit_line(2, lambda _: b"[]\n"),
        "audit.record",
        "records.jsonl:2",
    ),
    "an endless line": (
        rewrite(RECORDS, lambda _: b'"' + b"x" * (3 * 1024 * 1024)),
        "audit.too_large",
        "records.jsonl:1",
    ),
    # files
    "whitespace in plan.json": (
        rewrite(PLAN, lambda data: data.replace(b",", b", ", 1)),
        "audit.digest",
        PLAN,
    ),
    "an unlisted file": (add("notes.txt"), "audit.unlisted", "notes.txt"),
    "approvals of a later version": (
        add("approvals.dsse.json"),
        "audit.unlisted",
        "approvals.dsse.json",
    ),
    "a hidden file": (add(".hidden"), "audit.unlisted", ".hidden"),
    "a file with a hostile name": (
        add("\x1b[2J\n::error::"),
        "audit.unlisted",
        "\\u{001B}[2J\\u{000A}::error::",
    ),
    "a folder": (lambda bundle, _: (bundle / "x").mkdir(), "audit.unlisted", "x"),
    "plan of another bundle": (from_next_bundle(PLAN), "audit.digest", PLAN),
    "open of another bundle": (from_next_bundle(OPEN), "audit.digest", OPEN),
    "records of another bundle": (from_next_bundle(RECORDS), "audit.chain", "records.jsonl:1"),
    "statement of another bundle": (from_next_bundle(STATEMENT), "audit.name", STATEMENT),
    "open in the statement's place": (
        lambda bundle, _: shutil.copy(bundle / OPEN, bundle / STATEMENT),
        "audit.type",
        STATEMENT,
    ),
    "a symlink for a file": (
        replace(RECORDS, lambda path: path.symlink_to(f"../{folder(3)}/{RECORDS}")),
        "path.symlink",
        RECORDS,
    ),
    "a dangling symlink": (
        replace(PLAN, lambda path: path.symlink_to("nowhere")),
        "path.symlink",
        PLAN,
    ),
    "a symlink to a device": (
        replace(PLAN, lambda path: path.symlink_to("/dev/zero")),
        "path.symlink",
        PLAN,
    ),
    "a FIFO": (replace(RECORDS, os.mkfifo), "path.type", RECORDS),
    "a folder for a file": (replace(STATEMENT, os.mkdir), "path.type", STATEMENT),
    "10 GiB of sparse records": (replace(RECORDS, sparse(10 * GIB)), "audit.too_large", RECORDS),
    "1 GiB of plan": (replace(PLAN, sparse(GIB)), "audit.too_large", PLAN),
    "a 5 MiB envelope": (replace(STATEMENT, sparse(5 * 1024**2)), "audit.too_large", STATEMENT),
    "a 5 MiB opening": (replace(OPEN, sparse(5 * 1024**2)), "audit.too_large", OPEN),
    # the envelope
    "edited payload": (edit_payload, "audit.signature", STATEMENT),
    "signed by a stranger": (signed_by_stranger(claim=False), "audit.signer", STATEMENT),
    "a trusted key id claimed": (signed_by_stranger(claim=True), "audit.signature", STATEMENT),
    "another key id claimed": (
        lambda bundle, scene: claim_key(bundle / STATEMENT, scene.stranger.public.fingerprint),
        "audit.keyid",
        STATEMENT,
    ),
    "open signed by a stranger": (open_by_stranger, "audit.signer", OPEN),
    "a duplicate member in the envelope": (
        rewrite(STATEMENT, lambda data: data.replace(b"{", b'{"payload":"",', 1)),
        "audit.json",
        STATEMENT,
    ),
    "a case variant in the envelope": (
        rewrite(STATEMENT, lambda data: data.replace(b"{", b'{"Payload":"",', 1)),
        "audit.form",
        STATEMENT,
    ),
    "two signatures": (
        rewrite(STATEMENT, lambda data: data.replace(b"[{", b'[{"keyid":"","sig":""},{')),
        "audit.form",
        STATEMENT,
    ),
    "whitespace in the envelope": (
        rewrite(STATEMENT, lambda data: data.replace(b",", b", ", 1)),
        "audit.form",
        STATEMENT,
    ),
    "URL-safe base64": (
        rewrite(STATEMENT, lambda data: data.replace(b"==", b"--")),
        "audit.form",
        STATEMENT,
    ),
    "brackets for an envelope": (rewrite(STATEMENT, lambda _: BRACKETS), "audit.json", STATEMENT),
    "an empty envelope": (rewrite(STATEMENT, lambda _: b""), "audit.json", STATEMENT),
    "not UTF-8": (rewrite(STATEMENT, lambda data: b"\xff" + data), "audit.json", STATEMENT),
    "another payload type": (wrong_type, "audit.type", STATEMENT),
    # what the holder of a trusted key may not sign either
    "another statement type": (
        statement(lambda said: said.update(_type="https://in-toto.io/Statement/v0.1")),
        "audit.type",
        STATEMENT,
    ),
    "another predicate type": (
        statement(lambda said: said.update(predicateType="https://slsa.dev/provenance/v1")),
        "audit.type",
        STATEMENT,
    ),
    "a duplicate member in the statement": (
        payload(lambda body: body.replace(b'"tool":', b'"tool":{},"tool":')),
        "audit.json",
        STATEMENT,
    ),
    "a case variant in the statement": (
        statement(lambda said: said.update(Predicate=said["predicate"])),
        "audit.statement",
        STATEMENT,
    ),
    "whitespace in the statement": (
        payload(lambda body: body.replace(b",", b", ", 1)),
        "audit.form",
        STATEMENT,
    ),
    "a fraction in the statement": (
        payload(lambda body: body.replace(b'"sequence":2', b'"sequence":2.0')),
        "audit.form",
        STATEMENT,
    ),
    "a statement that is a list": (payload(lambda _: b"[]"), "audit.type", STATEMENT),
    "an unknown member": (predicate(note="x"), "audit.statement", STATEMENT),
    "a missing member": (
        statement(lambda said: said["predicate"].pop("actor")),
        "audit.statement",
        STATEMENT,
    ),
    "a sequence as text": (
        statement(lambda said: said["predicate"]["ledger"].update(sequence="2")),
        "audit.statement",
        STATEMENT,
    ),
    "a subject outside": (subject(0, name="../../x"), "path.escape", STATEMENT),
    "a subject with a backslash": (subject(0, name="..\\x"), "path.escape", STATEMENT),
    "a subject called ..": (subject(0, name=".."), "path.escape", STATEMENT),
    "a subject that is not there": (subject(0, name="more.json"), "audit.unlisted", "more.json"),
    "a subject twice": (subject(0, name=PLAN), "audit.unlisted", PLAN),
    "a file that is not signed for": (
        statement(lambda said: said["subject"].pop(0)),
        "audit.unlisted",
        RECORDS,
    ),
    "records edited, chain not rebuilt": (edited_without_chain, "audit.chain", "records.jsonl:4"),
    "another actor than at opening": (
        opened(lambda said: said["predicate"]["actor"].update(id="somebody-else")),
        "audit.open",
        OPEN,
    ),
    "an opening about another plan": (
        opened(lambda said: said["subject"][0].update(digest={"sha256": "0" * 64})),
        "audit.open",
        OPEN,
    ),
    "another plan": (replanned(planId=uuid(0xBBBB)), "audit.plan", PLAN),
    "a plan with another end": (
        replanned(expiresAt="2027-11-23T11:00:00Z"),
        "audit.plan",
        PLAN,
    ),
    "a snapshot for a plan": (replanned(kind="cxplan/snapshot"), "audit.plan", PLAN),
    "an agent twice in the plan": (
        replanned(agents=["agent-0001", "agent-0001"]),
        "audit.plan",
        PLAN,
    ),
    "an agent that is not in the plan": (
        replanned(agents=["agent-0001", "agent-0002"]),
        "audit.agents",
        RECORDS,
    ),
    "an agent without an outcome": (
        records(lambda lines: lines.pop(5)),
        "audit.agents",
        RECORDS,
    ),
    "an intent without an outcome": (records(lambda lines: lines.pop(2)), "audit.pairs", RECORDS),
    "an outcome before its intent": (
        records(lambda lines: lines.insert(1, lines.pop(2))),
        "audit.pairs",
        "records.jsonl:3",
    ),
    "two outcomes of one agent": (
        records(lambda lines: lines.insert(3, lines[2])),
        "audit.pairs",
        "records.jsonl:4",
    ),
    "no start": (records(lambda lines: lines.pop(0)), "audit.order", "records.jsonl:1"),
    "no end": (records(lambda lines: lines.pop()), "audit.order", "records.jsonl:6"),
    "something after the end": (
        records(lambda lines: lines.append(lines[1])),
        "audit.order",
        "records.jsonl:8",
    ),
    "a record without its time": (
        records(lambda lines: lines[1].pop("at")),
        "audit.record",
        "records.jsonl:2",
    ),
    "a record without its agent": (
        records(lambda lines: lines[1].pop("agentId")),
        "audit.record",
        "records.jsonl:2",
    ),
    "a summary that lies": (predicate(summary={"applied": 3}), "audit.counts", RECORDS),
    "counts that lie": (
        statement(lambda said: said["predicate"]["records"].update(intents=1)),
        "audit.counts",
        RECORDS,
    ),
} | {f"missing {name}": (remove(name), "audit.missing", name) for name in FILES}


@pytest.mark.parametrize("what", BUNDLE_ATTACKS)
def test_attack_on_a_bundle_is_told(what: str, scene: Scene) -> None:
    attack, code, place = BUNDLE_ATTACKS[what]
    attack(scene.bundle(2), scene)

    report = scene.verify()

    assert report.exit is Exit.AUDIT
    assert [b.folder for b in report.bundles if b.failures] == [folder(2)]
    [failure] = report.bundles[1].failures
    assert (failure.code, failure.place) == (code, f"{folder(2)}/{place}")
    assert failure.summary.isprintable()
    assert failure.summary.isascii()


def test_plan_expired_before_the_run_began_is_told(scene: Scene) -> None:
    bundle = scene.bundle(2)
    late = {"openedAt": "2026-11-24T00:00:00.000Z"}
    changed = statement_of(bundle / OPEN)
    changed["predicate"]["run"].update(late)
    sign_again(bundle / OPEN, scene.key, changed)
    chain_again(bundle, records_of(bundle))
    seal_again(bundle, scene.key, lambda said: said["predicate"]["run"].update(late))

    [failure] = scene.verify().bundles[1].failures

    assert (failure.code, failure.place) == ("audit.expired", f"{folder(2)}/{PLAN}")
