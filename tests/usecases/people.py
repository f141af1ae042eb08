"""A few people on a stage: what the files want of each, what it holds, and what happened to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from cxplan.core.answers import Answer, Write
from cxplan.core.errors import BlockedError, UnavailableError
from cxplan.core.ids import AgentId, AgentKey
from cxplan.core.live import ScheduleReading, Shift, TenantLists
from cxplan.core.model import LayerKind, Match, Override
from cxplan.core.plan import Plan
from cxplan.core.rules import Freeze, GuardSettings
from cxplan.core.strictness import Allowance
from tests.core.make import NOW, block, declarations, member, observed, schedule, shift, team
from tests.usecases.fake import FakeTenant, Stage

HOUR = 3600.0
WORKS = (shift(-1, 8),)
OnWrite = Callable[[Write, Callable[[], Answer]], Answer]
Held = dict[str, tuple[int | None, int | None] | tuple[int | None, int | None, int | None]]


@dataclass(frozen=True)
class Person:
    """What the files want of one agent, what it holds, and when it works."""

    wanted: dict[str, Any]
    held: Held
    shifts: tuple[Shift, ...] = WORKS
    mode: str | None = None
    protected: bool = False


BETTER = Person({"voice": 3}, {"voice": (5, 1)})


@dataclass
class Fleeting(FakeTenant):
    """A tenant that answers neither for schedules nor for lists once it is cut off."""

    cut_off: bool = False

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        self._answer()
        return super().schedule(agent_id)

    def lists(self) -> TenantLists:
        self._answer()
        return super().lists()

    def _answer(self) -> None:
        if self.cut_off:
            raise UnavailableError("The tenant cannot be reached.")


@dataclass
class Scene(Stage):
    """A stage on which things happen to people by their keys."""

    def cut_off(self) -> None:
        """From now on schedules and lists cannot be asked for."""
        assert isinstance(self.tenant, Fleeting)
        self.tenant.cut_off = True

    def put(self, key: str, held: Held, mode: str | None = "mode-available") -> None:
        """Somebody else sets all of an agent."""
        state = observed(key, held, mode=mode)
        self.tenant.put(state.id, state.work_mode, state.skills)

    def after(self, key: str, then: Callable[[], None]) -> None:
        """Something happens right after the write of an agent has landed."""

        def on_write(change: Write, commit: Callable[[], Answer]) -> Answer:
            answer = commit()
            if change.agent_id == id_of(key):
                then()
            return answer

        self.tenant.on_write = on_write

    def beaten(self, key: str, then: Callable[[], None]) -> None:
        """Something happens right before the first write of an agent arrives."""

        def on_write(_change: Write, commit: Callable[[], Answer]) -> Answer:
            if [write.agent_id for write in self.tenant.writes].count(id_of(key)) == 1:
                then()
            return commit()

        self.tenant.on_write = on_write

    def letting(self, *names: str) -> Scene:
        """Pass these guards at apply."""
        self.allowed = tuple(Allowance(name, "agreed") for name in names)
        return self

    def refused(self, plan: Plan, *names: str) -> None:
        """The plan is refused for exactly these guards, and nothing happens."""
        before = dict(self.tenant.agents)
        with pytest.raises(BlockedError) as error:
            self.apply(plan)
        said = str(error.value).split("Guard ")[1:]
        assert {text.split()[0] for text in said} == set(names)
        assert self.ledger.run is None
        assert (self.tenant.writes, self.tenant.agents) == ([], before)

    @property
    def outcomes(self) -> dict[str, str]:
        lines = self.journal.of("agent.outcome")
        return {line["agentId"].removeprefix("id-"): line["outcome"] for line in lines}

    def errors(self, key: str) -> list[str]:
        """The ids of what stood against an agent, as the journal has them."""
        lines = [e for e in self.journal.of("agent.outcome") if e["agentId"] == id_of(key)]
        return [error.partition(":")[0] for line in lines for error in line["validation"]["errors"]]

    @property
    def passed(self) -> list[tuple[str, str]]:
        """The guards that were passed and why, as the journal has them."""
        (start,) = self.journal.of("run.start")
        return [(each["guard"], each["reason"]) for each in start["allowed"]]

    @property
    def landed(self) -> list[str]:
        return [write.agent_id.removeprefix("id-") for write in self.tenant.landed]


def scene(people: dict[str, Person], *overrides: Override, **guards: Any) -> Scene:
    """The people, in one team, under guards that are named like their settings."""
    members = [
        replace(member(key, each.wanted, mode=each.mode), protected=each.protected)
        for key, each in people.items()
    ]
    files = replace(declarations(team(*members)), guards=GuardSettings(**guards))
    live = {id_of(key): observed(key, each.held) for key, each in people.items()}
    shifts: dict[AgentId, ScheduleReading] = {
        id_of(key): schedule(*each.shifts) for key, each in people.items()
    }
    return Scene(replace(files, overrides=overrides), Fleeting(live, shifts))


def three(*overrides: Override, **guards: Any) -> Scene:
    """Three whose voice goes from 5 to 3."""
    return scene(dict.fromkeys("abc", BETTER), *overrides, **guards)


def id_of(key: str) -> AgentId:
    return AgentId(f"id-{key}")


def override(begins: float, ends: float, *keys: str) -> Override:
    """One that sets voice to 1, ``begins`` and ``ends`` in hours from now."""
    return Override(
        "CHG-1",
        NOW + timedelta(hours=begins),
        NOW + timedelta(hours=ends),
        Match(agents=frozenset(AgentKey(key) for key in keys)),
        block(LayerKind.OVERRIDE, "CHG-1", {"voice": 1}),
        reason="peak",
    )


def freeze(
    begins: float, hours: float = 1, name: str = "year end", *, except_overrides: bool = False
) -> Freeze:
    start = NOW + timedelta(hours=begins)
    return Freeze(name, start, start + timedelta(hours=hours), except_overrides)
