"""simulate score: what a payload or a plan is worth to routing, without any tenant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cxplan.core.diff import AgentState, SkillState
from cxplan.core.ids import OFF, SkillId, WorkModeId
from cxplan.core.model import CatalogueSkill, Declarations, Levels
from cxplan.core.plan import Plan
from cxplan.core.routing import AgentScore, PayloadScore, Score, score_of


def score_plan(plan: Plan) -> tuple[AgentScore, ...]:
    """Return the score of every agent of a plan that was read."""
    return tuple(
        AgentScore(agent.id, agent.key, _of(agent.before), _of(agent.after))
        for agent in plan.agents
        if agent.before is not None and agent.after is not None
    )


def _of(state: AgentState) -> Score:
    return score_of(state.skills)


def score_payload(payload: object, declarations: Declarations | None) -> PayloadScore:
    """Return the score of one PATCH's body; names and limits are those of the files, if any."""
    if not isinstance(payload, Mapping):
        return PayloadScore(None, Score(0), ("payload: not a JSON object",), malformed=True)
    shape = tuple(_shape_errors(payload))
    if shape:
        return PayloadScore(None, Score(0), shape, malformed=True)
    skills = tuple(
        SkillState(SkillId(s["skillId"]), s["level"], s["concurrentInteractions"])
        for s in payload["skillLevels"]
    )
    mode = payload["workModeId"]
    errors = tuple(_value_errors(mode, skills, declarations)) if declarations else ()
    return PayloadScore(mode, score_of(skills), errors, malformed=False)


def _shape_errors(payload: Mapping[str, Any]) -> Iterator[str]:
    for name in ("workModeId", "reason"):
        if not isinstance(payload.get(name), str):
            yield f"{name}: a text is required"
    metadata = payload.get("metadata")
    if not isinstance(metadata, Mapping) or not {"source", "timestamp"} <= set(metadata):
        yield "metadata: source and timestamp are required"
    levels = payload.get("skillLevels")
    if not isinstance(levels, list):
        yield "skillLevels: a list is required"
        return
    for number, entry in enumerate(levels):
        yield from _entry_errors(f"skillLevels/{number}", entry)
    ids = [entry.get("skillId") for entry in levels if isinstance(entry, Mapping)]
    if len(set(map(str, ids))) != len(ids):
        yield "skillLevels: one skill stands twice"


def _entry_errors(where: str, entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("skillId"), str):
        yield f"{where}: an object with skillId is required"
        return
    for name in ("level", "concurrentInteractions"):
        value = entry.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            yield f"{where}/{name}: a whole number from 0 is required"


def _value_errors(
    mode: str, skills: tuple[SkillState, ...], declarations: Declarations
) -> Iterator[str]:
    if WorkModeId(mode) not in {known.id for known in declarations.modes.values()}:
        yield "workModeId: not in the catalogue"
    catalogue = {known.id: known for known in declarations.skills.values()}
    for skill in skills:
        known = catalogue.get(skill.skill_id)
        if known is None:
            yield f"{skill.skill_id}: not in the catalogue"
        elif skill.level != OFF:
            yield from _active_errors(skill, known, declarations.levels)


def _active_errors(skill: SkillState, known: CatalogueSkill, levels: Levels) -> Iterator[str]:
    if not levels.allows(skill.level or OFF):
        yield f"{known.name}: level {skill.level} is not on the scale of tenant.yaml"
    limit = known.max_concurrent or 1
    if (skill.concurrent or 0) > limit:
        yield f"{known.name}: concurrent {skill.concurrent} is over the limit {limit}"
