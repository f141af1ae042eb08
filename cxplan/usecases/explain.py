"""explain: one agent's values, the lines that made them, and what the tenant has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cxplan.core.errors import Exit, Problem
from cxplan.core.explain import Explanation, explain
from cxplan.core.explain_live import LiveAgent, shift_now, side_by_side
from cxplan.core.live import MissingAgent, ObservedAgent, UnreadAgent
from cxplan.core.model import Declarations
from cxplan.core.resolve import resolve
from cxplan.ports import Clock, DesiredSource, Tenant


@dataclass(frozen=True, slots=True)
class ExplainWorld:
    """The ports that an explanation needs; ``tenant`` is None where only the files are asked."""

    source: DesiredSource
    clock: Clock
    tenant: Tenant | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to say of one agent; ``live`` is None where the tenant was not asked."""

    explanation: Explanation
    live: LiveAgent | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the agent could not be read, if so."""
        if self.live is None or not isinstance(self.live.reading, UnreadAgent):
            return ()
        unread = self.live.reading
        hint = "What the files say is true all the same; run the command again for the rest."
        return (Problem(unread.code, unread.reason, self.explanation.agent.id, hint=hint),)

    @property
    def exit(self) -> Exit:
        """``UNAVAILABLE`` where the agent could not be read."""
        return Exit.UNAVAILABLE if self.problems else Exit.OK


def explain_agent(
    world: ExplainWorld, declarations: Declarations, name: str, at: datetime | None
) -> Told:
    """Return what the files want of an agent at ``at``, by default now, and what the tenant has.

    ``name`` is the member's key or its id.

    Raises:
        InvalidError: the files know no such agent; the tenant is then not asked.
        TenantError: the tenant cannot be reached or refuses.
    """
    instant = at or world.clock.now().replace(microsecond=0)
    explanation = explain(resolve(declarations), name, instant, world.source.locate)
    if world.tenant is None:
        return Told(explanation)
    return Told(explanation, _read(world, world.tenant, declarations, explanation))


def _read(
    world: ExplainWorld, tenant: Tenant, declarations: Declarations, explanation: Explanation
) -> LiveAgent:
    agent_id = explanation.agent.id
    tenant.connect(write=False)
    reading = tenant.agent(agent_id)
    read_at = world.clock.now().replace(microsecond=0)
    if isinstance(reading, MissingAgent):
        return LiveAgent(read_at, reading, None)
    shift = shift_now(declarations, explanation, tenant.schedule(agent_id))
    if not isinstance(reading, ObservedAgent):
        return LiveAgent(read_at, reading, shift)
    rows = side_by_side(declarations, explanation, reading, shift, world.source.locate)
    return LiveAgent(read_at, reading, shift, rows)
