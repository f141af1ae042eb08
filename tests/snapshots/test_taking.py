"""Taking a snapshot: whole, with its findings, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cxplan.core.errors import AuthError, Exit, UnavailableError
from cxplan.core.ids import AgentId
from cxplan.core.live import (
    AgentReading,
    MissingAgent,
    ScheduleReading,
    TenantIdentity,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.model import Declarations
from cxplan.core.plan import TenantRef
from cxplan.core.snapshot import SnapshotAgent, SnapshotEntry, SnapshotHeader, SnapshotSummary
from cxplan.usecases.snapshot import PATIENCE, SnapshotRequest, SnapshotWorld, take_snapshot
from tests.core.make import NOW, declarations, member, observed, schedule, shift, team
from tests.snapshots.make import LISTS
from tests.usecases.fake import FakeClock, FakeTenant, InOrder, Silent


@dataclass
class Kept:
    """Implements ``Keeper`` in memory."""

    headers: list[SnapshotHeader] = field(default_factory=list)
    entries: list[SnapshotEntry] = field(default_factory=list)

    def begin(self, header: SnapshotHeader) -> None:
        self.headers.append(header)

    def add(self, entry: SnapshotEntry) -> None:
        self.entries.append(entry)


@dataclass
class Counting(Silent):
    """Counts what it is told."""

    total: int = 0
    steps: int = 0

    def start(self, what: str, total: int) -> None:
        del what
        self.total = total

    def step(self, note: str = "") -> None:
        del note
        self.steps += 1


class Recording(FakeTenant):
    """Writes down who was asked for."""

    asked: list[str]

    def agent(self, agent_id: AgentId) -> AgentReading:
        vars(self).setdefault("asked", []).append(agent_id)
        return super().agent(agent_id)


def files(names: str) -> Declarations:
    return declarations(team(*(member(name, {"voice": 3}) for name in names)))


def tenant(names: str) -> Recording:
    agents = {AgentId(f"id-{name}"): observed(name, {"voice": (5, 1)}) for name in names}
    schedules: dict[AgentId, ScheduleReading] = {agent: schedule(shift(0, 8)) for agent in agents}
    return Recording(
        agents, schedules, LISTS, identity=TenantIdentity("https://api.example", "t-1")
    )


def take(
    live: FakeTenant, named: str, progress: Silent | None = None
) -> tuple[SnapshotSummary, Kept]:
    kept = Kept()
    world = SnapshotWorld(live, FakeClock(), InOrder(), progress or Silent())
    return take_snapshot(world, SnapshotRequest(4, "0"), files(named), kept), kept


def test_every_declared_agent_is_kept_by_id_with_its_schedule() -> None:
    live, watched = tenant("bcaz"), Counting()
    summary, kept = take(live, "cab", watched)
    assert [entry.id for entry in kept.entries] == ["id-a", "id-b", "id-c"]
    for entry in kept.entries:
        assert isinstance(entry, SnapshotAgent)
        assert entry.observed == live.agents[entry.id]
        assert entry.schedule == live.schedules[entry.id]
    ref = TenantRef("acme-demo", "availability-v2", "https://api.example", "t-1")
    assert kept.headers == [summary.header] == [SnapshotHeader(ref, NOW, 3, LISTS, "0")]
    assert (summary.missing, summary.unreadable) == ((), ())
    assert (watched.total, watched.steps) == (3, 3)


def test_who_is_missing_and_what_is_unreadable_are_kept_as_that() -> None:
    live = tenant("ab")
    live.schedules[AgentId("id-b")] = UnreadableSchedule("http.shape: no list")
    summary, kept = take(live, "abc")
    assert (summary.missing, summary.unreadable) == (("id-c",), ("id-b",))
    assert kept.entries[2] == MissingAgent(AgentId("id-c"))
    assert isinstance(kept.entries[1], SnapshotAgent)
    assert kept.entries[1].schedule == UnreadableSchedule("http.shape: no list")


def unread(live: FakeTenant, names: str) -> None:
    for name in names:
        agent = AgentId(f"id-{name}")
        live.readings[agent] = UnreadAgent(agent, "http.status", "The tenant answers 500.")


def test_agents_that_cannot_be_read_end_it_and_the_first_is_named() -> None:
    live = tenant("abcd")
    unread(live, "bd")
    with pytest.raises(UnavailableError) as caught:
        take(live, "abcd")
    problem = caught.value.problem
    assert caught.value.exit_code is Exit.UNAVAILABLE
    assert (problem.code, problem.address) == ("http.status", "id-b")
    assert "2 of 4 agents could not be read" in problem.summary
    assert "The tenant answers 500." in problem.summary
    assert problem.hint


def test_after_some_failures_the_rest_is_not_asked_for() -> None:
    names = "abcdefghijklmnopqrstuvwxyz"
    live = tenant(names)
    unread(live, names)
    with pytest.raises(UnavailableError) as caught:
        take(live, names)
    assert len(live.asked) == PATIENCE
    assert "10 of 26 agents could not be read, this one first; the rest was not tried" in str(
        caught.value
    )


def test_a_tenant_that_refuses_ends_it_before_anybody_is_asked_for() -> None:
    class Refusing(Recording):
        def connect(self, *, write: bool) -> TenantIdentity:
            assert write is False
            raise AuthError("Refused.")

    live = Refusing({})
    with pytest.raises(AuthError):
        take(live, "abc")
    assert not hasattr(live, "asked")
