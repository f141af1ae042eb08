"""A snapshot as a tenant: it answers what was answered, and is never written to."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cxplan.core.answers import AvailabilityEvent, Write
from cxplan.core.errors import CxplanError, Exit, InvalidError
from cxplan.core.ids import AgentId, WorkModeId
from cxplan.core.live import (
    MissingAgent,
    Schedule,
    TenantIdentity,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.snapshot import SnapshotAgent
from cxplan.ports import Tenant
from cxplan.snapshots.tenant import SnapshotTenant
from tests.core.make import NOW, declarations
from tests.snapshots import make


@pytest.fixture
def tenant(tmp_path: Path) -> SnapshotTenant:
    return SnapshotTenant(make.write(tmp_path / "s.jsonl"))


def test_it_answers_what_is_in_the_file(tenant: SnapshotTenant) -> None:
    port: Tenant = tenant
    assert port.connect(write=False) == TenantIdentity("https://api.example", "t-1")
    assert port.lists() == make.LISTS
    assert port.locking == "etag"
    for entry in make.ENTRIES:
        if isinstance(entry, SnapshotAgent):
            assert port.agent(entry.id) == entry.observed
            assert port.schedule(entry.id) == entry.schedule
            assert port.schedule(entry.id) == entry.schedule
        else:
            assert port.agent(entry.id) == MissingAgent(entry.id)


def test_whom_it_does_not_hold_is_unread_and_never_without_a_shift(tenant: SnapshotTenant) -> None:
    found = tenant.agent(AgentId("new"))
    assert isinstance(found, UnreadAgent)
    assert (found.id, found.code) == ("new", "snapshot.notTaken")
    assert "2026-11-25T12:00:00Z" in found.reason
    assert "cxplan snapshot -o" in found.reason
    for name in ("new", "a-3"):
        assert isinstance(tenant.schedule(AgentId(name)), UnreadableSchedule), name


def test_it_is_never_written_to(tenant: SnapshotTenant) -> None:
    (entry,) = [e for e in make.ENTRIES if e.id == "a-1"]
    assert isinstance(entry, SnapshotAgent)
    change = Write(entry.id, WorkModeId("m-1"), (), "a reason")
    event = AvailabilityEvent(entry.id, entry.observed, entry.observed)
    for attempt in (
        lambda: tenant.connect(write=True),
        lambda: tenant.write(change, entry.observed),
        lambda: tenant.publish(event, NOW),
    ):
        with pytest.raises(CxplanError) as caught:
            attempt()
        assert caught.value.exit_code is Exit.INTERNAL


def test_a_snapshot_of_another_tenant_is_refused(tenant: SnapshotTenant) -> None:
    files = declarations()
    tenant.refuse_other(files)
    for other in (replace(files, tenant="acme-test"), replace(files, api="admin")):
        with pytest.raises(InvalidError) as caught:
            tenant.refuse_other(other)
        assert caught.value.problem.code == "snapshot.tenant"


def test_many_threads_get_each_their_own_agent(tmp_path: Path) -> None:
    entries = [
        make.agent(f"a-{n:03d}", Schedule((make.shift(n, 8),)), etag=f'"{n}"') for n in range(300)
    ]
    tenant = SnapshotTenant(make.write(tmp_path / "s.jsonl", entries))
    asked = random.Random(1).choices(entries, k=4000)

    def right(entry: SnapshotAgent) -> bool:
        found = (tenant.agent(entry.id), tenant.schedule(entry.id))
        return found == (entry.observed, entry.schedule)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, asked))


def test_equal_assignments_and_shifts_are_one_object(tmp_path: Path) -> None:
    one, other = (
        make.agent(name, Schedule((make.shift(0, 8),)), skills=(make.VOICE,)) for name in "ab"
    )
    tenant = SnapshotTenant(make.write(tmp_path / "s.jsonl", [one, other]))
    first, second = tenant.agent(AgentId("a")), tenant.agent(AgentId("b"))
    assert first.skills[0] is second.skills[0]  # type: ignore[union-attr]  # both are observed
