"""One agent's write: the engine around the decision tables of ``core.steps``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cxplan.core.answers import Answer, Failure, SkillWrite, Write
from cxplan.core.checks import written
from cxplan.core.diff import DEFAULT_CONCURRENT, Change, SkillState, changed, state_of
from cxplan.core.errors import EvidenceError, TenantError
from cxplan.core.findings import Finding
from cxplan.core.ids import ETag, WorkModeId
from cxplan.core.live import AgentReading, Assignment, ObservedAgent, UnreadAgent
from cxplan.core.record import (
    Attempted,
    Ending,
    attempt_fields,
    intent_fields,
    read_back_fields,
)
from cxplan.core.steps import (
    COMPARE_DELAY,
    AlreadyThere,
    CompareAgain,
    Conflict,
    Decision,
    Effort,
    Moved,
    Outcome,
    Proceed,
    ReadBack,
    SendAgain,
    Settled,
    StopRun,
    after_answer,
    after_reading,
    backoff,
    compare,
)
from cxplan.ports import Run
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.inflight import InFlight, Intended, is_torn
from cxplan.usecases.apply.world import ApplyWorld

NOTHING_YET = Effort(0, 0.0)
"""What was spent on an agent that nothing was sent for."""


class NothingSent(EvidenceError):
    """The intent could not be written, so its PATCH did not leave."""


class Unrecorded(EvidenceError):
    """The answer to a write could not be recorded; ``ending`` is what it meant."""

    def __init__(self, error: EvidenceError, ending: Ending) -> None:
        """Say what ``error`` says."""
        super().__init__(error.problem.summary, code=error.problem.code, hint=error.problem.hint)
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Written:
    """How one agent ended; ``new`` for the event, ``stop`` where the run must end here."""

    ending: Ending
    before: ObservedAgent
    new: ObservedAgent | None = None
    stop: StopRun | None = None
    latencies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """What the checks say of a write; ``outcome`` is how it ends unsent, None where it may go."""

    findings: tuple[Finding, ...]
    outcome: Outcome | None = None
    message: str = ""


@dataclass(slots=True)
class AgentWrite:
    """One agent on its way to an outcome.

    ``planned`` are the changes of the plan, ``changes`` those that are still to make against
    ``seen``, the state whose tag goes into If-Match; ``review`` judges them on a newer one.
    """

    world: ApplyWorld
    run: Run
    gate: Gate
    in_flight: InFlight
    reason: str
    planned: tuple[Change, ...]
    changes: tuple[Change, ...]
    seen: ObservedAgent
    findings: tuple[Finding, ...]
    review: Callable[[ObservedAgent, tuple[Change, ...]], Review]
    effort: Effort = NOTHING_YET
    earlier: Attempted | None = None
    """What was sent before the run was cut off."""
    latencies: list[int] = field(init=False, default_factory=list)
    _before: ObservedAgent = field(init=False)
    """The state that the last intent was decided on; nothing that was sent before it landed."""
    _seconds: float = field(init=False, default=0.0)
    _answer: Answer | None = field(init=False, default=None)
    _landed: ObservedAgent | None = field(init=False, default=None)
    _moved: tuple[Moved, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self._before = self.seen

    def settle(self) -> Written:
        """Write, and go on until the outcome is known; the intent is on disk before.

        Raises:
            NothingSent: the intent could not be written.
            Unrecorded: the last attempt could not be recorded; how it ended is known.
            EvidenceError: another attempt could not be recorded; nothing more is sent.
            TenantError: the token was refused for good, and nothing was sent for this agent.
        """
        self._intend()
        self.gate.sends_first()
        decision = self._send()
        while True:
            match decision:
                case Settled():
                    return self._ended(decision)
                case StopRun():
                    ended = self._ended(Settled(self.effort.given_up, decision.message))
                    return replace(ended, stop=decision)
                case ReadBack():
                    decision = self._look(decision)
                case SendAgain():
                    decision = self._send_again(decision)
                case CompareAgain():
                    decision = self._compare_again()

    def _intend(self) -> None:
        before, etag = state_of(self.seen), self.seen.etag
        fields = intent_fields(self._payload(), before, self.changes, etag, self.findings)
        try:
            self.run.record("agent.intent", fields)
        except EvidenceError as error:
            raise NothingSent(error.problem.summary, hint=error.problem.hint) from None
        self._before = self.seen
        self.in_flight.intend(Intended(self.seen, self.changes, self.findings, self._attempted()))

    def _send(self) -> Decision:
        try:
            answer = self.world.tenant.write(self._payload(), self.seen, self._may_leave)
        except TenantError as error:
            if not self.effort.attempts:
                raise
            return StopRun(error.exit_code, error.problem.summary)
        if answer.failure is Failure.WITHDRAWN:
            return after_answer(answer, self.effort)
        self._answer = answer
        self.latencies.append(answer.latency_ms)
        self._seconds += answer.latency_ms / 1000
        self.effort = replace(self.effort, attempts=self.effort.attempts + 1, seconds=self._seconds)
        self._note(self.effort.attempts)
        decision = after_answer(answer, self.effort)
        try:
            fields = attempt_fields(self.seen.id, self.effort.attempts, answer, self.seen.etag)
            self.run.record("agent.attempt", fields)
            self.gate.noted(answer)
        except EvidenceError as error:
            if isinstance(decision, Settled):
                raise Unrecorded(error, self._ended(decision).ending) from None
            raise
        return decision

    def _may_leave(self) -> bool:
        """Let an attempt leave; it is under way before anything of it is sent."""
        leaves = self.gate.may_leave(self.seen.id)
        if leaves:
            self._note(self.effort.attempts + 1)
        return leaves

    def _note(self, attempts: int) -> None:
        self.in_flight.attempt(self.seen.id, self._sent(attempts))

    def _sent(self, attempts: int) -> Attempted:
        """Return what was sent, with what was before a cut; the answer is the last that came."""
        before = self.earlier.attempts if self.earlier else 0
        answer = self._answer or (self.earlier.answer if self.earlier else None)
        return Attempted(before + attempts, answer, self.seen.etag)

    def _send_again(self, why: SendAgain) -> Decision:
        """Send the same payload with the same tag, where the budget allows it."""
        if not why.asked_to_wait and not self.gate.may_send_again():
            said = f"{why.message}; too many writes had to be sent again already"
            return Settled(self.effort.given_up, said)
        self._back_off()
        if not self.gate.goes_on():
            return Settled(self.effort.given_up, f"{why.message}; the run had stopped")
        return self._send()

    def _look(self, why: ReadBack) -> Decision:
        """Wait and read the agent after a write of unknown outcome."""
        self._back_off()
        reading = self._whole_reading()
        self.run.record("read.back", read_back_fields(self.seen.id, reading, why.message))
        self.effort = replace(
            self.effort,
            seconds=self._seconds,
            unsure=True,
            late=self.effort.late or why.late,
            accepted=why.accepted,
        )
        if isinstance(reading, ObservedAgent):
            self._landed = reading
        return after_reading(reading, self.changes, self.seen.etag, self.effort)

    def _whole_reading(self) -> AgentReading:
        """Read the agent, and again where the write landed between its tag and its values."""
        reading = self._reading()
        if is_torn(reading, self.changes, self.seen.etag):
            reading = self._reading()
        return reading

    def _reading(self) -> AgentReading:
        """Read the agent; a tenant that cannot be asked leaves the outcome open, not the run."""
        try:
            return self.world.tenant.agent(self.seen.id)
        except TenantError as error:
            return UnreadAgent(self.seen.id, error.problem.code, error.problem.summary)

    def _compare_again(self) -> Decision:
        """Take a newer tag only after its values have been compared, and judged, like the first."""
        self._wait(COMPARE_DELAY * (1.0 + self.world.fraction()))
        reading = self._reading()
        if not isinstance(reading, ObservedAgent):
            return Settled(Outcome.CONFLICT, "somebody else wrote, and the agent cannot be read")
        self.effort = replace(self.effort, comparisons=self.effort.comparisons + 1)
        self.seen = reading
        match compare(self.planned, state_of(reading)):
            case AlreadyThere():
                return Settled(Outcome.ALREADY_THERE, "somebody else made the same change")
            case Conflict(moved=moved):
                self._moved = moved
                return Settled(Outcome.CONFLICT, "somebody else changed a planned value")
            case Proceed(changes=changes):
                return self._send_judged(changes)

    def _send_judged(self, changes: tuple[Change, ...]) -> Decision:
        """Send against the state that was just read, unless a check forbids it by now."""
        try:
            review = self.review(self.seen, changes)
        except TenantError as error:
            return StopRun(error.exit_code, error.problem.summary)
        self.changes, self.findings = changes, review.findings
        if review.outcome is not None:
            return Settled(review.outcome, review.message)
        self._intend()
        return self._send()

    def _payload(self) -> Write:
        after = changed(state_of(self.seen), self.changes)
        skills = tuple(_skill_write(skill) for skill in written(self.changes, after))
        mode = after.work_mode or WorkModeId("")
        return Write(self.seen.id, mode, skills, self.reason)

    def _back_off(self) -> None:
        self._wait(backoff(max(self.effort.attempts, 1), self.world.fraction()))

    def _wait(self, seconds: float) -> None:
        """Wait for this agent's own sake; pauses of the whole tenant are not counted to it."""
        self.world.clock.sleep(seconds)
        self._seconds += seconds

    def _ended(self, settled: Settled) -> Written:
        new = self._new_state(settled.outcome)
        ending = Ending(
            agent_id=self.seen.id,
            outcome=settled.outcome,
            message=settled.message,
            changes=self.planned,
            previous=state_of(self._before),
            findings=self.findings,
            new=state_of(new) if new else None,
            etag_before=self._before.etag,
            etag_after=new.etag if new else self.seen.etag,
            moved=self._moved if settled.outcome is Outcome.CONFLICT else (),
            attempted=self._attempted(),
        )
        return Written(ending, self._before, new, latencies=tuple(self.latencies))

    def _attempted(self) -> Attempted | None:
        return self.earlier if self._answer is None else self._sent(self.effort.attempts)

    def _new_state(self, outcome: Outcome) -> ObservedAgent | None:
        """Return the state that the write left: as answered, read back where that is not whole."""
        if outcome is Outcome.CONVERGED:
            return self._landed
        if outcome is not Outcome.APPLIED or self._answer is None:
            return None
        if self._answer.etag is not None and self._answer.state is not None:
            return _overlaid(self.seen, self._answer.state, self._answer.etag)
        reading = self._reading()
        return reading if isinstance(reading, ObservedAgent) else self._made()

    def _made(self) -> ObservedAgent:
        """Return the state that a confirmed write has made of the one it was locked to."""
        write = self._payload()
        skills = tuple(Assignment(s.skill_id, s.level, s.concurrent) for s in write.skills)
        made = ObservedAgent(write.agent_id, None, write.work_mode, skills)
        return _overlaid(self.seen, made, None)


def _overlaid(seen: ObservedAgent, answered: ObservedAgent, etag: ETag | None) -> ObservedAgent:
    """Lay an answer, which may name only what was written, over the state before."""
    skills = {held.skill_id: held for held in (*seen.skills, *answered.skills)}
    ordered = tuple(skills[key] for key in sorted(skills))
    return ObservedAgent(seen.id, etag, answered.work_mode or seen.work_mode, ordered)


def _skill_write(skill: SkillState) -> SkillWrite:
    concurrent = DEFAULT_CONCURRENT if skill.concurrent is None else skill.concurrent
    return SkillWrite(skill.skill_id, skill.level or 0, concurrent)
