"""One agent of the plan: read again, compared, judged again, and only then written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from cxplan.core.checks import Judge, Target
from cxplan.core.diff import AgentState, Change, changed, state_of
from cxplan.core.findings import Finding, Verdict
from cxplan.core.guards import Affected
from cxplan.core.ids import AgentId
from cxplan.core.live import MissingAgent, ObservedAgent, UnreadAgent
from cxplan.core.model import DesiredAgent, DesiredMode
from cxplan.core.plan import PlannedAgent, Status
from cxplan.core.record import Ending
from cxplan.core.steps import AlreadyThere, Conflict, Outcome, Proceed, compare
from cxplan.ports import Run
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.world import ApplyWorld
from cxplan.usecases.apply.write import AgentWrite, Written


@dataclass(frozen=True, slots=True)
class Executor:
    """Executes single agents of one plan."""

    world: ApplyWorld
    run: Run
    gate: Gate
    reason: str
    judge: Judge
    desired: Mapping[AgentId, DesiredAgent]
    keep_one_skill: bool
    """Whether ``noAgentWithoutSkill`` denies."""

    def execute(self, planned: PlannedAgent) -> Written | Ending:
        """Bring one ready agent to its outcome; an ``Ending`` where nothing was sent.

        Raises:
            TenantError: the tenant cannot be asked at all; nothing was sent for this agent.
            EvidenceError: the journal cannot be written.
        """
        if planned.holds_until is not None and planned.holds_until <= self.judge.shifts.at:
            message = "the desired value itself changed since the plan"
            return unwritten(planned, Outcome.STALE, message)
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
                return _seen(planned, seen, Outcome.ALREADY_THERE, "")
            case Conflict(moved=moved):
                message = "somebody changed a planned value since the plan"
                ending = _seen(planned, seen, Outcome.CONFLICT, message)
                return replace(ending, etag_before=planned.etag, etag_after=seen.etag, moved=moved)
            case Proceed(changes=changes):
                return self._judged(planned, seen, changes)

    def _judged(
        self, planned: PlannedAgent, seen: ObservedAgent, changes: tuple[Change, ...]
    ) -> Written | Ending:
        schedule = cache(lambda: self.world.tenant.schedule(planned.id))
        target = self.judge.target(self.desired[planned.id], schedule)
        if _followed_elsewhere(target, changes):
            return _seen(planned, seen, Outcome.STALE, "the shift plan wants another mode by now")
        before = state_of(seen)
        after = changed(before, changes)
        findings = self.judge.judge(target, seen, changes, after, schedule)
        findings += self._guarded(planned, changes, before, after)
        verdicts = {finding.verdict for finding in findings}
        if Verdict.BLOCK in verdicts:
            return _judged_ending(planned, seen, Outcome.BLOCKED, findings)
        if Verdict.DEFER in verdicts:
            return _judged_ending(planned, seen, Outcome.DEFERRED, findings)
        return AgentWrite(
            self.world, self.run, self.gate, self.reason, planned.changes, changes, seen, findings
        ).settle()

    def _guarded(
        self,
        planned: PlannedAgent,
        changes: tuple[Change, ...],
        before: AgentState,
        after: AgentState,
    ) -> tuple[Finding, ...]:
        """The plan was guarded as a whole; a fresh read may still strip this agent of all."""
        stripped = Affected(planned.key, changes, before, after).loses_every_skill
        if self.keep_one_skill and stripped:
            message = "the agent would end without any active skill"
            return (Finding("noAgentWithoutSkill", Verdict.BLOCK, message),)
        return ()


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


def _seen(
    planned: PlannedAgent,
    seen: ObservedAgent,
    outcome: Outcome,
    message: str,
    findings: tuple[Finding, ...] = (),
) -> Ending:
    return Ending(
        planned.id,
        outcome,
        message,
        planned.changes,
        state_of(seen),
        findings,
        etag_before=seen.etag,
    )


def _judged_ending(
    planned: PlannedAgent, seen: ObservedAgent, outcome: Outcome, findings: tuple[Finding, ...]
) -> Ending:
    bad = [f.message for f in findings if f.verdict in {Verdict.DEFER, Verdict.BLOCK}]
    return _seen(planned, seen, outcome, "; ".join(bad), findings)
