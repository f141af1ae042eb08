"""All outcomes of a run to one report, which knows its exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from cxplan.core.errors import Exit, worst
from cxplan.core.evidence import Head
from cxplan.core.ids import AgentId, AgentKey
from cxplan.core.steps import Moved, Outcome

WRITTEN = (Outcome.APPLIED, Outcome.CONVERGED)
_LOST = (
    Outcome.CONFLICT,
    Outcome.STALE,
    Outcome.REJECTED,
    Outcome.FAILED,
    Outcome.NOT_ATTEMPTED,
)
"""How a ready agent ends that is not as desired, the unknown ones apart."""

AS_DESIRED = (*WRITTEN, Outcome.ALREADY_THERE)


@dataclass(frozen=True, slots=True)
class AgentReport:
    """How one agent ended; ``moved`` only for a conflict."""

    id: AgentId
    key: AgentKey
    team: str
    outcome: Outcome
    message: str = ""
    moved: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of the PATCHes that were answered, without any pacing."""

    median: int
    p95: int
    longest: int


def latency_of(samples: Iterable[int]) -> Latency | None:
    """Return the nearest-rank percentiles of ``samples``, or None for none."""
    ordered = sorted(samples)
    if not ordered:
        return None
    return Latency(_rank(ordered, 50), _rank(ordered, 95), ordered[-1])


def _rank(ordered: Sequence[int], percent: int) -> int:
    return ordered[ceil(percent * len(ordered) / 100) - 1]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What an apply did.

    ``run_id`` is None where nothing was ready to be written and so no run began; ``stopped`` says
    why a run ended early; ``exits`` are further reasons for the exit code.
    """

    run_id: str | None
    plan_id: str
    agents: tuple[AgentReport, ...]
    latency: Latency | None
    undelivered_events: int = 0
    stopped: str | None = None
    exits: tuple[Exit, ...] = ()
    head: Head | None = None

    @property
    def summary(self) -> Counter[Outcome]:
        """How many agents ended how."""
        return Counter(agent.outcome for agent in self.agents)

    @property
    def exit(self) -> Exit:
        """The code of the run, by the table of exit codes.

        A tenant that stopped us before anything was written is *unavailable*, not *partial*.
        """
        found = {*self.exits, *outcome_exits(self.summary)}
        if Exit.UNAVAILABLE in self.exits and not any(self.summary[o] for o in WRITTEN):
            found.discard(Exit.PARTIAL)
        return worst(found)


def outcome_exits(summary: Counter[Outcome]) -> tuple[Exit, ...]:
    """Return every exit code that the outcomes of a run stand for."""
    found = []
    if summary[Outcome.UNKNOWN]:
        found.append(Exit.UNKNOWN)
    if summary[Outcome.BLOCKED]:
        found.append(Exit.BLOCKED)
    if summary[Outcome.UNREAD]:
        found.append(Exit.UNAVAILABLE)
    lost = {outcome for outcome in _LOST if summary[outcome]}
    if lost:
        nothing = not any(summary[outcome] for outcome in WRITTEN)
        moved = lost <= {Outcome.CONFLICT, Outcome.STALE}
        found.append(Exit.STALE if nothing and moved else Exit.PARTIAL)
    return tuple(found)
