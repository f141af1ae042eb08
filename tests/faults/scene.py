"""A plan for a few agents on a simulated tenant, applied while something goes wrong.

After every apply the tenant's own change log and the bundle are held against each other, entirely.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.records import RequestEntry
from cxplan.simulator.rules import Rule, RuleBook
from cxplan.simulator.spec import AgentSpec, HoldingSpec, ShiftSpec, TenantSpec
from cxplan.simulator.world import World
from cxplan.wiring.system import SystemClock
from tests.cli.kit import Bench, Done, bench
from tests.cli.small import FILES, MODES, SKILLS
from tests.faults.agree import Bundle, Log, Mark, Tenant, agree, nothing, whole_lines

TOP = Path(__file__).parents[2]
TOKEN = "/oauth/token"
EVENTS = "/api/v2/events/publish"
ANY = "/api/v2/agents/*/workmodes"
LATER = "agent-later"
"""Is off shift, so that the plan does not change it now."""


def agent(number: int) -> str:
    return f"agent-{number:02d}"


def write(number: int) -> str:
    """Where the PATCH of an agent goes."""
    return f"/api/v2/agents/{agent(number)}/workmodes"


def read(number: int) -> str:
    return f"/api/v2/agents/{agent(number)}"


def ids(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """The first of each row, for the names of tests."""
    return [row[0] for row in rows]


def nightly(*values: Any, id: str) -> Any:  # noqa: A002 - as pytest calls it
    """A row that differs little from one beside it."""
    return pytest.param(*values, id=id, marks=pytest.mark.nightly)


def header(name: str, *values: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ((name, values),)


def spec(agents: int) -> TenantSpec:
    """Agents on shift, and one off shift."""
    now = datetime.now(UTC)
    on = ShiftSpec(now - timedelta(hours=3), now + timedelta(hours=3), "m-available")
    off = ShiftSpec(now + timedelta(hours=5), now + timedelta(hours=9), "m-available")
    held = (HoldingSpec("s-voice", 5, 1, 1), HoldingSpec("s-chat", 5, 2, 4))
    people = [
        AgentSpec(agent(n), f"Person {n}", "t", "m-available", held, (on,))
        for n in range(1, agents + 1)
    ]
    people.append(AgentSpec(LATER, "Later", "t", "m-available", held, (off,)))
    return TenantSpec("test", SKILLS, MODES, tuple(people))


def files(agents: int) -> dict[str, str]:
    """Everybody gets better at voice, and who is off shift gets a work mode."""
    lines = ["team: Many", "members:"]
    lines += [
        f'  m{n:02d}: {{id: "{agent(n)}", skills: {{voice: senior}}}}' for n in range(1, agents + 1)
    ]
    lines.append(f'  later: {{id: "{LATER}", workMode: training}}')
    guards = "guards:\n  maxAgentsChanged: off\n  maxSkillsRemoved: off\n"
    return FILES | {"team.yaml": "\n".join(lines) + "\n", "guards.yaml": guards}


@contextmanager
def hastened(times: float) -> Iterator[None]:
    """Let the machine's clock run so many times faster, for the command and the tenant alike.

    What the simulator delays by a rule stays in real milliseconds.
    """
    wall, began = datetime.now(UTC), time.monotonic()

    def monotonic(_: SystemClock) -> float:
        return time.monotonic() * times

    def now(_: SystemClock) -> datetime:
        return wall + timedelta(seconds=(time.monotonic() - began) * times)

    def sleep(_: SystemClock, seconds: float) -> None:
        time.sleep(seconds / times)

    with pytest.MonkeyPatch.context() as patch:
        for function in (monotonic, now, sleep):
            patch.setattr(SystemClock, function.__name__, function)
        yield


@dataclass(frozen=True)
class Ran:
    """An apply that ended, the bundle it left and what the tenant saw."""

    done: Done
    bundle: Bundle
    log: Log

    def attempts(self, number: int) -> list[Any]:
        return self.bundle.kind("agent.attempt", agent(number))

    def outcome(self, number: int) -> str:
        return self.bundle.outcomes[agent(number)]

    def record(self, number: int) -> Any:
        """The record of an agent."""
        return self.bundle.one("agent.outcome", agent(number))

    def planned(self, number: int) -> Any:
        """What the plan says of an agent."""
        (found,) = [a for a in self.bundle.plan["agents"] if a["agent"]["id"] == agent(number)]
        return found

    def sent(self, number: int) -> list[RequestEntry]:
        """The PATCHes for an agent."""
        return [p for p in self.log.patches if p.agent_id == agent(number)]


@dataclass
class Scene:
    """A bench with a plan for some agents."""

    on: Bench
    watched: Tenant = field(init=False)

    def __post_init__(self) -> None:
        self.watched = Tenant(self.on)

    @property
    def world(self) -> World:
        return self.on.simulator.world

    def plan(self, *, changes: bool = True) -> None:
        """Write ``p.json``; there is something to change, or there is not."""
        done = self.on.cxplan("plan", "-o", "p.json")
        assert done.code == 0, done.out + done.err
        assert (", 1 deferred, 0 blocked, 0 unread" if changes else "No changes") in done.out

    def edit(self, name: str, old: str, new: str, times: int = -1) -> None:
        """Replace a text in a file of the desired state."""
        path = self.on.folder / "desired" / name
        path.write_text(path.read_text("utf-8").replace(old, new, times), "utf-8")

    def rules(self, *rules: Rule) -> None:
        """Put faults in force; each counts requests from now on."""
        for rule in rules:
            self.world.add_rule(rule)

    def journal(self) -> list[Any]:
        """The lines so far of the run that is under way; none where there is none."""
        found = list((self.on.folder / "audit").glob("*.open/records.jsonl"))
        return whole_lines(found[0].read_bytes()) if found else []

    def mend(self) -> None:
        """Put every fault out of force."""
        self.world.rules = RuleBook((), 0)

    def apply(
        self, *options: str, code: int | set[int], plan: str = "p.json", sealed: bool = True
    ) -> Ran:
        """Apply the plan, and hold what is left against what the tenant saw."""
        mark = Mark.of(self.on)
        done = self.on.cxplan("apply", plan, *options)
        return self.judged(done, mark, code, sealed=sealed)

    def apply_only(self, *options: str) -> tuple[Mark, Done]:
        """Apply the plan; what it left is still to be judged."""
        return Mark.of(self.on), self.on.cxplan("apply", "p.json", *options)

    def judged(self, done: Done, mark: Mark, code: int | set[int], *, sealed: bool = True) -> Ran:
        """Hold what a command left against what the tenant saw."""
        assert done.code in ({code} if isinstance(code, int) else code), done.out + done.err
        return Ran(done, *agree(self.watched, done, mark, sealed=sealed))

    def refused(self, *options: str, code: int, plan: str = "p.json") -> tuple[Done, Log]:
        """Apply a plan that is refused: there is no bundle, and nothing was written."""
        mark = Mark.of(self.on)
        done = self.on.cxplan("apply", plan, *options, "--json")
        assert done.code == code, done.out + done.err
        return done, nothing(self.watched, mark)


@contextmanager
def scene(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    *faults: Rule,
    agents: int = 3,
    options: Options | None = None,
    haste: float = 20,
    ca: Path | None = None,
) -> Iterator[Scene]:
    """A scene whose plan is written; the faults are in force only from then on.

    The clock runs ``haste`` times faster. The tenant has no limit of its own on PATCHes then, since
    what delays one of them by a moment delays it by many.
    """
    if options is None:
        options = Options() if haste == 1 else Options(patches_per_second=10_000)
    with (
        hastened(haste),
        bench(folder, spec(agents), capsys, options) as on,
    ):
        on.write(files(agents))
        if ca is not None:
            on.environ["CXPLAN_CA_BUNDLE"] = str(ca)
        made = Scene(on)
        made.plan()
        made.rules(*faults)
        yield made


@contextmanager
def soon(ready: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Do something beside the block, as soon as its time has come; it must have come by its end."""
    over, failed = threading.Event(), []

    def watch() -> None:
        while not ready():
            if over.wait(0.002):
                failed.append("its time never came")
                return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - told below, in the thread of the test
            failed.append(repr(error))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(20)
    assert not failed, failed
