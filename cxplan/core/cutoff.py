"""The journal of a run that was cut off: what it settled, what it left open, and how that ended.

A line is chained and, before the seal, signed by nobody. What is read here can make an outcome
*unknown*; a value is only ever written where the plan and a fresh read agree.

The process is gone, but a write that it had sent may still be on its way: in a socket's buffer, in
a proxy, in a queue of the tenant. Nothing bounds how long. So an agent whose last write has no
recorded answer is never called *failed* on the strength of a read that shows it unmoved: that is
*unknown*, unless the same write is sent again with the same tag, so that at most one of the two
lands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cxplan.core.answers import Answer, AvailabilityEvent, Failure
from cxplan.core.diff import Change
from cxplan.core.errors import Exit
from cxplan.core.findings import Finding, Verdict
from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.instant import parse_utc
from cxplan.core.live import AgentReading, Assignment, ObservedAgent
from cxplan.core.record import Attempted
from cxplan.core.report import WRITTEN
from cxplan.core.steps import (
    ATTEMPTS,
    SECONDS,
    CompareAgain,
    Decision,
    Effort,
    Moved,
    Outcome,
    ReadBack,
    Settled,
    StopRun,
    after_answer,
    after_reading,
)

AGAIN = "sendAgain"
"""The decision on an open write that is sent once more."""

UNSURE = Effort(0, 0.0, unsure=True, late=True)
"""What stands behind an agent whose write is sent once more: one of unknown outcome."""


@dataclass(frozen=True, slots=True)
class Told:
    """An agent's outcome, as its line has it."""

    outcome: Outcome
    message: str
    moved: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenWrite:
    """An agent with an intent and no outcome.

    ``seen`` is the state that the last intent was decided on, its tag the If-Match; ``answers``
    are those that were recorded to it, and ``findings`` what its checks said. ``late`` tells
    whether a write of an earlier intent may still land; ``attempted`` counts those of all intents.
    """

    seen: ObservedAgent
    intents: int = 1
    answers: tuple[Answer, ...] = ()
    late: bool = False
    findings: tuple[Finding, ...] = ()
    attempted: Attempted | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What ``run.end`` says."""

    exit: Exit
    stopped: str | None


EventKey = tuple[str | None, AgentId]
"""The earlier run that an event belongs to, None for this one, and the agent it is about."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What the complete lines of a journal add up to."""

    told: Mapping[AgentId, Told]
    open: Mapping[AgentId, OpenWrite]
    events: tuple[AvailabilityEvent, ...]
    """Events of changes of this run that have no outcome, by agent."""
    intended: frozenset[EventKey]
    """The events that were about to be sent, and have no outcome."""
    undelivered: int
    """How many events ended undelivered."""
    started: bool
    """Whether ``run.start`` is there."""
    ended: Ended | None
    last: datetime | None
    """When the last line was written."""


def cut_of(lines: Iterable[Mapping[str, Any]]) -> Cut:
    """Return what the complete lines of a journal say.

    Raises:
        ValueError: a line lacks what it must have; it was not written by cxplan.
    """
    reader = _Reader()
    try:
        for line in lines:
            reader.read(line)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("a line lacks what each must have") from None
    return reader.cut()


@dataclass(slots=True)
class _Reader:
    """The lines so far."""

    told: dict[AgentId, Told] = field(default_factory=dict)
    open: dict[AgentId, OpenWrite] = field(default_factory=dict)
    events: dict[AgentId, AvailabilityEvent] = field(default_factory=dict)
    intended: set[EventKey] = field(default_factory=set)
    undelivered: int = 0
    started: bool = False
    ended: Ended | None = None
    last: datetime | None = None

    def cut(self) -> Cut:
        events = tuple(self.events[agent_id] for agent_id in sorted(self.events))
        return Cut(
            self.told,
            self.open,
            events,
            frozenset(self.intended),
            self.undelivered,
            self.started,
            self.ended,
            self.last,
        )

    def read(self, line: Mapping[str, Any]) -> None:
        self.last = parse_utc(line["at"])
        match line["kind"]:
            case "run.start":
                self.started = True
            case "run.end":
                self.ended = Ended(Exit(line["exit"]), line["stopped"])
            case "agent.intent":
                self._intent(line)
            case "agent.attempt":
                self._attempt(line)
            case "agent.outcome":
                self._outcome(line)
            case "event.intent":
                self.intended.add(_event_key(line))
            case "event.outcome":
                self._event_outcome(line)
            case _:
                pass

    def _intent(self, line: Mapping[str, Any]) -> None:
        agent_id = AgentId(_text(line["agentId"]))
        seen = _observed(agent_id, line["before"], line["ifMatch"])
        write = OpenWrite(seen, findings=tuple(_finding(check) for check in line["checks"]))
        before = self.open.get(agent_id)
        if before is not None:
            effort, last = _replayed(before)
            late = effort.late or _final(last) is None
            intents, attempted = before.intents + 1, before.attempted
            write = replace(write, intents=intents, late=late, attempted=attempted)
        self.open[agent_id] = write

    def _attempt(self, line: Mapping[str, Any]) -> None:
        agent_id = AgentId(_text(line["agentId"]))
        write = self.open.get(agent_id)
        if write is None:
            return
        failure = None if line["failure"] is None else Failure(line["failure"])
        status, latency = _number(line["status"]), line["latencyMs"]
        headers = tuple((_text(name), _text(value)) for name, value in line["headers"].items())
        answer = Answer(status, failure, latency_ms=latency, headers=headers)
        before = write.attempted.attempts if write.attempted else 0
        attempted = Attempted(before + 1, answer, _tag(line["ifMatch"]))
        self.open[agent_id] = replace(write, answers=(*write.answers, answer), attempted=attempted)

    def _outcome(self, line: Mapping[str, Any]) -> None:
        agent_id = AgentId(_text(line["agentId"]))
        outcome = Outcome(line["outcome"])
        moved = tuple(_moved(part) for part in line["conflict"])
        self.told[agent_id] = Told(outcome, _text(line["message"]), moved)
        self.open.pop(agent_id, None)
        if outcome in WRITTEN and line["newState"] is not None:
            before = _observed(agent_id, line["previousState"], line["etagBefore"])
            after = _observed(agent_id, line["newState"], line["etagAfter"])
            self.events[agent_id] = AvailabilityEvent(agent_id, before, after)

    def _event_outcome(self, line: Mapping[str, Any]) -> None:
        key = _event_key(line)
        self.intended.discard(key)
        self.undelivered += line["state"] != "delivered"
        if key[0] is None:
            self.events.pop(key[1], None)


def _event_key(line: Mapping[str, Any]) -> EventKey:
    of = line["of"]
    return None if of is None else _text(of), AgentId(_text(line["agentId"]))


def _observed(agent_id: AgentId, state: Mapping[str, Any], etag: object) -> ObservedAgent:
    """Return an agent as ``document.state_document`` wrote its values."""
    mode = state["workModeId"]
    skills = (
        Assignment(
            SkillId(_text(skill["skillId"])),
            _number(skill["level"]),
            _number(skill["concurrentInteractions"]),
        )
        for skill in state["skills"]
    )
    return ObservedAgent(
        agent_id,
        _tag(etag),
        None if mode is None else WorkModeId(_text(mode)),
        tuple(sorted(skills, key=lambda held: held.skill_id)),
    )


def _tag(etag: object) -> ETag | None:
    return None if etag is None else ETag(_text(etag))


def _finding(check: Mapping[str, Any]) -> Finding:
    return Finding(_text(check["id"]), Verdict(check["verdict"]), _text(check["message"]))


def _moved(part: Mapping[str, Any]) -> Moved:
    return Moved(_text(part["path"]), part["plannedBefore"], part["current"], part["desired"])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError("not a whole number")
    return value


# --- how an open write ended ----------------------------------------------------------------


def after_cut(write: OpenWrite, changes: tuple[Change, ...], reading: AgentReading) -> Settled:
    """Return how an agent ended that was left with an intent, by what a read shows now.

    All values as desired: ``converged``. Every attempt answered, the last one for good and without
    success: as the answer said. Anything else is ``unknown``: the tag unmoved, since a write may
    still be on its way, and a tag that moved, since that may have been somebody else's write.
    """
    effort, last = _replayed(write)
    final = _final(last)
    late = effort.late or final is None
    spent = Effort(ATTEMPTS, SECONDS, unsure=True, late=late, accepted=effort.accepted)
    found = after_reading(reading, changes, write.seen.etag, spent)
    if isinstance(found, Settled) and found.outcome is Outcome.CONVERGED:
        return found
    if final is not None and not late:
        return final
    return found if isinstance(found, Settled) else Settled(Outcome.UNKNOWN)


def may_go_again(write: OpenWrite, reading: AgentReading, settled: Settled) -> bool:
    """Tell whether the write may be sent once more: of it and the old one at most one can land.

    So it is where the tag has not moved, and the tenant has not promised to make the change.
    """
    if settled.outcome is not Outcome.UNKNOWN or not isinstance(reading, ObservedAgent):
        return False
    unmoved = reading.etag is not None and reading.etag == write.seen.etag
    return unmoved and not _replayed(write)[0].accepted


def _replayed(write: OpenWrite) -> tuple[Effort, Decision | None]:
    """Return what the recorded answers had come to, by the table that decided on them then."""
    effort = Effort(0, 0.0, write.intents, unsure=write.late, late=write.late)
    last: Decision | None = None
    for answer in write.answers:
        effort = replace(effort, attempts=effort.attempts + 1)
        last = after_answer(answer, effort)
        if isinstance(last, ReadBack):
            effort = replace(
                effort, unsure=True, late=effort.late or last.late, accepted=last.accepted
            )
    return effort, last


def _final(last: Decision | None) -> Settled | None:
    """Return how the agent ended if nothing was sent after its last answer, None where it may be.

    A success is no ending here: its values are not recorded yet, so only a read can bear it out.
    Where somebody else wrote first, the next write would have had an intent of its own.
    """
    match last:
        case Settled(outcome=outcome) if outcome is not Outcome.APPLIED:
            return last
        case StopRun(message=message):
            return Settled(Outcome.FAILED, message)
        case CompareAgain():
            return Settled(Outcome.FAILED, "somebody else wrote first; nothing was sent after that")
        case _:
            return None
