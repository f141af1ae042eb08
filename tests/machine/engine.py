"""The real engine on a model tenant: plan, apply with a script, and what it said of each agent."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn, TypeVar

from cxplan.core.errors import CxplanError
from cxplan.core.evidence import Actor
from cxplan.core.ids import AgentId
from cxplan.core.model import Declarations
from cxplan.core.plan import Plan
from cxplan.core.report import RunReport
from cxplan.ports import Ledger, Tenant
from cxplan.usecases.apply import (
    ApplyRequest,
    ApplyWorld,
    Loaded,
    apply_plan,
    recover_run,
    resume_run,
)
from cxplan.usecases.plan import PlanRequest, make_plan
from cxplan.usecases.plan import World as PlanWorld
from tests.machine.books import Books, Journal
from tests.machine.script import Hung, Killed, Play, Script
from tests.machine.wire import Wire
from tests.machine.world import World, first_skill, planned_in, still_open, wishes
from tests.usecases.fake import FakeClock, FakeIds, FakeMemory, FakeSource, InOrder, Silent

Item = TypeVar("Item")
Output = TypeVar("Output")


def _same_tenant(tenant: Tenant) -> Tenant:
    return tenant


def _same_ledger(ledger: Ledger) -> Ledger:
    return ledger


@dataclass(frozen=True)
class Engine:
    """The engine, with something put between it and its ports: nothing, or what makes it wrong."""

    tenant: Callable[[Tenant], Tenant] = _same_tenant
    ledger: Callable[[Ledger], Ledger] = _same_ledger


RIGHT = Engine()
REQUEST = ApplyRequest("p.json", (), Actor("user", "somebody"), None, "0")
QUIET = Script()


@dataclass
class Interleaved:
    """``ports.Workers`` without threads: at any moment of an agent another may be begun.

    The one begun comes to its end before the one that was interrupted goes on.
    """

    _begin: Callable[[], None] | None = None
    _left: bool = False
    """Whether somebody hangs, so that nobody is waited for any more."""

    def map(
        self, function: Callable[[Item], Output], items: Iterable[Item], *, width: int
    ) -> Iterator[Output]:
        del width
        left = deque(enumerate(items))
        done: dict[int, Callable[[], Output]] = {}

        def begin() -> None:
            if left:
                number, item = left.popleft()
                try:
                    result = function(item)
                    done[number] = lambda: result
                except Hung:
                    self._left = True
                except CxplanError as error:
                    done[number] = partial(_raise, error)

        self._begin = begin
        for number in range(len(left)):
            if number not in done and not self._left:
                begin()
            if self._left:
                return
            yield done[number]()

    def briefly(
        self, function: Callable[[Item], Output], items: Sequence[Item], *, seconds: float
    ) -> tuple[Output | None, ...]:
        del seconds
        return tuple(_unless_hung(function, item) for item in items)

    def begin(self) -> None:
        """Take the next agent, if there is one."""
        if self._begin is not None:
            self._begin()


def _raise(error: CxplanError) -> NoReturn:
    raise error


def _unless_hung(function: Callable[[Item], Output], item: Item) -> Output | None:
    try:
        return function(item)
    except Hung:
        return None


@dataclass(frozen=True)
class Claim:
    """What a run said of an agent, on disk or to its caller."""

    run: str
    plan: str
    agent: AgentId
    outcome: str
    shown: bool = True
    """Whether the last read before it can have shown the values that were to be written."""
    session: int | None = None
    """The command whose end it was said at, where the run may be gone on with; None for always."""


@dataclass
class Bench:
    """One tenant, one ledger, the files, and everything that was said."""

    engine: Engine
    world: World
    files: Declarations
    clock: FakeClock = field(default_factory=FakeClock)
    ids: FakeIds = field(default_factory=FakeIds)
    plans: dict[str, Plan] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    reports: list[tuple[Journal, RunReport]] = field(default_factory=list)
    refusals: list[CxplanError] = field(default_factory=list)
    played: Counter[str] = field(default_factory=Counter)
    pause: Callable[[], None] = lambda: None
    """Is called at every moment of a command."""
    wire: Wire = field(init=False)
    books: Books = field(init=False)

    def __post_init__(self) -> None:
        play = Play(QUIET, self.world, self.clock)
        self.books = Books(self._heard, play)
        self.world.witness = self.intents
        self.wire = Wire(self.world, play, lambda: self.books.running)

    def intents(self, run: str, agent: AgentId) -> tuple[dict[str, Any], ...]:
        """The intents about an agent that are on disk in one of its runs."""
        return tuple(
            line
            for journal in self.books.journals
            if journal.id == run
            for line in journal.of("agent.intent", agent)
        )

    def plan(self, script: Script = QUIET) -> Plan:
        """Plan while somebody else is at the tenant.

        Raises:
            TenantError: it cannot be reached.
        """
        self.clock.sleep(1.0)
        world = PlanWorld(
            FakeSource(self.files),
            Wire(self.world, Play(script, self.world, self.clock), lambda: ("", 0)),
            self.clock,
            InOrder(),
            Silent(),
            FakeMemory({}),
        )
        plan = make_plan(world, PlanRequest(None, timedelta(hours=24), 1, "0"), self.files)
        self.plans[plan.plan_id] = plan
        return plan

    def apply(self, plan: Plan, script: Script) -> RunReport | None:
        """Apply a plan; None where it was refused or the process was killed."""
        self.wire.based_on.clear()
        loaded = Loaded(plan, b"", self.files)
        return self._run(plan, script, lambda world: apply_plan(world, REQUEST, lambda: loaded))

    def recover(self, script: Script) -> RunReport | None:
        """Settle the run that was cut off, and write nothing."""
        run, plan = self._cut()
        return self._run(
            plan, script, lambda world: recover_run(world, REQUEST, run, lambda _: plan).report
        )

    def resume(self, script: Script) -> RunReport | None:
        """Go on with the run that was cut off."""
        run, plan = self._cut()
        loaded = Loaded(plan, b"", self.files)
        return self._run(
            plan, script, lambda world: resume_run(world, REQUEST, run, lambda _: loaded)
        )

    def _cut(self) -> tuple[str, Plan]:
        journal = self.books.unsealed
        assert journal is not None
        return journal.id, self.plans[journal.plan_id]

    def _run(
        self, plan: Plan, script: Script, command: Callable[[ApplyWorld], RunReport | None]
    ) -> RunReport | None:
        workers = Interleaved()
        play = Play(
            script,
            self.world,
            self.clock,
            lambda: self._begin(workers),
            lambda agent: first_skill(plan, agent),
            self.pause,
        )
        self.books.play = self.wire.play = play
        try:
            report = self._ran(lambda: command(self._apply_world(workers, play)))
        except Killed:
            report = None
        self.played += play.done
        if report is not None and report.run_id is not None:
            self._reported(self.books.journal(report.run_id), report)
        return report

    def _ran(self, command: Callable[[], RunReport | None]) -> RunReport | None:
        """Run a command; it may refuse, but not once it has announced a write."""
        intents = self._intended()
        try:
            return command()
        except CxplanError as refusal:
            if self._intended() > intents:
                raise
            self.refusals.append(refusal)
            return None

    def _intended(self) -> int:
        """How many writes were ever announced."""
        return sum(len(journal.of("agent.intent")) for journal in self.books.journals)

    def happened(self) -> Counter[str]:
        """What was said and what was done, as counts of words."""
        said = Counter(claim.outcome for claim in self.claims)
        refused = Counter(refusal.problem.code for refusal in self.refusals)
        return said + refused + self.played

    def _apply_world(self, workers: Interleaved, play: Play) -> ApplyWorld:
        fractions = iter(range(10**9))
        return ApplyWorld(
            self.engine.tenant(self.wire),
            self.engine.ledger(self.books),
            self.clock,
            self.ids,
            Silent(),
            workers,
            1,
            lambda: (next(fractions) % 4 + 1) / 5,
            lambda: play.signal,
            nullcontext,
        )

    def _begin(self, workers: Interleaved) -> None:
        """Begin another agent, unless agents wait for one another: here none can be waited for."""
        if not self.books.journals[-1].waits:
            workers.begin()

    def _heard(self, journal: Journal, line: dict[str, Any]) -> None:
        if line["kind"] == "agent.outcome":
            agent, outcome = line["agentId"], line["outcome"]
            shown = outcome != "converged" or self._shown(self.plans[journal.plan_id], agent)
            self.claims.append(Claim(journal.id, journal.plan_id, agent, outcome, shown))

    def _shown(self, plan: Plan, agent: AgentId) -> bool:
        """Whether each value that was sent stood there at some moment of the last read."""
        wanted = wishes(planned_in(plan, agent))
        if agent in self.wire.based_on:
            wanted = still_open(wanted, self.wire.based_on[agent])
        window = self.wire.window[agent]
        return all(any(s.value(w.key) == w.after for s in window) for w in wanted)

    def _reported(self, journal: Journal, report: RunReport) -> None:
        """Keep what a command said to its caller; of an agent without a line it is for now."""
        self.reports.append((journal, report))
        for agent in report.agents:
            lasting = bool(journal.of("agent.outcome", agent.id))
            session = None if lasting else self.books.session
            outcome = agent.outcome.value
            claim = Claim(journal.id, report.plan_id, agent.id, outcome, session=session)
            self.claims.append(claim)
