"""One ordered, counted, digested plan: what apply does, and nothing else.

A plan is data. Its document is the file, the JSON output and the source of every view; its digest
is the SHA-256 of the canonical document without ``digest`` and ``planId``. Two plans of the same
files, answers and instant are the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cxplan.core.diff import AgentState, Change, Direction, Op, Value
from cxplan.core.findings import Finding, GuardFinding, Verdict
from cxplan.core.guards import Affected, denied
from cxplan.core.ids import AgentId, AgentKey, ETag, WorkModeId
from cxplan.core.model import Levels
from cxplan.core.scope import WHOLE, Scope
from cxplan.core.strictness import Allowance

FORMAT_VERSION = "1.0"
KIND = "cxplan/plan"
UNREAD_PERCENT = 5
UNREAD_FLOOR = 10
"""Where more than 5 % of the agents, and more than 10, are unread, a plan is not applicable."""


class Status(StrEnum):
    """What apply would do with an agent of the plan."""

    READY = "ready"
    DEFERRED = "deferred"
    BLOCKED = "blocked"
    UNREAD = "unread"
    UNCHANGED = "unchanged"
    """Nothing to change; listed only because a check has something to say."""


@dataclass(frozen=True, slots=True)
class PlannedAgent:
    """One agent with a change or a finding.

    ``before`` and ``after`` are None where the agent could not be read; ``phase`` is None unless
    it is ready. ``etag`` is the tag of the state that the changes were decided on.
    """

    id: AgentId
    key: AgentKey
    team: str
    status: Status
    etag: ETag | None
    before: AgentState | None
    after: AgentState | None
    changes: tuple[Change, ...]
    checks: tuple[Finding, ...]
    phase: int | None = None
    holds_until: datetime | None = None
    protected: bool = False

    @property
    def until(self) -> datetime | None:
        """The first instant at which this agent may read differently."""
        found = [f.until for f in self.checks if f.until is not None]
        if self.holds_until is not None:
            found.append(self.holds_until)
        return min(found, default=None)

    @property
    def defers_until(self) -> datetime | None:
        """When all that defers it is over; None where nothing does, or for no time that is known.

        Something else may be wanted of it by then: see ``holds_until``.
        """
        found = [f.until for f in self.checks if f.verdict is Verdict.DEFER]
        known = [until for until in found if until is not None]
        return max(known) if known and len(known) == len(found) else None

    @property
    def deferred_until(self) -> datetime | None:
        """``defers_until``, and None where what is wanted now does not hold until then."""
        until, holds = self.defers_until, self.holds_until
        return None if until and holds and holds <= until else until


@dataclass(frozen=True, slots=True)
class Released:
    """A value that was managed and no longer is: it stays as it stands.

    ``team`` is None where the files do not name the agent any more, and then ``value`` is the last
    that was written or wanted. ``run`` is the run that last wrote it, ``override`` the one that is
    over and left it; either may be None.
    """

    agent_id: AgentId
    key: AgentKey | None
    team: str | None
    path: str
    value: Value
    run: str | None = None
    override: str | None = None


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A guard or a protection that differs from the base; ``looser`` where it lets more pass."""

    path: str
    before: str
    after: str
    looser: bool


@dataclass(frozen=True, slots=True)
class TenantRef:
    """The tenant a plan is for; ``tenant_id`` where the token names one."""

    name: str
    api: str
    origin: str
    tenant_id: str | None


@dataclass(frozen=True, slots=True)
class FilesRef:
    """The files a plan was made from: the commit where one is known, and what they mean."""

    commit: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a reader needs, so that a plan can be shown without the files."""

    levels: Levels
    modes: Mapping[WorkModeId, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change, why, and everything that was found on the way."""

    plan_id: str
    digest: str
    semantic_digest: str
    tool_version: str
    tenant: TenantRef
    created_at: datetime
    evaluated_at: datetime
    expires_at: datetime
    source: FilesRef
    managed: int
    """How many agents were planned, those without a change too."""
    agents: tuple[PlannedAgent, ...]
    guards: tuple[GuardFinding, ...]
    vocabulary: Vocabulary
    live_as_of: datetime
    """When the tenant was read; a snapshot is older than the plan."""
    scope: Scope = WHOLE
    allowed: tuple[Allowance, ...] = ()
    released: tuple[Released, ...] = ()
    rule_changes: tuple[RuleChange, ...] = ()
    warnings: tuple[Finding, ...] = ()
    """What is odd about the files or the lists as a whole."""
    next_boundary: datetime | None = None
    """The first instant from which on the plan would read differently."""
    only_shown: tuple[str, ...] = ()
    """Why it can be shown and never applied, such as ``--snapshot``; the unread come on top."""
    rollback: str | None = None
    """The run that the plan takes back; its agents then go to what stood there before."""

    def with_status(self, status: Status) -> tuple[PlannedAgent, ...]:
        """Return the listed agents of one status, by id."""
        return tuple(agent for agent in self.agents if agent.status is status)

    @property
    def ready(self) -> tuple[PlannedAgent, ...]:
        """The agents that apply would write, in the order in which it does."""
        found = self.with_status(Status.READY)
        return tuple(sorted(found, key=lambda agent: (agent.phase or 1, agent.id)))

    @property
    def applicable(self) -> bool:
        """Whether it may be applied at all, guards apart."""
        return self.readable and not self.only_shown

    @property
    def readable(self) -> bool:
        """Whether enough of the tenant was read to act on the plan."""
        unread = len(self.with_status(Status.UNREAD))
        return not (unread > UNREAD_FLOOR and unread * 100 > UNREAD_PERCENT * self.managed)

    @property
    def affected(self) -> tuple[Affected, ...]:
        """What the guards judge: the agents that apply would write."""
        return affected_by(self.agents)

    @property
    def denied(self) -> tuple[GuardFinding, ...]:
        """The guards that forbid to write anything."""
        return denied(self.guards)

    @property
    def checks(self) -> Counter[Verdict]:
        """How many checks ended how, over the listed agents."""
        return Counter(finding.verdict for agent in self.agents for finding in agent.checks)


def first_boundary(agents: Iterable[PlannedAgent], turn: datetime | None) -> datetime | None:
    """Return when a plan of ``agents`` reads differently first.

    ``turn`` is the first instant at which an override or a shift makes any value another one.
    """
    found = [agent.until for agent in agents] + [turn]
    return min((until for until in found if until is not None), default=None)


def affected_by(agents: Iterable[PlannedAgent]) -> tuple[Affected, ...]:
    """Return the ready ones of ``agents`` as the guards judge them."""
    return tuple(
        Affected(agent.key, agent.changes, agent.before, agent.after, agent.protected)
        for agent in agents
        if agent.status is Status.READY and agent.before and agent.after
    )


def status_of(changes: Iterable[Change], findings: Iterable[Finding]) -> Status:
    """Return an agent's status: the worst verdict decides for the whole agent."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.BLOCK in verdicts:
        return Status.BLOCKED
    if not tuple(changes):
        return Status.UNCHANGED
    return Status.DEFERRED if Verdict.DEFER in verdicts else Status.READY


def phase_of(changes: Iterable[Change]) -> int:
    """Return 2 for an agent with any weakening or removal, else 1: cover is added first."""
    weakens = any(c.op is Op.REMOVE or c.direction is Direction.WORSE for c in changes)
    return 2 if weakens else 1


def plan_id_of(digest: str) -> str:
    """Return the first 32 hex digits of a ``sha256:…`` digest as a uuid."""
    digits = digest.removeprefix("sha256:")[:32]
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return "-".join(digits[first:last] for first, last in cuts)
