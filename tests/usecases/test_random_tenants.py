"""500 random tenants: apply writes exactly the plan, and then the plan is empty."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Op
from cxplan.core.document import plan_bytes
from cxplan.core.errors import BlockedError
from cxplan.core.ids import OFF, AgentId
from cxplan.core.live import ObservedAgent
from cxplan.core.model import Declarations, DesiredMode, DesiredSkill
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.resolve import resolve
from cxplan.core.strictness import Allowance
from cxplan.planfile.convert import plan_of
from cxplan.planfile.schema import plan_part
from tests.core.make import NOW
from tests.usecases.fake import Stage
from tests.usecases.worlds import FOREIGN, asked, in_one_file, shuffled, world

TENANTS = 500
AT_ONCE = 25
TOTAL = "concurrency.total"

Value = int | str | None
Values = dict[tuple[str, str], Value]
"""By skill and part; the work mode and the limits too."""
Written = set[tuple[str, str, str, Value, Value]]
"""Agent, skill, part, before and after."""

OUTCOMES = {
    Status.READY: "applied",
    Status.DEFERRED: "deferred",
    Status.BLOCKED: "blocked",
    Status.UNREAD: "unread",
    Status.UNCHANGED: "alreadyThere",
}


@pytest.mark.parametrize("first", range(0, TENANTS, AT_ONCE))
def test_apply_writes_exactly_the_plan_and_then_it_is_empty(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        examined(seed)


@cache
def examined(seed: int) -> frozenset[str]:
    """Hold one tenant to everything, and return what it had of all that may occur."""
    stage, where = world(seed), f"seed {seed}"
    before = dict(stage.tenant.agents)
    request = asked(seed, stage.declarations)
    plan = stage.planned(**request)
    assert plan_of(plan_part(json.loads(plan_bytes(plan)))) == plan, where
    if plan.denied:
        _refused(stage, plan, before, where)
        stage.allowed = tuple(Allowance(f.id, "reviewed") for f in plan.denied)
    _applied(stage, plan, before, where)
    _as_wanted(stage, plan, where)
    _empty(stage.planned(**request), plan, where)
    return frozenset((*request, *_seen(stage.declarations, plan)))


def _refused(stage: Stage, plan: Plan, before: dict[AgentId, ObservedAgent], where: str) -> None:
    with pytest.raises(BlockedError) as refused:
        stage.apply(plan)
    assert all(finding.id in str(refused.value) for finding in plan.denied), where
    assert stage.ledger.run is None, where
    assert stage.tenant.writes == [], where
    assert repr(stage.tenant.agents) == repr(before), where


def _applied(stage: Stage, plan: Plan, before: dict[AgentId, ObservedAgent], where: str) -> None:
    report = stage.apply(plan)
    assert {a.id: a.outcome.value for a in report.agents} == {
        agent.id: OUTCOMES[agent.status] for agent in plan.agents
    }, where
    assert [write.agent_id for write in stage.tenant.writes] == [a.id for a in plan.ready], where
    for write, agent in zip(stage.tenant.writes, plan.ready, strict=True):
        sent = {skill.skill_id for skill in write.skills}
        assert sent == {c.skill_id for c in agent.changes if c.skill_id is not None}, where
        assert all(skill.concurrent == 0 for skill in write.skills if skill.level == OFF), where
    after = stage.tenant.agents
    assert _written(before, after) == {each for a in plan.ready for each in _planned(a)}, where
    ready = {agent.id for agent in plan.ready}
    untouched = [agent for agent in before if agent not in ready]
    assert {a: repr(after[a]) for a in untouched} == {a: repr(before[a]) for a in untouched}, where
    assert all(after[agent].etag != before[agent].etag for agent in ready), where
    _recorded(stage, plan, where)


def _recorded(stage: Stage, plan: Plan, where: str) -> None:
    if not plan.ready:
        assert stage.ledger.run is None, where
        return
    lines = stage.journal.of("agent.outcome")
    outcomes = {line["agentId"]: line["outcome"] for line in lines}
    assert outcomes == {a.id: OUTCOMES[a.status] for a in plan.agents}, where
    assert len(lines) == len(plan.agents), where
    assert [event.agent_id for event in stage.tenant.events] == [a.id for a in plan.ready], where


def _as_wanted(stage: Stage, plan: Plan, where: str) -> None:
    """Whoever was written as a whole has what the files name, and nothing more than before."""
    wanted = {agent.id: agent for agent in resolve(stage.declarations).at(NOW)}
    for agent in plan.ready if not plan.scope.partial else ():
        live, desired = stage.tenant.agents[agent.id], wanted[agent.id]
        if isinstance(desired.work_mode, DesiredMode):
            assert live.work_mode == desired.work_mode.mode.id, where
        assert all(_fits(skill, live) for skill in desired.skills), where
        named = {skill.id for skill in desired.skills if skill.level and skill.off != "absent"}
        assert agent.before is not None
        assert {held.skill_id for held in live.skills} <= agent.before.held | named, where
        if desired.exclusive:
            active = {held.skill_id for held in live.skills if held.active}
            assert active <= {skill.id for skill in desired.skills}, where


def _fits(skill: DesiredSkill, live: ObservedAgent) -> bool:
    held = live.holds(skill.id)
    if skill.off == "absent":
        return held is None or held.level == OFF
    if skill.off == "disabled":
        return held is not None and held.level == OFF
    if held is None or held.level == OFF:
        return skill.level is None
    level, concurrent = skill.level, skill.concurrent
    return (level is None or held.level == level.value) and (
        concurrent is None or held.concurrent == concurrent.value
    )


def _empty(again: Plan, plan: Plan, where: str) -> None:
    """What is left is what was not ready, and it reads as before."""
    assert again.ready == (), where
    ready = {agent.id for agent in plan.ready}
    left = [agent for agent in again.agents if agent.id not in ready]
    assert left == [agent for agent in plan.agents if agent.id not in ready], where
    assert [agent.id for agent in again.agents if agent.id in ready and agent.changes] == [], where


# --- what landed, found without the code under test -------------------------------------------


def _values(agent: ObservedAgent) -> Values:
    """Every value of an agent; a skill that is off has no concurrency."""
    found: Values = {("", WORK_MODE): agent.work_mode}
    for held in agent.skills:
        found[held.skill_id, LEVEL] = held.level
        found[held.skill_id, CONCURRENT] = None if held.level == OFF else held.concurrent
        found[held.skill_id, "maximum"] = held.maximum
    return found


def _written(before: dict[AgentId, ObservedAgent], after: dict[AgentId, ObservedAgent]) -> Written:
    assert before.keys() == after.keys()
    return {
        (agent, skill, part, old.get((skill, part)), new.get((skill, part)))
        for agent in before
        for old, new in [(_values(before[agent]), _values(after[agent]))]
        for skill, part in old.keys() | new.keys()
        if old.get((skill, part)) != new.get((skill, part))
    }


def _planned(agent: PlannedAgent) -> Iterator[tuple[str, str, str, Value, Value]]:
    """What a plan says will be written; a skill that goes off takes its concurrency with it."""
    assert agent.before is not None
    for change in agent.changes:
        part = change.path.rpartition("/")[2]
        yield agent.id, change.skill_id or "", part, change.before, change.after
        if change.op is Op.REMOVE:
            held = next(s for s in agent.before.skills if s.skill_id == change.skill_id)
            if held.concurrent is not None:
                yield agent.id, held.skill_id, CONCURRENT, held.concurrent, None


# --- the tenants are not all alike ------------------------------------------------------------


def _seen(files: Declarations, plan: Plan) -> Iterator[str]:
    yield f"denied by {len(plan.denied)}" if plan.denied else "not denied"
    for guard in plan.guards:
        yield f"{guard.id} {guard.verdict.value}"
        yield from ("cover is lowered" for each in guard.intervals if each.after < each.before)
    for agent in plan.agents:
        yield agent.status.value
        yield from (f"{finding.id} {finding.verdict.value}" for finding in agent.checks)
    if plan.managed > len(plan.agents):
        yield "nothing to say of an agent"
    yield from (finding.id for finding in plan.warnings)
    for agent in plan.ready:
        yield from _seen_written(agent)
        yield from (f"over {each.verdict.value}" for each in agent.checks if each.id == TOTAL)
    if any(member.profile for team in files.teams for member in team.members):
        yield "a profile of one's own"


def _seen_written(agent: PlannedAgent) -> Iterator[str]:
    yield f"phase {agent.phase}"
    if agent.protected:
        yield "protected is written"
    if agent.holds_until:
        yield "holds until"
    for change in agent.changes:
        yield f"{change.op.value} {change.part}"
        yield f"by {change.because.layer if change.because else 'default'}"
        yield f"direction {change.direction}"
        yield f"pending {change.pending}"
        if change.scheduled:
            yield "follows the shift"
        if change.overdue:
            yield "overdue"
        if change.skill_id in FOREIGN:
            yield "exclusive takes what others gave"
        if change.op is Op.ADD and change.after == OFF:
            yield "assigned and off"


def _verdicts(check: str, *verdicts: str) -> set[str]:
    return {f"{check} {verdict}" for verdict in verdicts}


ALL = {
    *(status.value for status in Status),
    *("not denied", "denied by 1", "denied by 2", "nothing to say of an agent"),
    *("allowed", "scope", "base", "a profile of one's own"),
    *_verdicts("maxAgentsChanged", "pass", "deny", "warn", "off"),
    *_verdicts("maxSkillsRemoved", "pass", "deny", "warn", "off"),
    *_verdicts("noAgentWithoutSkill", "pass", "deny", "warn", "off"),
    *_verdicts("minCoverage", "pass", "deny", "warn"),
    *_verdicts("protected", "pass", "deny", "warn"),
    *_verdicts("overrides", "pass", "deny", "warn", "off"),
    *_verdicts("shift.mode", "ok"),
    *_verdicts("shift.scheduled", "ok"),
    *_verdicts("shift.dataError", "block"),
    *_verdicts("shift.modeConflict", "ok", "warn", "defer", "block"),
    *_verdicts("shift.noActiveShift", "ok", "warn", "defer", "block"),
    *_verdicts("shift.unreadable", "ok", "warn", "defer", "block"),
    *_verdicts("shift.skillsOffShift", "ok", "warn", "defer", "block"),
    *_verdicts("concurrency.skill", "ok", "block"),
    *_verdicts("concurrency.total", "ok", "warn", "block"),
    *_verdicts("over", "ok", "warn"),
    *("freeze pass", "cover is lowered", "concurrency.notHeld warn", "http.503 warn"),
    *("lock.noStrongEtag block", "lock.noWorkMode block", "lock.noLevel block"),
    *("agent.notFound block", "catalogue.unknownId block", "catalogue.name", "override.over"),
    *("phase 1", "phase 2", "protected is written", "holds until", "follows the shift", "overdue"),
    *("add level", "add concurrent", "change level", "change concurrent", "change workMode"),
    *("remove level", "assigned and off", "exclusive takes what others gave"),
    *("by profile", "by team", "by member", "by override", "by default"),
    *("direction better", "direction worse", "pending True", "pending False", "pending None"),
}
"""What the 500 tenants have to have had, each at least in three of them."""


def test_the_tenants_have_all_that_can_occur() -> None:
    counts = Counter(each for seed in range(TENANTS) for each in examined(seed))
    assert {each for each in ALL if counts[each] < 3} == set()


# --- the same, written otherwise --------------------------------------------------------------


@pytest.mark.parametrize("seed", range(0, TENANTS, 5))
def test_the_order_of_the_files_changes_nothing(seed: int) -> None:
    stage = world(seed)
    plan = stage.plan()
    mixed = replace(stage, declarations=shuffled(stage.declarations, seed)).plan()
    assert plan_bytes(mixed) == plan_bytes(plan)


@pytest.mark.parametrize("seed", range(0, TENANTS, 5))
def test_where_a_value_stands_changes_no_meaning(seed: int) -> None:
    stage = world(seed)
    plan = stage.plan()
    moved = replace(stage, declarations=in_one_file(shuffled(stage.declarations, seed))).plan()
    assert moved.semantic_digest == plan.semantic_digest
    assert moved.source == plan.source
    assert (moved.digest == plan.digest) == (not _placed(plan))


def _placed(plan: Plan) -> bool:
    """Whether a plan names a place: the line of a change, or the file of an override."""
    changes = [change for agent in plan.agents for change in agent.changes]
    return any(change.because for change in changes) or any(
        finding.id == "override.over" for finding in plan.warnings
    )
