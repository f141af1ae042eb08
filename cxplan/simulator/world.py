"""The tenant's mutable state, and the logs of what happened to it.

Written by the simulator's own thread and by tests; every method may be called from any thread.
What is handed out is frozen.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cxplan.core.errors import InvalidError
from cxplan.simulator.draws import fingerprint
from cxplan.simulator.exchange import Refusal
from cxplan.simulator.options import Clock, Options
from cxplan.simulator.records import Actor, AgentState, ChangeEntry, EventEntry, RequestEntry
from cxplan.simulator.rules import Foreign, Rule, RuleBook
from cxplan.simulator.spec import AgentSpec, HoldingSpec, TenantSpec

MAX_REQUESTS_KEPT = 100_000

_FIRST_LEVEL = 1
_FIRST_CONCURRENT = 1


class World:
    """Agents with their tags, the change, event and request logs, and the fault rules."""

    def __init__(self, spec: TenantSpec, options: Options, clock: Clock) -> None:
        """Begin with ``spec`` and the rules of ``options``.

        Raises:
            InvalidError: a rule names an agent, skill or work mode that is not there.
        """
        self._lock = threading.RLock()
        self._clock = clock
        self._seed = options.seed
        self.skills = {skill.id: skill for skill in spec.skills}
        self.modes = {mode.id: mode for mode in spec.modes}
        self._specs = {agent.id: agent for agent in spec.agents}
        self._writes = itertools.count(1)
        self._agents = {agent.id: self._tagged(_initial(agent), 0) for agent in spec.agents}
        self._sequence = itertools.count(1)
        self._requests: dict[int, RequestEntry] = {}
        self._changes: list[ChangeEntry] = []
        self._events: list[EventEntry] = []
        self.rules = RuleBook((), options.seed)
        for rule in options.faults:
            self.add_rule(rule)

    # --- reading ---

    def agent_ids(self) -> tuple[str, ...]:
        """Return the ids of all agents, in the tenant's order."""
        return tuple(self._agents)

    def agent(self, agent_id: str) -> AgentState | None:
        """Return an agent as it is now, or None where there is none of that id."""
        return self._agents.get(agent_id)

    def agents(self) -> tuple[AgentState, ...]:
        """Return all agents as they are at one moment."""
        with self._lock:
            return tuple(self._agents.values())

    def schedule(self, agent_id: str) -> AgentSpec | None:
        """Return where an agent's shifts are written; they do not change."""
        return self._specs.get(agent_id)

    def requests(self) -> tuple[RequestEntry, ...]:
        """Return the newest requests (``MAX_REQUESTS_KEPT`` at most), oldest first."""
        with self._lock:
            return tuple(self._requests.values())

    def changes(self) -> tuple[ChangeEntry, ...]:
        """Return every write since the start or the last ``clear_logs``."""
        with self._lock:
            return tuple(self._changes)

    def events(self) -> tuple[EventEntry, ...]:
        """Return every event that was accepted."""
        with self._lock:
            return tuple(self._events)

    # --- writing ---

    def patch(
        self,
        agent_id: str,
        work_mode: str,
        skills: Iterable[HoldingSpec],
        allowed: Callable[[AgentState], None],
        request: int,
    ) -> AgentState:
        """Set the work mode and upsert ``skills`` (their maximum is ignored) at once.

        ``allowed`` sees the agent as it is while nobody else can write, and raises to refuse.

        Raises:
            Refusal: 404 for an unknown agent, or whatever ``allowed`` says.
        """
        with self._lock:
            before = self._agents.get(agent_id)
            if before is None:
                raise Refusal(404, "not_found", "There is no such agent.")
            allowed(before)
            after = replace(before, work_mode=work_mode)
            for wanted in skills:
                after = self._assigned(after, wanted.skill_id, wanted.level, wanted.concurrent)
            return self._write(before, after, Actor.API, request)

    def foreign_change(  # noqa: PLR0913 - each is one value that another admin may set
        self,
        agent_id: str,
        *,
        skill: str | None = None,
        level: int | None = None,
        concurrent: int | None = None,
        work_mode: str | None = None,
        maximum: int | None = None,
        touch: bool = False,
    ) -> AgentState:
        """Write to an agent as another admin, past all checks, and return what it is then.

        A skill that the agent does not hold is assigned, at level 1 and concurrency 1 where
        these are not given. ``touch`` moves the tag alone.

        Raises:
            InvalidError: an unknown id, a skill's value without a skill, or nothing to change.
        """
        return self.change_as_foreign(
            agent_id, Foreign(None, skill, level, concurrent, work_mode, maximum, touch)
        )

    def change_as_foreign(self, agent_id: str, change: Foreign) -> AgentState:
        """Do the same as ``foreign_change``, from a value.

        Raises:
            InvalidError: as there.
        """
        self._check_foreign(replace(change, agent_id=agent_id))
        with self._lock:
            before = self._agents[agent_id]
            after = replace(before, work_mode=change.work_mode or before.work_mode)
            if change.skill is not None:
                after = self._assigned(
                    after, change.skill, change.level, change.concurrent, change.maximum
                )
            return self._write(before, after, Actor.FOREIGN, None)

    def _write(
        self, before: AgentState, after: AgentState, actor: Actor, request: int | None
    ) -> AgentState:
        after = self._tagged(after, next(self._writes))
        self._agents[after.id] = after
        entry = ChangeEntry(next(self._sequence), self.now_ms(), actor, before, after, request)
        self._changes.append(entry)
        return after

    def _tagged(self, state: AgentState, write: int) -> AgentState:
        """Give ``state`` a tag of its own; two writes of equal values have different ones."""
        values = replace(state, etag="")
        return replace(state, etag=f'"{fingerprint(self._seed, write, values, length=24)}"')

    def _assigned(
        self,
        state: AgentState,
        skill_id: str,
        level: int | None,
        concurrent: int | None,
        maximum: int | None = None,
    ) -> AgentState:
        held = state.holds(skill_id) or HoldingSpec(
            skill_id, _FIRST_LEVEL, _FIRST_CONCURRENT, self.skills[skill_id].maximum
        )
        new = HoldingSpec(
            skill_id,
            held.level if level is None else level,
            held.concurrent if concurrent is None else concurrent,
            held.maximum if maximum is None else maximum,
        )
        skills = {old.skill_id: old for old in state.skills} | {skill_id: new}
        return replace(state, skills=tuple(skills.values()))

    # --- rules ---

    def add_rule(self, rule: Rule) -> None:
        """Put one more fault rule in force; it counts requests from now on.

        Raises:
            InvalidError: the rule names an agent, skill or work mode that is not there.
        """
        for change in (rule.foreign, rule.foreign_after):
            if change:
                self._check_foreign(change)
        with self._lock:
            self.rules.add(rule)

    def acting_rule(self, method: str, path: str) -> Rule | None:
        """Count a request with the rules and return the one that acts on it, if any."""
        with self._lock:
            return self.rules.acting_on(method, path)

    def _check_foreign(self, change: Foreign) -> None:
        known = (
            ("agent", change.agent_id, self._agents),
            ("skill", change.skill, self.skills),
            ("work mode", change.work_mode, self.modes),
        )
        for kind, value, ids in known:
            if value is not None and value not in ids:
                raise _foreign_error(f"names no {kind} of this tenant")
        if change.skill is None and change.values != (None, None, None):
            raise _foreign_error("sets a skill's value without naming the skill")
        if (change.skill, change.work_mode, change.touch) == (None, None, False):
            raise _foreign_error("changes nothing")

    # --- logs ---

    def now_ms(self) -> float:
        """Return the clock's monotonic time in milliseconds."""
        return round(self._clock.monotonic() * 1000, 3)

    def next_sequence(self) -> int:
        """Return the next number of the common numbering of all logs."""
        return next(self._sequence)

    def log_request(self, entry: RequestEntry) -> None:
        """Keep a request, or what became of one that is kept already."""
        with self._lock:
            self._requests[entry.sequence] = entry
            if len(self._requests) > MAX_REQUESTS_KEPT:
                del self._requests[next(iter(self._requests))]

    def log_event(self, agent_id: str, body: Any) -> EventEntry:
        """Keep an event."""
        with self._lock:
            entry = EventEntry(next(self._sequence), self.now_ms(), agent_id, body)
            self._events.append(entry)
            return entry

    def clear_logs(self) -> None:
        """Forget all requests, changes and events; the agents stay as they are."""
        with self._lock:
            self._requests.clear()
            self._changes.clear()
            self._events.clear()


def _initial(agent: AgentSpec) -> AgentState:
    return AgentState(agent.id, agent.name, agent.team_id, agent.work_mode, agent.skills)


def _foreign_error(problem: str) -> InvalidError:
    return InvalidError(
        f"The foreign change {problem}.",
        code="simulator.foreign",
        hint="Take ids of the simulated tenant, and name a skill, a work mode or touch.",
    )
