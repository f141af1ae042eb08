"""What a plan is asked, with everything that the files and the ledger alone answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cxplan.core.due import Past, may_be_due
from cxplan.core.ids import AgentId
from cxplan.core.meaning import agent_meaning, protected
from cxplan.core.model import Declarations, DesiredAgent
from cxplan.core.resolve import Resolved, resolve
from cxplan.core.rollback import stranger
from cxplan.core.rules import GuardSettings
from cxplan.core.scope import EVERYTHING, Choice, choices, refuse_nobody
from cxplan.core.strictness import refuse_unarmed, stricter
from cxplan.usecases.plan.world import PlanRequest


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and of whom."""

    request: PlanRequest
    at: datetime
    resolved: Resolved
    base: Resolved | None
    settings: GuardSettings
    """The guards that count: those of the base where they are stricter."""
    protected: frozenset[AgentId]
    choices: Mapping[AgentId, Choice]
    past: Past | None = None
    """What runs have settled, where only what is due is asked for."""

    @property
    def planned(self) -> tuple[DesiredAgent, ...]:
        """The agents of the scope."""
        chosen = tuple(agent for agent in self.resolved.agents if agent.id in self.choices)
        return chosen + self.strangers

    @property
    def read(self) -> tuple[DesiredAgent, ...]:
        """Whom to read: a coverage counts everybody, whatever the scope is."""
        if self.settings.min_coverage:
            return self.resolved.agents + self.strangers
        return self.planned

    @property
    def strangers(self) -> tuple[DesiredAgent, ...]:
        """The agents of a run to take back that the files do not name any more."""
        if self.request.back is None:
            return ()
        named = {agent.id for agent in self.resolved.agents}
        return tuple(stranger(agent_id) for agent_id in sorted(self.choices.keys() - named))


def question_of(
    request: PlanRequest, at: datetime, declarations: Declarations, past: Past | None
) -> Question:
    """Return what is asked; ``past`` is given where only what is due is asked for.

    Raises:
        InvalidError: an allowed guard denies nothing as it is set, or expressions that together
            choose nobody.
    """
    resolved = resolve(declarations)
    base = resolve(request.base) if request.base else None
    settings, watched = declarations.guards, protected(declarations)
    if request.base is not None:
        settings = stricter(settings, request.base.guards)
        watched |= protected(request.base)
    refuse_unarmed(request.allowed, settings, any_protected=bool(watched))
    chosen = choices(request.scope, declarations)
    refuse_nobody(request.scope, chosen)
    if request.scope.this_change and base is not None:
        chosen = _kept(chosen, _moved(resolved.at(at), base.at(at)))
    if past is not None:
        chosen = _kept(chosen, _maybe_due(resolved, past, at))
    if request.back is not None:
        chosen = dict.fromkeys(request.back.agents, EVERYTHING)
    return Question(request, at, resolved, base, settings, watched, chosen, past)


def _kept(chosen: Mapping[AgentId, Choice], agents: frozenset[AgentId]) -> Mapping[AgentId, Choice]:
    return {agent: choice for agent, choice in chosen.items() if agent in agents}


def _moved(head: Iterable[DesiredAgent], base: Iterable[DesiredAgent]) -> frozenset[AgentId]:
    """Return the agents whose desired values differ, wherever they are written."""
    before = {agent.id: agent_meaning(agent) for agent in base}
    return frozenset(a.id for a in head if before.get(a.id) != agent_meaning(a))


def _maybe_due(resolved: Resolved, past: Past, at: datetime) -> frozenset[AgentId]:
    return frozenset(
        agent.id
        for agent in resolved.agents
        if may_be_due(resolved, agent, past.since(agent.id), at)
    )
