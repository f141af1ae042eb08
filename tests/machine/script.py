"""What happens to a run from outside, and when: drawn before, played while the engine works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cxplan.core.answers import Answer
from cxplan.core.errors import AuthError, EvidenceError, Exit
from cxplan.core.ids import AgentId
from tests.machine.faults import FAULTS, THROUGH, Fault
from tests.machine.world import Held, Shape, World
from tests.usecases.fake import FakeClock


class Killed(BaseException):
    """``kill -9``: nothing that the engine catches."""


class Hung(BaseException):
    """An exchange that never comes back: whoever started it waits until the process ends."""


class Moment(StrEnum):
    """Where something may happen; a journal's moments are ``kind<`` before and ``kind>`` after."""

    READ = "read"
    TORN = "torn"
    """Between the tag and the values of one reading."""
    PAGED = "paged"
    """Between two pages of values."""
    SEEN = "seen"
    SHIFTS = "shifts"
    TURN = "turn"
    """The PATCH may leave, unless the run has stopped."""
    SEND = "send"
    """The PATCH has left and not arrived."""
    DONE = "done"
    """It is made, or not, and nobody knows yet."""
    TOLD = "told"
    """An event was published."""


EXCHANGES = (
    *(Moment.READ, Moment.TORN, Moment.PAGED, Moment.SHIFTS),
    *(Moment.TURN, Moment.SEND, Moment.DONE),
)
RECORDS = (
    "open",
    "run.start",
    "agent.intent",
    "agent.attempt",
    "agent.outcome",
    "event.intent",
    "event.outcome",
    "run.end",
    "recovery.start",
    "recovery.outcome",
    "seal",
)
MOMENTS = (
    *(moment.value for moment in Moment),
    *(f"{kind}{side}" for kind in RECORDS for side in "<>"),
)


# --- the acts -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edit:
    """Somebody sets one value; ``whom`` 0 is the agent at hand, else an agent by number."""

    whom: int
    part: str
    skill: str
    value: int | str

    def of(self, shape: Shape) -> Shape:
        if self.part == "mode":
            return replace(shape, mode=str(self.value))
        if self.part == "drop":
            return shape.having(self.skill, None)
        held, number = shape.held(self.skill), int(self.value)
        if self.part == "level":
            known = held or Held(None, 1)
            concurrent = (known.concurrent or 1) if number else 0
            return shape.having(self.skill, replace(known, level=number, concurrent=concurrent))
        if held is not None and self.part != "touch":
            return shape.having(self.skill, replace(held, **{self.part: number}))
        return shape


@dataclass(frozen=True, slots=True)
class Contend:
    """Somebody sets the level of the first skill that the plan changes of the agent at hand."""

    level: int


@dataclass(frozen=True, slots=True)
class Leave:
    """An agent is deleted; or, if it was, it is there again."""

    whom: int


@dataclass(frozen=True, slots=True)
class Replan:
    """Somebody plans an agent's shift in another mode, or takes it away."""

    whom: int
    mode: str | None


@dataclass(frozen=True, slots=True)
class Deliver:
    """A write that was under way arrives."""

    which: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The next read ends like this."""

    how: str


@dataclass(frozen=True, slots=True)
class Begin:
    """Another worker takes the next agent, and brings it to its end before this one goes on."""


@dataclass(frozen=True, slots=True)
class Signal:
    code: Exit


@dataclass(frozen=True, slots=True)
class Hang:
    """An exchange hangs until a signal makes the run leave it behind."""

    code: Exit


@dataclass(frozen=True, slots=True)
class Disk:
    """From the next record on nothing can be written; ``kept`` tells whether that one is there."""

    kept: bool


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Kill:
    """The process is gone."""


Breaking = Reading | Signal | Hang | Disk | Kill
Act = Edit | Contend | Leave | Replan | Deliver | Begin | Wait | Breaking


@dataclass(frozen=True, slots=True)
class Script:
    """Acts by moment and how often it has come before; the PATCHes' faults by name, one by one."""

    acts: tuple[tuple[str, int, Act], ...] = ()
    faults: tuple[str, ...] = ()
    events: tuple[Answer | None, ...] = ()
    """Answers to the events; None where the token is refused."""


# --- playing them -----------------------------------------------------------------------------


@dataclass
class Play:
    """One run's script while it goes on."""

    script: Script
    world: World
    clock: FakeClock
    begin: Callable[[], None] = lambda: None
    """Starts the next agent, where one may start."""
    planned: Callable[[AgentId], str | None] = lambda _agent: None
    """The first skill that the plan changes of an agent."""
    pause: Callable[[], None] = lambda: None
    """Is called at every moment."""
    signal: Exit | None = None
    disk: Disk | None = None
    done: Counter[str] = field(default_factory=Counter)
    """The acts and the faults that were played, by name."""
    _reading: str | None = None
    _count: Counter[str] = field(default_factory=Counter)
    _faults: int = 0
    _events: int = 0
    _failed: bool = False

    def at(self, moment: str, agent: AgentId | None = None) -> None:
        """A moment has come."""
        self.pause()
        nth = self._count[moment]
        self._count[moment] += 1
        for when, number, act in self.script.acts:
            if when == moment and number == nth:
                self.done[type(act).__name__] += 1
                self._do(act, agent, moment)

    def fault(self) -> Fault:
        """What becomes of the next PATCH."""
        self._faults += 1
        faults = self.script.faults
        fault = FAULTS[faults[self._faults - 1]] if self._faults <= len(faults) else THROUGH
        self.done[fault.name] += 1
        return fault

    def told(self) -> Answer:
        """What the next event is answered."""
        self._events += 1
        events = self.script.events
        answer = events[self._events - 1] if self._events <= len(events) else Answer(202)
        if answer is None:
            raise AuthError("The token is refused.")
        return answer

    def reading(self) -> str | None:
        """How the read that begins ends, None for as it should."""
        how, self._reading = self._reading, None
        return how

    def record(self, line: Callable[[], None]) -> None:
        """Put a line on disk, unless there is no room; the one that fails first may be there."""
        if self.disk is None:
            line()
            return
        if self.disk.kept and not self._failed:
            line()
        self._failed = True
        raise EvidenceError("No space left for the journal.", code="audit.disk")

    def _do(self, act: Act, agent: AgentId | None, moment: str) -> None:
        match act:
            case Edit() | Leave() | Replan():
                interfere(self.world, act, agent)
            case Contend(level=level):
                skill = agent and self.planned(agent)
                if skill:
                    interfere(self.world, Edit(0, "level", skill, level), agent)
            case Deliver(which=which):
                self.world.deliver(which)
            case Begin():
                self.begin()
            case Wait(seconds=seconds):
                self.clock.sleep(seconds)
            case Reading() | Signal() | Disk() | Hang() | Kill():
                self._break(act, moment)

    def _break(self, act: Breaking, moment: str) -> None:
        """Let something of the run itself fail."""
        match act:
            case Reading(how=how):
                self._reading = how
            case Signal(code=code):
                self.signal = code
            case Disk():
                self.disk = self.disk or act
            case Hang(code=code):
                if moment in EXCHANGES:
                    self.signal = code
                    raise Hung
            case Kill():
                raise Killed


def interfere(world: World, act: Edit | Leave | Replan, at_hand: AgentId | None = None) -> None:
    """Let somebody else do something at the tenant."""
    agents = sorted(world.shapes)
    whom = agents[(act.whom - 1) % len(agents)] if act.whom or at_hand is None else at_hand
    match act:
        case Edit():
            if whom not in world.gone:
                world.edit(whom, act.of(world.shapes[whom]))
        case Leave():
            world.gone ^= {whom}
        case Replan(mode=mode):
            world.on_shift[whom] = mode
