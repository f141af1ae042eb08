"""Plan files: what is written is read back as the same value, and nothing else is read."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.canonical import canonical, parse_json
from cxplan.core.coverage import Count, Interval
from cxplan.core.diff import changed, diff, state_of
from cxplan.core.document import document, document_digest, plan_bytes, sealed
from cxplan.core.errors import CxplanError, Exit
from cxplan.core.findings import Finding, Verdict
from cxplan.core.guards import Basis, Covered, Standing, judge_guards
from cxplan.core.ids import AgentId, AgentKey
from cxplan.core.plan import (
    FilesRef,
    Plan,
    PlannedAgent,
    Released,
    RuleChange,
    Status,
    TenantRef,
    Vocabulary,
    plan_id_of,
)
from cxplan.core.resolve import resolve
from cxplan.core.rules import GuardSettings
from cxplan.core.scope import Atom, Scope
from cxplan.core.strictness import Allowance
from cxplan.planfile.files import parse_plan, read_plan, write_plan
from tests.core.make import LEVELS, MODES, NOW, declarations, member, observed, team, terms

INTERVAL = Interval(NOW, NOW + timedelta(hours=1), 3, 2)
BASIS = Basis(7, 20, 1, 1, (Covered("voice", 2, 5, Count((INTERVAL,), (AgentKey("u"),))),))


def a_plan(levels: list[int] | None = None) -> Plan:
    """A plan with an agent of every status, made from ``levels``."""
    agents = []
    for number, level in enumerate(levels or [3, 5, 7, 9, 11]):
        status = list(Status)[number % 5]
        files = declarations(
            team(member(f"m{number}", {"voice": level, "chat": (2, 2)}, mode="training"))
        )
        (desired,) = resolve(files).agents
        live = observed(f"m{number}", {"voice": (level + 1, None), "mail": (1, 1)})
        changes = (
            () if status in {Status.UNREAD, Status.UNCHANGED} else diff(desired, live, terms())
        )
        changes = tuple(replace(change, rolled_back="run-1") for change in changes)
        before = None if status is Status.UNREAD else state_of(live)
        finding = Finding("shift.noActiveShift", Verdict.DEFER, "é \\ \u202e", NOW)
        agents.append(
            PlannedAgent(
                desired.id,
                desired.key,
                desired.team,
                status,
                live.etag,
                before,
                changed(before, changes) if before else None,
                changes,
                (finding,),
                1 if status is Status.READY else None,
            )
        )
    return sealed(
        Plan(
            plan_id="",
            digest="",
            semantic_digest="",
            tool_version="0",
            tenant=TenantRef("acme-demo", "availability-v2", "https://api.example", None),
            created_at=NOW,
            evaluated_at=NOW,
            expires_at=NOW + timedelta(hours=24),
            source=FilesRef(None, "sha256:" + "0" * 64),
            managed=7,
            agents=tuple(agents),
            guards=judge_guards(Standing(GuardSettings(), NOW), [], BASIS),
            vocabulary=Vocabulary(LEVELS, {mode.id: mode.name for mode in MODES.values()}),
            live_as_of=NOW - timedelta(hours=1),
            scope=Scope(
                (((Atom("team", "Team"), Atom("skill", "voice"))),),
                (),
                this_change=True,
                only_due=True,
            ),
            rollback="run-1",
            allowed=(Allowance("freeze", "agreed"),),
            released=(Released(AgentId("x"), None, None, "skills/voice/level", 5, "run"),),
            rule_changes=(RuleChange("guards/freeze", "none", "off", looser=True),),
            warnings=(Finding("override.over", Verdict.WARN, "over"),),
            next_boundary=NOW + timedelta(hours=2),
            only_shown=("--at",),
        )
    )


@given(st.lists(st.integers(1, 19), min_size=1, max_size=12))
def test_a_plan_comes_back_from_its_bytes_as_the_same_value(levels: list[int]) -> None:
    plan = a_plan(levels)
    assert parse_plan(plan_bytes(plan), "p.json") == plan


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    write_plan(path, a_plan())
    plan, data = read_plan(path)
    assert plan == a_plan()
    assert data == path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_digest_covers_all_but_itself_and_the_id() -> None:
    plan = a_plan()
    assert plan.digest == document_digest(document(plan))
    assert plan.plan_id == plan_id_of(plan.digest)
    assert len(plan.plan_id) == 36
    later = sealed(replace(plan, created_at=NOW + timedelta(seconds=1)))
    assert later.digest != plan.digest
    assert later.semantic_digest == plan.semantic_digest
    other = sealed(replace(plan, tenant=replace(plan.tenant, origin="https://b.example")))
    assert other.semantic_digest != plan.semantic_digest


def resealed(**members: Any) -> bytes:
    """A document with changed members and a digest that fits them."""
    body = document(a_plan()) | members
    body["digest"] = document_digest(body)
    body["planId"] = plan_id_of(body["digest"])
    return canonical(body)


def without(member: str) -> bytes:
    body = document(a_plan())
    del body[member]
    body["digest"] = document_digest(body)
    body["planId"] = plan_id_of(body["digest"])
    return canonical(body)


WHOLE = plan_bytes(a_plan())

REFUSED = [
    ("altered", WHOLE.replace(b'"after":3', b'"after":4', 1), "plan.digest"),
    ("cut", WHOLE[:-20], "plan.digest"),
    ("empty", b"", "plan.digest"),
    ("another planId", WHOLE.replace(a_plan().plan_id.encode(), b"0" * 36), "plan.digest"),
    ("duplicate member", b'{"agents":[],' + WHOLE[1:], "plan.duplicate_key"),
    ("a newline at its end", WHOLE + b"\n", "plan.notCanonical"),
    ("pretty", WHOLE.replace(b",", b", ", 1), "plan.notCanonical"),
    ("a list", b"[]", "plan.kind"),
    ("a bundle's statement", b'{"_type":"https://in-toto.io/Statement/v1"}', "plan.kind"),
    ("a snapshot", resealed(kind="cxplan/snapshot"), "plan.kind"),
    ("a newer major", resealed(formatVersion="2.0"), "plan.version"),
    ("no version", resealed(formatVersion=None), "plan.version"),
    ("no agents", without("agents"), "plan.shape"),
    ("agents of another type", resealed(agents=[{"agent": 1}]), "plan.shape"),
    ("a bool for a number", resealed(summary={"agents": True}), "plan.shape"),
    ("a day that is none", resealed(createdAt="2026-02-30T00:00:00Z"), "plan.shape"),
]


@pytest.mark.parametrize(("data", "code"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_is_no_intact_plan_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(CxplanError) as caught:
        parse_plan(data, "p.json")
    assert caught.value.exit_code is Exit.UNAPPROVED
    assert caught.value.problem.code == code
    assert "p.json" in caught.value.problem.summary
    assert caught.value.problem.hint


def test_unknown_members_of_a_known_major_are_ignored() -> None:
    data = resealed(formatVersion="1.9", later={"a": 1})
    assert parse_plan(data, "p.json").agents == a_plan().agents


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder", "missing"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.json"
    if kind == "symlink":
        (tmp_path / "real").write_bytes(WHOLE)
        path.symlink_to("real")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(CxplanError) as caught:
        read_plan(path)
    assert caught.value.exit_code is Exit.INVALID
    assert caught.value.problem.code == "path.type"


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_only_a_regular_file_is_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.json"
    if kind == "symlink":
        path.symlink_to("elsewhere")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(CxplanError) as caught:
        write_plan(path, a_plan())
    assert caught.value.problem.code == "path.type"
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CxplanError) as caught:
        write_plan(tmp_path / "nowhere" / "p.json", a_plan())
    assert caught.value.problem.code == "path.unwritable"
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_canonical_json_of_the_documented_members() -> None:
    body = parse_json(WHOLE)
    assert canonical(body) == WHOLE
    assert set(body) >= {
        "kind", "formatVersion", "planId", "digest", "semanticDigest", "tool", "tenant",
        "createdAt", "evaluatedAt", "expiresAt", "applicable", "source", "scope", "summary",
        "agents", "checks", "guards", "allowed",
    }  # fmt: skip
