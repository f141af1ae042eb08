"""What is wanted of one agent: by the files, by a timer, or by a run that is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cxplan.core.address import Origin
from cxplan.core.checks import Judge, Target
from cxplan.core.diff import Change, Terms, diff
from cxplan.core.due import Past, due, instants
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.horizon import Ahead, Horizon
from cxplan.core.ids import AgentId
from cxplan.core.live import ObservedAgent, ScheduleReading
from cxplan.core.model import DesiredAgent, Source
from cxplan.core.pastrun import PastRun
from cxplan.core.rollback import Declared, Kept, back_of, declared_still

Read = Callable[[], ScheduleReading]


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted of an agent now, and the changes that it takes.

    ``kept`` and ``declared`` are what a rollback has to say beside them.
    """

    target: Target
    changes: tuple[Change, ...]
    horizon: Horizon
    kept: tuple[Kept, ...] = ()
    declared: tuple[Declared, ...] = ()


@dataclass(frozen=True, slots=True)
class Timer:
    """Lets through what time alone changed, and what a run deferred."""

    past: Past
    judge: Judge
    ahead: Ahead

    def due(
        self,
        agent: DesiredAgent,
        observed: ObservedAgent,
        changes: tuple[Change, ...],
        schedule: Read,
    ) -> tuple[Change, ...]:
        """Return those of ``changes``, all that the agent needs, that are due."""
        if not changes:
            return ()
        resolved, since = self.ahead.resolved, self.past.since(agent.id)
        blind = replace(self.ahead.terms, locate=_unseen)
        earlier = (
            diff(
                self.judge.at(instant).target(resolved.agent_at(agent, instant), schedule).desired,
                observed,
                blind,
            )
            for instant in instants(resolved, agent, since, self.ahead.at, schedule)
        )
        return due(changes, earlier, since)


def _unseen(source: Source) -> Origin:
    return Origin(source.layer.file, 1, 1)


@dataclass(frozen=True, slots=True)
class WayBack:
    """Leads the agents of a run back to what stood there before."""

    run: PastRun
    judge: Judge
    ahead: Ahead
    terms: Terms
    history: Mapping[AgentId, Mapping[ValueKey, LastValue]]

    def aim(self, agent: DesiredAgent, observed: ObservedAgent, schedule: Read) -> Aim:
        """Return what was before the run as what is wanted; it holds whatever the files say."""
        last = self.history.get(agent.id, {})
        back = back_of(self.run, agent, observed, self.terms, self.judge.shifts.modes, last)
        files = self.judge.target(self.ahead.resolved.agent_at(agent, self.ahead.at), schedule)
        declared = declared_still(files.desired, observed, back.changes, self.terms)
        return Aim(Target(back.desired), back.changes, Horizon(), back.kept, tuple(declared))
