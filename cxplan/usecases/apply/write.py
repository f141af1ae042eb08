"""One agent's write: the engine around the decision tables of ``core.steps``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cxplan.core.answers import Answer, SkillWrite, Write
from cxplan.core.checks import written
from cxplan.core.diff import (
    DEFAULT_CONCURRENT,
    Change,
    SkillState,
    changed,
    state_of,
)
from cxplan.core.errors import EvidenceError, TenantError
from cxplan.core.findings import Finding
from cxplan.core.ids import ETag, WorkModeId
from cxplan.core.live import AgentReading, ObservedAgent, UnreadAgent
from cxplan.core.record import Attempted, Ending, attempt_fields, intent_fields
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
from cxplan.usecases.apply.world import ApplyWorld


class NothingSent(EvidenceError):
    """The intent could not be written, so its PATCH did not leave."""


@dataclass(frozen=True, slots=True)
class Written:
    """How one agent ended; ``new`` for the event, ``stop`` where the run must end here."""

    ending: Ending
    before: ObservedAgent
    new: ObservedAgent | None = None
    stop: StopRun | None = None
    latencies: tuple[int, ...] = ()


@dataclass(slots=True)
class AgentWrite:
    """One agent on its way to an outcome.

    ``planned`` are the changes of the plan, ``changes`` those that are still to make against
    ``seen``, the state whose tag goes into If-Match.
    """

    world: ApplyWorld
    run: Run
    gate: Gate
    reason: str
    planned: tuple[Change, ...]
    changes: tuple[Change, ...]
    seen: ObservedAgent
    findings: tuple[Finding, ...]
    effort: Effort = field(init=False, default=Effort(0, 0.0))
    latencies: list[int] = field(init=False, default_factory=list)
    _first: ObservedAgent = field(init=False)
    _seconds: float = field(init=False, default=0.0)
    _answer: Answer | None = field(init=False, default=None)
    _landed: ObservedAgent | None = field(init=False, default=None)
    _moved: tuple[Moved, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self._first = self.seen

    def settle(self) -> Written:
        """Write, and go on until the outcome is known; the intent is on disk before.

        Raises:
            NothingSent: the intent could not be written.
            EvidenceError: an attempt could not be recorded; nothing more is sent.
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

    def _send(self) -> Decision:
        try:
            answer = self.world.tenant.write(self._payload(), self.seen)
        except TenantError as error:
            if not self.effort.attempts:
                raise
            return StopRun(error.exit_code, error.problem.summary)
        self._answer = answer
        self.gate.noted(answer)
        self.latencies.append(answer.latency_ms)
        self._seconds += answer.latency_ms / 1000
        self.effort = replace(self.effort, attempts=self.effort.attempts + 1, seconds=self._seconds)
        self.run.record("agent.attempt", attempt_fields(self.seen.id, self.effort.attempts, answer))
        return after_answer(answer, self.effort)

    def _send_again(self, why: SendAgain) -> Decision:
        """Send the same payload with the same tag, where the budget allows it."""
        if not why.asked_to_wait and not self.gate.may_send_again():
            said = f"{why.message}; too many writes had to be sent again already"
            return Settled(self.effort.given_up, said)
        self._back_off()
        return self._send()

    def _look(self, why: ReadBack) -> Decision:
        """Wait and read the agent after a write of unknown outcome."""
        self._back_off()
        reading = self._reading()
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

    def _reading(self) -> AgentReading:
        """Read the agent; a tenant that cannot be asked leaves the outcome open, not the run."""
        try:
            return self.world.tenant.agent(self.seen.id)
        except TenantError as error:
            return UnreadAgent(self.seen.id, error.problem.code, error.problem.summary)

    def _compare_again(self) -> Decision:
        """Take a newer tag only after the planned values have been compared with it."""
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
                self.changes = changes
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
            previous=state_of(self._first),
            findings=self.findings,
            new=state_of(new) if new else None,
            etag_before=self._first.etag,
            etag_after=new.etag if new else self.seen.etag,
            moved=self._moved if settled.outcome is Outcome.CONFLICT else (),
            attempted=self._attempted(),
        )
        return Written(ending, self._first, new, latencies=tuple(self.latencies))

    def _attempted(self) -> Attempted | None:
        if self._answer is None:
            return None
        return Attempted(
            self.effort.attempts, self._answer.latency_ms, self._answer, self.seen.etag
        )

    def _new_state(self, outcome: Outcome) -> ObservedAgent | None:
        """Return the state that the write left: as answered, read back where that is not whole."""
        if outcome is Outcome.CONVERGED:
            return self._landed
        if outcome is not Outcome.APPLIED or self._answer is None:
            return None
        if self._answer.etag is not None and self._answer.state is not None:
            return _overlaid(self.seen, self._answer.state, self._answer.etag)
        reading = self._reading()
        return reading if isinstance(reading, ObservedAgent) else None


def _overlaid(seen: ObservedAgent, answered: ObservedAgent, etag: ETag) -> ObservedAgent:
    """Lay an answer, which may name only what was written, over the state before."""
    skills = {held.skill_id: held for held in (*seen.skills, *answered.skills)}
    ordered = tuple(skills[key] for key in sorted(skills))
    return ObservedAgent(seen.id, etag, answered.work_mode or seen.work_mode, ordered)


def _skill_write(skill: SkillState) -> SkillWrite:
    concurrent = DEFAULT_CONCURRENT if skill.concurrent is None else skill.concurrent
    return SkillWrite(skill.skill_id, skill.level or 0, concurrent)
