"""One agent of the plan: read again, compared, judged again, and only then written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial

from cxplan.core.checks import Judge, Target
from cxplan.core.diff import AgentState, Change, changed, state_of
from cxplan.core.errors import TenantError
from cxplan.core.findings import Finding, Verdict
from cxplan.core.guards import Affected, frozen, stopped_by
from cxplan.core.ids import AgentId
from cxplan.core.instant import utc_text
from cxplan.core.live import (
    MissingAgent,
    ObservedAgent,
    ScheduleReading,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.model import DesiredAgent, DesiredMode
from cxplan.core.plan import PlannedAgent, Status
from cxplan.core.record import Attempted, Ending, reason_text, tickets
from cxplan.core.report import AS_DESIRED
from cxplan.core.resolve import Resolved
from cxplan.core.rollback import stranger, wanted_by
from cxplan.core.rules import GuardSettings
from cxplan.core.steps import AlreadyThere, Conflict, Effort, Outcome, Proceed, compare
from cxplan.core.strictness import COVERAGE, FREEZE, WITHOUT_SKILL
from cxplan.ports import Run
from cxplan.usecases.apply.cover import CoverBook
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.inflight import InFlight, seen_ending
from cxplan.usecases.apply.world import ApplyWorld
from cxplan.usecases.apply.write import NOTHING_YET, AgentWrite, Review, Written

OUTLIVED = "the desired value itself changed since the plan"


@dataclass(frozen=True, slots=True)
class Executor:
    """Executes single agents of one plan."""

    world: ApplyWorld
    run: Run
    gate: Gate
    plan_id: str
    judge: Judge
    files: Resolved
    agents: Mapping[AgentId, DesiredAgent]
    """The agents of the files without overrides, by id."""
    settings: GuardSettings
    allowed: frozenset[str]
    """The guards that are passed."""
    cover: CoverBook
    strict: bool = False
    """Whether any tag that moved since the plan is a conflict, whatever else moved."""
    rollback: str | None = None
    """The run that the plan takes back."""
    in_flight: InFlight = field(default_factory=InFlight)

    def execute(self, planned: PlannedAgent) -> Written | Ending:
        """Bring one ready agent to its outcome; an ``Ending`` where nothing was sent.

        Raises:
            TenantError: the tenant cannot be asked at all; nothing was sent for this agent.
            EvidenceError: the journal cannot be written.
        """
        result = self._attempt(planned)
        self.cover.note(planned, _left(planned, result), lambda: self._shifts(planned.id))
        return result

    def _shifts(self, agent_id: AgentId) -> ScheduleReading:
        """Read shifts for the counts alone: a tenant lost by now changes nobody's outcome."""
        try:
            return self.world.tenant.schedule(agent_id)
        except TenantError as error:
            return UnreadableSchedule(error.problem.summary)

    def _attempt(self, planned: PlannedAgent) -> Written | Ending:
        if _outlived(planned, self.world.clock.now()):
            return unwritten(planned, Outcome.STALE, OUTLIVED)
        reading = self.world.tenant.agent(planned.id)
        match reading:
            case MissingAgent():
                message = "agent.notFound: the agent is gone since the plan"
                return unwritten(planned, Outcome.CONFLICT, message)
            case UnreadAgent(reason=reason):
                return unwritten(planned, Outcome.UNREAD, reason)
            case ObservedAgent():
                return self._compare(planned, reading)

    def _compare(self, planned: PlannedAgent, seen: ObservedAgent) -> Written | Ending:
        match compare(planned.changes, state_of(seen)):
            case AlreadyThere():
                return seen_ending(planned, seen, Outcome.ALREADY_THERE, "")
            case Conflict(moved=moved):
                message = "somebody changed a planned value since the plan"
                ending = seen_ending(planned, seen, Outcome.CONFLICT, message)
                return replace(ending, etag_before=planned.etag, etag_after=seen.etag, moved=moved)
            case Proceed(changes=changes):
                return self._judged(planned, seen, changes)

    def _judged(
        self,
        planned: PlannedAgent,
        seen: ObservedAgent,
        changes: tuple[Change, ...],
        spent: Effort = NOTHING_YET,
        earlier: Attempted | None = None,
    ) -> Written | Ending:
        review = self._review(planned, seen, changes)
        if review.outcome is not None:
            return seen_ending(planned, seen, review.outcome, review.message, review.findings)
        return AgentWrite(
            self.world,
            self.run,
            self.gate,
            self.in_flight,
            self._reason(changes),
            planned.changes,
            changes,
            seen,
            review.findings,
            partial(self._review, planned),
            spent,
            earlier,
        ).settle()

    def _reason(self, changes: tuple[Change, ...]) -> str:
        if self.rollback is not None:
            return reason_text(self.plan_id, (f"rollback of run {self.rollback}",))
        return reason_text(self.plan_id, tickets(changes, self.files.declarations.overrides))

    def _wanted(self, planned: PlannedAgent, now: datetime) -> DesiredAgent:
        """Return what is wanted at this instant: of a rollback what it plans, else by the files."""
        agent = self.agents.get(planned.id) or stranger(planned.id)
        if self.rollback is not None:
            return wanted_by(agent, planned.changes, self.judge.shifts.modes)
        return self.files.agent_at(agent, now)

    def _review(
        self, planned: PlannedAgent, seen: ObservedAgent, changes: tuple[Change, ...]
    ) -> Review:
        """Judge at this instant what is still to change on a state that was just read."""
        schedule = cache(lambda: self.world.tenant.schedule(planned.id))
        now = self.world.clock.now()
        if _outlived(planned, now):
            return Review((), Outcome.STALE, OUTLIVED)
        if self.strict and seen.etag != planned.etag:
            return Review((), Outcome.CONFLICT, "the agent's ETag moved since the plan (--strict)")
        judge = self.judge.at(now)
        target = judge.target(self._wanted(planned, now), schedule)
        if _followed_elsewhere(target, changes):
            return Review((), Outcome.STALE, "the shift plan wants another mode by now")
        before = state_of(seen)
        after = changed(before, changes)
        findings = judge.judge(target, seen, changes, after, schedule)
        agent = Affected(planned.key, changes, before, after)
        findings += tuple(self._guarded(agent, now))
        if COVERAGE not in self.allowed:
            findings += tuple(self.cover.short(before, after, schedule, now))
        return _reviewed(findings)

    def _guarded(self, agent: Affected, now: datetime) -> Iterator[Finding]:
        """The plan was guarded as a whole; a fresh read and the hour may still say otherwise."""
        keeps_one = self.settings.no_agent_without_skill and WITHOUT_SKILL not in self.allowed
        if keeps_one and agent.loses_every_skill:
            message = "the agent would end without any active skill"
            yield Finding(WITHOUT_SKILL, Verdict.BLOCK, message)
        on = frozen(self.settings.freeze, now)
        stopping = [freeze for freeze in on if stopped_by((freeze,), agent)]
        if FREEZE not in self.allowed and stopping:
            name, end = stopping[0].name, utc_text(stopping[0].end)
            message = f"the freeze {name} has begun; it lasts until {end}"
            yield Finding(FREEZE, Verdict.BLOCK, message)


def _outlived(planned: PlannedAgent, now: datetime) -> bool:
    """Tell whether the files want another value by now than the plan would write."""
    return planned.holds_until is not None and planned.holds_until <= now


def _reviewed(findings: tuple[Finding, ...]) -> Review:
    """Return what the worst finding means for the agent, in the words of all bad ones."""
    verdicts = {finding.verdict for finding in findings}
    bad = "; ".join(f.message for f in findings if f.verdict in {Verdict.DEFER, Verdict.BLOCK})
    if Verdict.BLOCK in verdicts:
        return Review(findings, Outcome.BLOCKED, bad)
    if Verdict.DEFER in verdicts:
        return Review(findings, Outcome.DEFERRED, bad)
    return Review(findings)


def _left(planned: PlannedAgent, result: Written | Ending) -> tuple[AgentState, ...]:
    """Return every state that an agent may be in after its turn."""
    ending = result.ending if isinstance(result, Written) else result
    if ending.previous is None:
        return ()
    wanted = changed(ending.previous, planned.changes)
    if ending.outcome in AS_DESIRED:
        return (ending.new or wanted,)
    if isinstance(result, Written):
        known = ending.outcome is Outcome.FAILED
    else:
        known = bool(ending.findings or ending.moved)
    return (ending.previous,) if known else (ending.previous, wanted)


_UNREADY = {
    Status.DEFERRED: Outcome.DEFERRED,
    Status.BLOCKED: Outcome.BLOCKED,
    Status.UNREAD: Outcome.UNREAD,
    Status.UNCHANGED: Outcome.ALREADY_THERE,
}


def _followed_elsewhere(target: Target, changes: tuple[Change, ...]) -> bool:
    """Tell whether the shift that is to be followed has another mode than the plan would write."""
    mode = target.desired.work_mode
    wanted = mode.mode.id if isinstance(mode, DesiredMode) else None
    return any(change.scheduled and change.after != wanted for change in changes)


def unready(planned: PlannedAgent) -> Ending:
    """Return the ending of an agent that the plan itself does not write."""
    message = "; ".join(f.message for f in planned.checks if f.verdict is not Verdict.OK)
    outcome = _UNREADY[planned.status]
    return unwritten(planned, outcome, message, planned.checks)


def unwritten(
    planned: PlannedAgent, outcome: Outcome, message: str, findings: tuple[Finding, ...] = ()
) -> Ending:
    """Return an ending that knows no more of the agent than the plan does."""
    return Ending(
        planned.id,
        outcome,
        message,
        planned.changes,
        planned.before,
        findings,
        etag_before=planned.etag,
    )
