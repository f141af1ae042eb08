"""One agent of a plan: read, compared, judged, and what it counts for elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cxplan.core.checks import Judge, Target
from cxplan.core.coverage import Holder, qualifies
from cxplan.core.diff import WORK_MODE, AgentState, Change, Terms, Value, changed, diff, state_of
from cxplan.core.findings import Finding, Verdict
from cxplan.core.history import LastValue, ValueKey, key_of
from cxplan.core.horizon import Ahead
from cxplan.core.ids import AgentId, SkillId
from cxplan.core.live import MissingAgent, ObservedAgent, ScheduleReading, UnreadAgent
from cxplan.core.model import DesiredAgent, Levels
from cxplan.core.plan import PlannedAgent, Released, Status, phase_of, status_of
from cxplan.core.released import Former, released
from cxplan.core.rollback import Declared, Kept, is_stranger, rolled_back
from cxplan.core.rules import Coverage
from cxplan.core.scope import Choice
from cxplan.core.shifts import next_turn
from cxplan.ports import Tenant
from cxplan.usecases.plan.aim import Aim, Read, Timer, WayBack


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one agent gives a plan.

    ``planned`` is None where there is nothing to say. ``boundary`` is when an override or a shift
    makes one of its values another one. ``holders`` stand in the order of the coverage rules, None
    where the agent does not count. ``unread`` tells of one that could not be read, of whatever is
    asked.
    """

    planned: PlannedAgent | None = None
    released: tuple[Released, ...] = ()
    boundary: datetime | None = None
    holders: tuple[Holder | None, ...] = ()
    kept: tuple[Kept, ...] = ()
    declared: tuple[Declared, ...] = ()
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A coverage rule with the tenant's id of its skill."""

    coverage: Coverage
    skill: SkillId
    levels: Levels

    def counts(self, state: AgentState) -> bool:
        """Tell whether an agent in this state holds the skill as the rule asks."""
        found = next((s for s in state.skills if s.skill_id == self.skill), None)
        return found is not None and qualifies(
            self.coverage.level_at_least, self.levels, found.level
        )


@dataclass(slots=True)
class _Schedule:
    """Reads an agent's schedule where it matters, and once."""

    tenant: Tenant
    agent_id: AgentId
    _found: ScheduleReading | None = None

    def __call__(self) -> ScheduleReading:
        if self._found is None:
            self._found = self.tenant.schedule(self.agent_id)
        return self._found


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans one agent at a time; used from several threads.

    ``base`` are the agents of the files before a change, by id; None where there is no base.
    """

    tenant: Tenant
    judge: Judge
    terms: Terms
    ahead: Ahead
    choices: Mapping[AgentId, Choice]
    protected: frozenset[AgentId]
    rules: tuple[Rule, ...]
    history: Mapping[AgentId, Mapping[ValueKey, LastValue]]
    base: Mapping[AgentId, DesiredAgent] | None
    timer: Timer | None = None
    """Where only what is due is asked for."""
    back: WayBack | None = None
    """Where a run is to be taken back."""

    def review(self, agent: DesiredAgent) -> Reviewed:
        """Return what ``agent``, one of the files without overrides, gives the plan."""
        choice = self.choices.get(agent.id)
        reading = self.tenant.agent(agent.id)
        match reading:
            case MissingAgent() | UnreadAgent():
                planned = _without_reading(agent, reading) if choice is not None else None
                return Reviewed(planned, unread=isinstance(reading, UnreadAgent))
            case ObservedAgent():
                schedule = _Schedule(self.tenant, agent.id)
                if choice is None:
                    state = state_of(reading)
                    return Reviewed(holders=self._holders(agent, state, state, schedule))
                return self._compare(agent, reading, choice, schedule)

    def _compare(
        self, agent: DesiredAgent, observed: ObservedAgent, choice: Choice, schedule: Read
    ) -> Reviewed:
        aim = self._aim(agent, observed, choice, schedule)
        boundary = self._boundary(aim, observed, choice, schedule)
        if self._unremarkable(agent, aim.target, observed, aim.changes):
            return Reviewed(boundary=boundary)
        before = state_of(observed)
        after = changed(before, aim.changes)
        findings = self.judge.judge(aim.target, observed, aim.changes, after, schedule)
        case = _Case(agent, observed, aim, before, after, findings)
        reached = after if case.status is Status.READY else before
        return Reviewed(
            case.planned(protected=agent.id in self.protected),
            tuple(v for v in self._released(agent, before) if choice.takes(v.path)),
            boundary,
            self._holders(agent, before, reached, schedule),
            aim.kept,
            aim.declared,
        )

    def _aim(
        self, agent: DesiredAgent, observed: ObservedAgent, choice: Choice, schedule: Read
    ) -> Aim:
        """Return what is wanted; a timer and a rollback want something of their own."""
        if self.back is not None:
            return self.back.aim(agent, observed, schedule)
        desired = self.ahead.resolved.agent_at(agent, self.ahead.at)
        target = self.judge.target(desired, schedule)
        needed = target.marked(diff(target.desired, observed, self.terms))
        changes = tuple(change for change in needed if choice.takes(change.path))
        changes = self._marked(agent, observed, changes, schedule)
        if self.timer is not None:
            changes = self.timer.due(agent, observed, changes, schedule)
        return Aim(target, changes, self.ahead.horizon(agent, observed, changes, choice))

    def _boundary(
        self, aim: Aim, observed: ObservedAgent, choice: Choice, schedule: Read
    ) -> datetime | None:
        turn = None
        if aim.target.followed is not None and choice.takes(WORK_MODE):
            turn = next_turn(self.judge.shifts, schedule(), observed.work_mode)
        return min((at for at in (aim.horizon.any, turn) if at is not None), default=None)

    def _unremarkable(
        self,
        agent: DesiredAgent,
        target: Target,
        observed: ObservedAgent,
        changes: tuple[Change, ...],
    ) -> bool:
        """Tell whether there is nothing to say of an agent, as there mostly is; it costs little."""
        if changes or self.rules or self.base is not None or self.back is not None:
            return False
        if agent.id in self.history or self.ahead.ended(agent):
            return False
        return not self.judge.odd(target, observed)

    def _marked(
        self,
        agent: DesiredAgent,
        observed: ObservedAgent,
        changes: tuple[Change, ...],
        schedule: Read,
    ) -> tuple[Change, ...]:
        """Mark what an ended override left, what was rolled back, and what the base wants."""
        last = self.history.get(agent.id, {})
        changes = self.ahead.overdue(agent, changes, last, schedule)
        changes = rolled_back(changes, last)
        if self.base is None:
            return changes
        wanted: set[tuple[ValueKey, Value]] = set()
        before = self.base.get(agent.id)
        if before is not None:
            target = self.judge.target(before, schedule)
            found = diff(target.desired, observed, self.terms)
            wanted = {_aimed(change) for change in found}
        return tuple(replace(c, pending=_aimed(c) in wanted) for c in changes)

    def _released(self, agent: DesiredAgent, live: AgentState) -> Iterator[Released]:
        if self.back is not None:
            return iter(())
        desired = self.ahead.resolved.agent_at(agent, self.ahead.at)
        last = self.history.get(agent.id, {})
        former = Former(
            last,
            tuple((o.name, self.ahead.left(o, last)) for o in self.ahead.ended(agent)),
            self.base.get(agent.id) if self.base else None,
        )
        return released(desired, live, former, self.terms.names)

    def _holders(
        self, agent: DesiredAgent, before: AgentState, after: AgentState, schedule: Read
    ) -> tuple[Holder | None, ...]:
        """Read the schedule only of who counts for a rule, before or after."""
        if is_stranger(agent):
            return ()
        return tuple(
            Holder(agent.key, schedule(), rule.counts(before), rule.counts(after))
            if rule.counts(before) or rule.counts(after)
            else None
            for rule in self.rules
        )


def _aimed(change: Change) -> tuple[ValueKey, Value]:
    """Return what a change makes of which value, whatever the files call its skill."""
    return key_of(change.skill_id, change.part), change.after


@dataclass(frozen=True, slots=True)
class _Case:
    """One agent, compared and judged."""

    agent: DesiredAgent
    observed: ObservedAgent
    aim: Aim
    before: AgentState
    after: AgentState
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        return status_of(self.aim.changes, self.findings)

    @property
    def holds_until(self) -> datetime | None:
        """The first instant at which a value that the plan would write would be another one."""
        changes = self.aim.changes
        shift_end = self.aim.target.until if any(c.scheduled for c in changes) else None
        written = self.aim.horizon.written if changes else None
        return min((until for until in (shift_end, written) if until is not None), default=None)

    def planned(self, *, protected: bool) -> PlannedAgent | None:
        changes = self.aim.changes
        if not changes and not self.findings:
            return None
        return PlannedAgent(
            self.agent.id,
            self.agent.key,
            self.agent.team,
            self.status,
            self.observed.etag,
            self.before,
            self.after,
            changes,
            self.findings,
            phase_of(changes) if self.status is Status.READY else None,
            self.holds_until,
            protected,
        )


def _without_reading(agent: DesiredAgent, reading: MissingAgent | UnreadAgent) -> PlannedAgent:
    match reading:
        case MissingAgent():
            message = "the tenant knows no such agent; remove the member or correct its id"
            finding = Finding("agent.notFound", Verdict.BLOCK, message)
            return _unknown(agent, Status.BLOCKED, finding)
        case UnreadAgent(code=code, reason=reason):
            return _unknown(agent, Status.UNREAD, Finding(code, Verdict.WARN, reason))


def _unknown(agent: DesiredAgent, status: Status, finding: Finding) -> PlannedAgent:
    return PlannedAgent(agent.id, agent.key, agent.team, status, None, None, None, (), (finding,))
