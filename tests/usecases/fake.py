"""The ports, implemented in memory: a tenant, a ledger, a clock that moves when somebody sleeps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from cxplan.core.address import Origin
from cxplan.core.answers import Answer, AvailabilityEvent, Failure, Write
from cxplan.core.document import plan_bytes
from cxplan.core.due import Past
from cxplan.core.errors import EvidenceError, Exit
from cxplan.core.evidence import Actor, Closing, Head, Opening, RunStory, VerifyReport
from cxplan.core.history import History
from cxplan.core.ids import AgentId, ETag, WorkModeId
from cxplan.core.instant import utc_millis
from cxplan.core.live import (
    AgentReading,
    Assignment,
    MissingAgent,
    ObservedAgent,
    Schedule,
    ScheduleReading,
    TenantIdentity,
    TenantLists,
)
from cxplan.core.model import Declarations, Source
from cxplan.core.outbox import Undelivered
from cxplan.core.plan import Plan
from cxplan.core.report import RunReport
from cxplan.core.strictness import Allowance
from cxplan.planfile.files import parse_plan
from cxplan.ports import LeavableWorkers, always
from cxplan.usecases.apply import (
    ApplyRequest,
    ApplyWorld,
    Loaded,
    Recovered,
    apply_plan,
    recover_run,
    resume_run,
)
from cxplan.usecases.plan import PlanRequest, World, make_plan
from tests.core.make import NOW

Item = TypeVar("Item")
Output = TypeVar("Output")


@dataclass
class FakeClock:
    """Stands still but for what is slept."""

    at: datetime = NOW
    seconds: float = 0.0

    def now(self) -> datetime:
        return self.at + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class FakeIds:
    """Counts."""

    count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.count):012d}"


@dataclass
class FakeTenant:
    """Agents with versions; ``on_write`` may put something in the way of a PATCH."""

    agents: dict[AgentId, ObservedAgent]
    schedules: dict[AgentId, ScheduleReading] = field(default_factory=dict)
    listed: TenantLists = field(default_factory=TenantLists)
    readings: dict[AgentId, AgentReading] = field(default_factory=dict)
    """What a read answers in place of the state."""
    on_write: Callable[[Write, Callable[[], Answer]], Answer] | None = None
    on_publish: Callable[[AvailabilityEvent], Answer] | None = None
    writes: list[Write] = field(default_factory=list)
    landed: list[Write] = field(default_factory=list)
    events: list[AvailabilityEvent] = field(default_factory=list)
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(100))
    locking: str = "etag"
    identity: TenantIdentity = field(default_factory=lambda: TenantIdentity("https://api.example"))

    def connect(self, *, write: bool) -> TenantIdentity:
        del write
        return self.identity

    def agent(self, agent_id: AgentId) -> AgentReading:
        if agent_id in self.readings:
            return self.readings[agent_id]
        return self.agents.get(agent_id) or MissingAgent(agent_id)

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        return self.schedules.get(agent_id, Schedule())

    def lists(self) -> TenantLists:
        return self.listed

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        if not may_leave():
            return Answer(None, Failure.WITHDRAWN, detail="the run had stopped")
        self.writes.append(change)
        if self.on_write is not None:
            return self.on_write(change, lambda: self._commit(change, seen))
        return self._commit(change, seen)

    def _commit(self, change: Write, seen: ObservedAgent) -> Answer:
        live = self.agents[change.agent_id]
        if live.etag != seen.etag:
            return Answer(412)
        skills = {held.skill_id: held for held in live.skills}
        for skill in change.skills:
            found = skills.get(skill.skill_id)
            maximum = found.maximum if found else None
            skills[skill.skill_id] = Assignment(
                skill.skill_id, skill.level, skill.concurrent, maximum
            )
        self.put(change.agent_id, change.work_mode, skills.values())
        self.landed.append(change)
        state = self.agents[change.agent_id]
        return Answer(200, etag=state.etag, state=state, latency_ms=5)

    def put(self, agent_id: AgentId, mode: WorkModeId | None, skills: Iterable[Assignment]) -> None:
        """Set an agent's state, under a new tag."""
        ordered = tuple(sorted(skills, key=lambda held: held.skill_id))
        tag = ETag(f'"{next(self.versions)}"')
        self.agents[agent_id] = ObservedAgent(agent_id, tag, mode, ordered)

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        del at
        answer = self.on_publish(event) if self.on_publish else Answer(202)
        if answer.status == 202:
            self.events.append(event)
        return answer


class Killed(BaseException):
    """The process is gone; nobody catches this."""


@dataclass
class FakeRun:
    """A journal in memory; ``fail_at`` is the number of the line that cannot be written.

    ``dies_at`` is the number of the line before which the process is killed.
    """

    id: str
    fail_at: int | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    sealed: Closing | None = None
    plan: bytes = b""
    dies_at: int | None = None

    @property
    def records(self) -> tuple[dict[str, Any], ...]:
        return tuple({"at": utc_millis(NOW)} | line for line in self.lines)

    def again(self, fields: Mapping[str, Any]) -> None:
        self.record("recovery.start", fields)

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        if self.dies_at is not None and len(self.lines) + 1 >= self.dies_at:
            raise Killed
        if self.fail_at is not None and len(self.lines) + 1 >= self.fail_at:
            raise EvidenceError("No space left for the journal.", code="audit.disk")
        self.lines.append({"kind": kind} | dict(fields))

    def seal(self, closing: Closing) -> Head:
        self.sealed = closing
        return Head("ledger", 1, "0" * 64, self.id, "folder", "", "", "", closing.exit, {})

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The lines of one kind."""
        return [line for line in self.lines if line["kind"] == kind]


@dataclass
class FakeLedger:
    """Keeps its only run."""

    fail_at: int | None = None
    run: FakeRun | None = None
    opening: Opening | None = None
    done: dict[str, str] = field(default_factory=dict)
    outbox: tuple[Undelivered, ...] = ()
    dies_at: int | None = None
    never_began: bool = False
    """Whether the run was cut off before its opening was on disk."""
    others: tuple[str, ...] = ()
    """Further runs that are not sealed."""

    @contextmanager
    def lock(self, *, plan_id: str, unsealed: bool = False) -> Iterator[None]:
        del plan_id, unsealed
        yield

    def cut_off(self) -> Sequence[str]:
        own = (self.run.id,) if self.run and self.run.sealed is None else ()
        return (*own, *self.others)

    def reopen(self, run: str) -> FakeRun | None:
        assert self.run is not None
        assert (self.run.id, self.run.sealed) == (run, None)
        return None if self.never_began else self.run

    def applied(self, plan_id: str) -> str | None:
        return self.done.get(plan_id)

    def prepare(self) -> None:
        """The key is good."""

    def begin(self, opening: Opening, plan: bytes) -> FakeRun:
        self.opening = opening
        self.run = FakeRun(opening.run_id, self.fail_at, plan=plan, dies_at=self.dies_at)
        return self.run

    def undelivered(self) -> tuple[Undelivered, ...]:
        return self.outbox

    def runs(self) -> Iterator[Head]:
        return iter(())

    def story(self, run: str) -> RunStory:
        raise NotImplementedError

    def verify(self, runs: Sequence[str] = (), *, expect_head: str | None = None) -> VerifyReport:
        raise NotImplementedError


@dataclass
class FakeSource:
    """Declarations that stand on line 1 of every file."""

    declarations: Declarations

    def read(self) -> Declarations:
        return self.declarations

    def locate(self, source: Source) -> Origin:
        return Origin(source.layer.file, 1, 1)


@dataclass
class FakeMemory:
    """Remembers what it is given."""

    history: History
    settled: Past = field(default_factory=Past)

    def last_values(self, tenant: str) -> History:
        del tenant
        return self.history

    def past(self, tenant: str) -> Past:
        del tenant
        return self.settled


class Silent:
    """Nobody watches."""

    def start(self, what: str, total: int) -> None:
        """Nothing."""

    def step(self, note: str = "") -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""


class InOrder:
    """No threads."""

    def map(
        self, function: Callable[[Item], Output], items: Iterable[Item], *, width: int
    ) -> Iterator[Output]:
        del width
        return map(function, items)

    def briefly(
        self, function: Callable[[Item], Output], items: Sequence[Item], *, seconds: float
    ) -> tuple[Output | None, ...]:
        del seconds
        return tuple(map(function, items))


@dataclass
class Stage:
    """Everything joined: plan and apply on a fake tenant."""

    declarations: Declarations
    tenant: FakeTenant
    ledger: FakeLedger = field(default_factory=FakeLedger)
    clock: FakeClock = field(default_factory=FakeClock)
    stop: Callable[[], Exit | None] = lambda: None
    in_order: Callable[[], AbstractContextManager[None]] = nullcontext
    history: History = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    allowed: tuple[Allowance, ...] = ()
    workers: LeavableWorkers = field(default_factory=InOrder)

    def plan(self) -> Plan:
        return self.planned()

    def planned(self, **asked: Any) -> Plan:
        """Plan with what a request may ask beside."""
        world = World(
            FakeSource(self.declarations),
            self.tenant,
            self.clock,
            InOrder(),
            Silent(),
            FakeMemory(self.history, self.past),
        )
        request = PlanRequest(None, timedelta(hours=24), 1, "0", **asked)
        return make_plan(world, request, self.declarations)

    def apply(self, plan: Plan) -> RunReport:
        loaded = Loaded(plan, plan_bytes(plan), self.declarations)
        return apply_plan(self._world(), self._request(), lambda: loaded)

    def recover(self) -> Recovered:
        """Settle and seal the run that was cut off."""
        run = self.journal.id
        return recover_run(self._world(), self._request(), run, lambda data: parse_plan(data, "p"))

    def resume(self) -> RunReport:
        """Go on with the run that was cut off."""

        def load(data: bytes) -> Loaded:
            return Loaded(parse_plan(data, "p"), data, self.declarations)

        return resume_run(self._world(), self._request(), self.journal.id, load)

    def _world(self) -> ApplyWorld:
        return ApplyWorld(
            self.tenant,
            self.ledger,
            self.clock,
            FakeIds(),
            Silent(),
            self.workers,
            1,
            lambda: 0.5,
            self.stop,
            self.in_order,
        )

    def _request(self) -> ApplyRequest:
        return ApplyRequest("p.json", self.allowed, Actor("user", "somebody"), None, "0")

    @property
    def journal(self) -> FakeRun:
        assert self.ledger.run is not None
        return self.ledger.run
