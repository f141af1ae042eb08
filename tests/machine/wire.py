"""A tenant through a wire that fails: reads come in parts, and what is sent may get lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cxplan.core.answers import Answer, AvailabilityEvent, Failure, Write
from cxplan.core.errors import AuthError, UnavailableError
from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import (
    AgentReading,
    Assignment,
    MissingAgent,
    ObservedAgent,
    Schedule,
    ScheduleReading,
    TenantIdentity,
    TenantLists,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.ports import always
from tests.core.make import shift
from tests.machine.faults import UNAUTHORIZED, Fault, Lands
from tests.machine.script import Hung, Killed, Moment, Play
from tests.machine.world import Held, Sent, Shape, World


@dataclass
class Wire:
    """``ports.Tenant`` on a world, with the script of one plan or apply."""

    world: World
    play: Play
    run: Callable[[], tuple[str, int]]
    """The run that is going on, and which command goes on with it."""
    based_on: dict[AgentId, Shape] = field(default_factory=dict)
    """What the writer knew of an agent when it wrote last."""
    window: dict[AgentId, list[Shape]] = field(default_factory=dict)
    """All shapes that an agent had while it was read last."""
    locking: str = "etag"

    def connect(self, *, write: bool) -> TenantIdentity:
        del write
        return TenantIdentity("https://api.example")

    def lists(self) -> TenantLists:
        return TenantLists()

    def agent(self, agent_id: AgentId) -> AgentReading:
        self.play.at(Moment.READ, agent_id)
        how = self._broken()
        if how == "missing" or agent_id in self.world.gone:
            return MissingAgent(agent_id)
        if how == "unread":
            return UnreadAgent(agent_id, "http.json", "cut")
        return self._read(agent_id, tagged=how != "no tag")

    def _read(self, agent_id: AgentId, *, tagged: bool) -> AgentReading:
        past, world = self.world.past(agent_id), self.world
        begun = len(past) - 1
        tag, mode = world.tag(agent_id), world.shapes[agent_id].mode
        self.play.at(Moment.TORN, agent_id)
        skills = world.shapes[agent_id].skills[:1]
        self.play.at(Moment.PAGED, agent_id)
        last = skills[-1][0] if skills else ""
        skills += tuple(pair for pair in world.shapes[agent_id].skills if pair[0] > last)
        if agent_id in world.gone:
            return UnreadAgent(agent_id, "http.notFound", "gone between two pages")
        self.window[agent_id] = past[begun:]
        self.play.at(Moment.SEEN, agent_id)
        return observed(agent_id, tag if tagged else None, Shape(mode, skills))

    def _broken(self) -> str | None:
        how = self.play.reading()
        if how == "auth":
            raise AuthError("The token is refused.")
        if how == "down":
            raise UnavailableError("The tenant cannot be reached.")
        return how

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        self.play.at(Moment.SHIFTS, agent_id)
        if self._broken() is not None:
            return UnreadableSchedule("cut")
        mode = self.world.on_shift.get(agent_id, "available")
        return Schedule() if mode is None else Schedule((shift(-3, 11, mode),))

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        agent = change.agent_id
        self.play.at(Moment.TURN, agent)
        if not may_leave():
            return Answer(None, Failure.WITHDRAWN, detail="the run had stopped")
        sent = Sent(change, seen.etag, *self.run())
        self.based_on[agent] = shape_of(seen)
        self._leave(sent)
        fault = self.play.fault()
        if fault is UNAUTHORIZED:
            raise AuthError("The token is refused.")
        landed = self._lands(sent, fault)
        answer = self._answer(sent, fault, landed=landed)
        self.play.at(Moment.DONE, agent)
        return answer

    def _leave(self, sent: Sent) -> None:
        """A write that has left can arrive though nobody is there any more to hear of it."""
        try:
            self.play.at(Moment.SEND, sent.agent)
        except (Killed, Hung):
            self.world.under_way.append(sent)
            raise

    def _lands(self, sent: Sent, fault: Fault) -> bool:
        match fault.lands:
            case Lands.NOW:
                return self.world.receive(sent)
            case Lands.PART:
                return self.world.receive(sent, whole=False)
            case Lands.LATER:
                self.world.under_way.append(sent)
                return False
            case Lands.NEVER:
                return False

    def _answer(self, sent: Sent, fault: Fault, *, landed: bool) -> Answer:
        refused = fault.lands in {Lands.NOW, Lands.PART} and not landed
        if refused and (fault.answer is None or fault.answer.succeeded):
            return Answer(404 if sent.agent in self.world.gone else 412)
        if fault.answer is not None:
            return fault.answer
        if not fault.keep_tag:
            return Answer(200, latency_ms=5)
        tag = self.world.tag(sent.agent)
        state = observed(sent.agent, tag, _named(self.world.shapes[sent.agent], sent.write))
        return Answer(200, etag=tag, state=state, latency_ms=5)

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        del at
        answer = self.play.told()
        self.play.at(Moment.TOLD, event.agent_id)
        return answer


def observed(agent: AgentId, tag: ETag | None, shape: Shape) -> ObservedAgent:
    """A shape as the client knows it."""
    skills = tuple(
        Assignment(SkillId(skill), held.level, held.concurrent, held.maximum)
        for skill, held in shape.skills
    )
    return ObservedAgent(agent, tag, WorkModeId(shape.mode) if shape.mode else None, skills)


def shape_of(seen: ObservedAgent) -> Shape:
    skills = tuple((str(s.skill_id), Held(s.level, s.concurrent, s.maximum)) for s in seen.skills)
    return Shape(seen.work_mode, skills)


def _named(shape: Shape, write: Write) -> Shape:
    """What an answer shows: the mode and the skills that the write named."""
    named = {skill.skill_id for skill in write.skills}
    return Shape(shape.mode, tuple(pair for pair in shape.skills if pair[0] in named))
