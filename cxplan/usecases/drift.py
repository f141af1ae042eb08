"""drift: what moved on the tenant since a run last wrote or confirmed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cxplan.core.checks import Judge, judge_for
from cxplan.core.drift import AgentDrift, Case, DriftReport, Names, UnseenAgent, drift_of
from cxplan.core.history import History
from cxplan.core.live import MissingAgent, ObservedAgent, TenantLists, UnreadAgent
from cxplan.core.model import Declarations, DesiredAgent, FollowShift
from cxplan.core.plan import Vocabulary
from cxplan.core.resolve import resolve
from cxplan.ports import Memory, Progress, Tenant, Workers


@dataclass(frozen=True, slots=True)
class DriftWorld:
    """The ports that drift needs; ``width`` is how many agents are read at once."""

    tenant: Tenant
    memory: Memory
    workers: Workers
    progress: Progress
    width: int


def find_drift(world: DriftWorld, declarations: Declarations, at: datetime) -> DriftReport:
    """Read every declared agent and compare it with the files at ``at`` and with the ledger.

    Raises:
        UnapprovedError: the ledger is another tenant's.
        EvidenceError: the ledger cannot be read; nothing is asked of the tenant then.
        TenantError: the tenant cannot be reached or refuses.
    """
    history = world.memory.last_values(declarations.tenant)
    desired = resolve(declarations).at(at)
    names = {skill.id: skill.name for skill in declarations.skills.values()}
    judge = judge_for(declarations, at, TenantLists(), needs_etag=False)
    world.tenant.connect(write=False)
    world.progress.start("Reading agents", len(desired))
    tally = _Tally()
    for found in _looked_at(_Finder(world.tenant, judge, history, names), world, desired):
        tally.add(found)
    world.progress.finish()
    return DriftReport(
        tenant=declarations.tenant,
        at=at,
        managed=len(desired),
        counts=tally.counts,
        agents=tuple(tally.agents),
        missing=tuple(tally.missing),
        unread=tuple(tally.unread),
        unfollowed=tally.unfollowed,
        undeclared=len(history.keys() - {agent.id for agent in desired}),
        vocabulary=Vocabulary(
            declarations.levels, {mode.id: mode.name for mode in declarations.modes.values()}
        ),
    )


def _looked_at(
    finder: _Finder, world: DriftWorld, desired: tuple[DesiredAgent, ...]
) -> Iterator[_Found]:
    for found in world.workers.map(finder.look, desired, width=world.width):
        world.progress.step()
        yield found


@dataclass(frozen=True, slots=True)
class _Missing:
    agent: UnseenAgent


@dataclass(frozen=True, slots=True)
class _Unread:
    agent: UnseenAgent


@dataclass(frozen=True, slots=True)
class _Compared:
    """One agent as compared; ``counts`` is of all its values."""

    agent: AgentDrift
    counts: Counter[Case]
    unfollowed: bool


_Found = _Missing | _Unread | _Compared


@dataclass(slots=True)
class _Tally:
    """What the agents so far add up to; an agent in sync is only counted."""

    counts: Counter[Case] = field(default_factory=Counter)
    agents: list[AgentDrift] = field(default_factory=list)
    missing: list[UnseenAgent] = field(default_factory=list)
    unread: list[UnseenAgent] = field(default_factory=list)
    unfollowed: int = 0

    def add(self, found: _Found) -> None:
        match found:
            case _Missing(agent=agent):
                self.missing.append(agent)
            case _Unread(agent=agent):
                self.unread.append(agent)
            case _Compared(agent=compared, counts=counts, unfollowed=unfollowed):
                self.counts += counts
                self.unfollowed += unfollowed
                self.agents += [compared] if compared.values else []


@dataclass(frozen=True, slots=True)
class _Finder:
    """Looks at one agent at a time; used from several threads."""

    tenant: Tenant
    judge: Judge
    history: History
    names: Names

    def look(self, desired: DesiredAgent) -> _Found:
        """Read an agent and compare what was found with its base."""
        match self.tenant.agent(desired.id):
            case MissingAgent():
                return _Missing(
                    _unseen(desired, "agent.notFound", "the tenant knows no such agent")
                )
            case UnreadAgent(code=code, reason=reason):
                return _Unread(_unseen(desired, code, reason))
            case ObservedAgent() as observed:
                return self._compare(desired, observed)

    def _compare(self, desired: DesiredAgent, observed: ObservedAgent) -> _Compared:
        target = self.judge.target(desired, lambda: self.tenant.schedule(desired.id))
        unfollowed = isinstance(desired.work_mode, FollowShift) and not target.desired.work_mode
        bases = self.history.get(desired.id, {})
        wanted = desired if unfollowed else target.desired
        values = drift_of(wanted, observed, bases, self.names)
        told = tuple(value for value in values if value.case is not Case.IN_SYNC)
        agent = AgentDrift(desired.id, desired.key, desired.team, told)
        return _Compared(agent, Counter(value.case for value in values), unfollowed)


def _unseen(desired: DesiredAgent, code: str, reason: str) -> UnseenAgent:
    return UnseenAgent(desired.id, desired.key, desired.team, code, reason)
