"""What must hold for one agent before anything is written to it.

Concurrency may not pass the maximum of the skill for that agent: the live
``maximumConcurrentInteractions`` (missing or 0 counts as 1); for a skill that the agent does not
hold the catalogue's ``maxConcurrent``, else the tenant's skill list, else 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cxplan.core.catalogue import unknown_ids
from cxplan.core.diff import CONCURRENT, WORK_MODE, AgentState, Change, SkillState, state_of
from cxplan.core.findings import Finding, Verdict
from cxplan.core.ids import OFF, SkillId
from cxplan.core.live import ListedSkill, ObservedAgent, ScheduleReading, TenantLists
from cxplan.core.model import CatalogueSkill, Declarations, DesiredAgent, DesiredMode, FollowShift
from cxplan.core.rules import Policy
from cxplan.core.shifts import ShiftRules, follow_shift, judge_mode, judge_skills
from cxplan.core.strictness import TOTAL, relaxed


@dataclass(frozen=True, slots=True)
class Limits:
    """Where concurrency maximums come from when the agent does not hold the skill."""

    catalogue: Mapping[SkillId, CatalogueSkill]
    tenant: Mapping[SkillId, ListedSkill]

    def maximum(self, skill: SkillId, observed: ObservedAgent) -> tuple[int, str]:
        """Return the limit of a skill for an agent, and where it comes from."""
        held = observed.holds(skill)
        if held:
            return (held.maximum or 1), "the agent's live maximum"
        listed = self.catalogue.get(skill)
        if listed and listed.max_concurrent:
            return listed.max_concurrent, "maxConcurrent of the catalogue"
        found = self.tenant.get(skill)
        if found and found.maximum:
            return found.maximum, "the tenant's skill list"
        return 1, "no maximum is stated"


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted of an agent at one instant, its shift followed where it is to be.

    ``followed`` is what following found, None where nothing is followed; ``until`` is the end of
    the shift that made the work mode.
    """

    desired: DesiredAgent
    followed: Finding | None = None
    until: datetime | None = None

    def marked(self, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """Return ``changes`` with the work mode marked where it follows the shift."""
        if self.followed is None:
            return changes
        return tuple(replace(c, scheduled=c.path == WORK_MODE) for c in changes)


@dataclass(frozen=True, slots=True)
class Judge:
    """All per-agent checks of one plan, or of its apply, at one instant."""

    shifts: ShiftRules
    limits: Limits
    lists: TenantLists
    needs_etag: bool
    total: int | None = None
    """The most that an agent's active skills may sum up to; None for no limit."""
    over_total: Verdict = Verdict.BLOCK

    def at(self, instant: datetime) -> Judge:
        """Return the same judge at another instant."""
        return replace(self, shifts=replace(self.shifts, at=instant))

    def target(self, desired: DesiredAgent, read_schedule: Callable[[], ScheduleReading]) -> Target:
        """Return what is wanted at this instant; the schedule is read only to follow it."""
        follow = desired.work_mode
        if not isinstance(follow, FollowShift):
            return Target(desired)
        followed = follow_shift(self.shifts, read_schedule())
        mode = DesiredMode(followed.mode, follow.source) if followed.mode else None
        return Target(replace(desired, work_mode=mode), followed.finding, followed.until)

    def odd(self, target: Target, observed: ObservedAgent) -> tuple[Finding, ...]:
        """Return what is odd about an agent, whether anything changes or not."""
        found = tuple(_never_held(target.desired, observed))
        followed = target.followed
        if followed is None or followed.verdict is not Verdict.BLOCK:
            return found
        return (*found, followed)

    def judge(
        self,
        target: Target,
        observed: ObservedAgent,
        changes: tuple[Change, ...],
        after: AgentState,
        read_schedule: Callable[[], ScheduleReading],
    ) -> tuple[Finding, ...]:
        """Return what each check that applies says; of an agent without changes only what is odd.

        ``read_schedule`` is called only where the schedule matters.
        """
        findings = list(self.odd(target, observed))
        if not changes:
            return tuple(findings)
        findings += unknown_ids(self.lists, changes)
        findings += self._lock(observed, changes, after)
        findings += self._concurrency(observed, changes, after)
        findings += self._total(state_of(observed), after)
        findings += self._shift(target, changes, read_schedule)
        return tuple(findings)

    def _shift(
        self,
        target: Target,
        changes: tuple[Change, ...],
        read_schedule: Callable[[], ScheduleReading],
    ) -> Iterator[Finding]:
        """One agent, one verdict: on its work mode where that changes, else on its skills."""
        mode = target.desired.work_mode
        if any(change.path == WORK_MODE for change in changes) and isinstance(mode, DesiredMode):
            yield target.followed or judge_mode(self.shifts, read_schedule(), mode.mode)
        elif self.shifts.policy.skills_off_shift is not Policy.ALLOW:
            yield judge_skills(self.shifts, read_schedule())

    def _lock(
        self, observed: ObservedAgent, changes: tuple[Change, ...], after: AgentState
    ) -> Iterator[Finding]:
        """A write needs a tag to lock with and a live value for whatever it must repeat."""
        if self.needs_etag and observed.etag is None:
            message = "the tenant gave no strong ETag, so a write could overwrite somebody else's"
            yield Finding("lock.noStrongEtag", Verdict.BLOCK, message)
        elif self.needs_etag:
            yield Finding("lock.strongEtag", Verdict.OK)
        if after.work_mode is None:
            message = "the live work mode is unknown and the files declare none; a write needs one"
            yield Finding("lock.noWorkMode", Verdict.BLOCK, message)
        for skill in written(changes, after):
            if skill.level is None:
                message = f"the tenant states no level for {skill.skill_id}; declare one"
                yield Finding("lock.noLevel", Verdict.BLOCK, message)

    def _concurrency(
        self, observed: ObservedAgent, changes: tuple[Change, ...], after: AgentState
    ) -> Iterator[Finding]:
        over = False
        for skill in written(changes, after):
            limit, origin = self.limits.maximum(skill.skill_id, observed)
            if skill.level != OFF and (skill.concurrent or 0) > limit:
                over = True
                yield _too_many(skill, changes, limit, origin)
        if not over:
            yield Finding("concurrency.skill", Verdict.OK)

    def _total(self, before: AgentState, after: AgentState) -> Iterator[Finding]:
        """An agent who is over the limit already may be changed, but not be given more."""
        if self.total is None:
            return
        found = after.concurrent
        if found <= self.total:
            yield Finding("concurrency.total", Verdict.OK)
            return
        raised = found > before.concurrent
        message = (
            f"the active skills sum up to {found} (now {before.concurrent}), the limit is "
            f"{self.total} (guards.totalConcurrent)"
        )
        verdict = self.over_total if raised else Verdict.WARN
        yield Finding("concurrency.total", verdict, message)


def judge_for(
    declarations: Declarations,
    at: datetime,
    lists: TenantLists,
    *,
    needs_etag: bool,
    allowed: Collection[str] = (),
) -> Judge:
    """Return the judge of one plan or apply by the guards of ``declarations``.

    ``lists`` are the tenant's own; the guards in ``allowed`` only warn.
    """
    modes = {mode.id: mode for mode in declarations.modes.values()}
    catalogue = {skill.id: skill for skill in declarations.skills.values()}
    guards = relaxed(declarations.guards, allowed)
    return Judge(
        ShiftRules(at, guards.shifts, modes),
        Limits(catalogue, lists.skills or {}),
        lists,
        needs_etag,
        guards.total_concurrent,
        Verdict.WARN if TOTAL in allowed else Verdict.BLOCK,
    )


def written(changes: Iterable[Change], after: AgentState) -> tuple[SkillState, ...]:
    """Return the skills that a write of ``changes`` names, as it would leave them."""
    touched = {change.skill_id for change in changes}
    return tuple(skill for skill in after.skills if skill.skill_id in touched)


def _too_many(skill: SkillState, changes: Iterable[Change], limit: int, origin: str) -> Finding:
    change = next(
        (c for c in changes if c.skill_id == skill.skill_id and c.part == CONCURRENT), None
    )
    because = change.because if change else None
    name = _name(skill, changes)
    wanted = f"{because.file}:{because.line}" if because else "live"
    message = (
        f"{name}: concurrent {skill.concurrent} ({wanted}) is over the limit {limit} ({origin})"
    )
    return Finding("concurrency.skill", Verdict.BLOCK, message)


def _name(skill: SkillState, changes: Iterable[Change]) -> str:
    path = next(change.path for change in changes if change.skill_id == skill.skill_id)
    return path.removeprefix("skills/").rpartition("/")[0]


def _never_held(desired: DesiredAgent, observed: ObservedAgent) -> Iterator[Finding]:
    for skill in desired.skills:
        if skill.level is None and skill.concurrent is not None:
            held = observed.holds(skill.id)
            if held is None or held.level == OFF:
                message = (
                    f"{skill.name}: a concurrency is declared and no level, and the agent does "
                    "not hold the skill actively; declare a level to assign it"
                )
                yield Finding("concurrency.notHeld", Verdict.WARN, message)
