"""Limits that a plan may not pass. Each guard is a pure function that returns its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cxplan.core.coverage import Count, Interval, failing, thin
from cxplan.core.diff import CONCURRENT, LEVEL, AgentState, Change, Op
from cxplan.core.findings import GuardFinding, GuardVerdict
from cxplan.core.instant import utc_text
from cxplan.core.model import LayerKind, Override
from cxplan.core.rules import Freeze, GuardSettings, Limit, OverrideRules
from cxplan.core.strictness import (
    AGENTS,
    COVERAGE,
    FREEZE,
    OVERRIDES,
    PROTECTED,
    SKILLS,
    WITHOUT_SKILL,
    Allowance,
)
from cxplan.core.wording import count

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Covered:
    """A coverage rule and what was counted for it; ``level`` is the level that is asked for."""

    skill: str
    minimum: int
    level: int | None
    counted: Count


@dataclass(frozen=True, slots=True)
class Basis:
    """What the guards of a plan stand on, besides the agents that it would write."""

    managed_agents: int
    managed_assignments: int
    unread: int
    """How many agents could not be read, of all who were asked for, outside the scope too."""
    protected: int = 0
    """How many of the managed agents are protected."""
    coverage: tuple[Covered, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What the guards go by: the settings, the instant, the overrides, what is let pass."""

    settings: GuardSettings
    at: datetime
    overrides: tuple[Override, ...] = ()
    allowed: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True)
class Affected:
    """An agent that would be written: its key, its changes, and its state before and after."""

    key: str
    changes: tuple[Change, ...]
    before: AgentState
    after: AgentState
    protected: bool = False

    @property
    def only_follows(self) -> bool:
        """Whether nothing changes but a work mode that follows the shift."""
        return all(change.scheduled for change in self.changes)

    @property
    def removals(self) -> int:
        """How many assignments would go to disabled or absent."""
        return sum(change.op is Op.REMOVE for change in self.changes)

    @property
    def loses_every_skill(self) -> bool:
        """Whether it had an active skill and would have none."""
        return self.before.active_skills > 0 and self.after.active_skills == 0

    @property
    def only_overrides(self) -> bool:
        """Whether nothing changes but what an override begins or has ended.

        The concurrency of a skill that comes new goes with its level, whatever line names it.
        """
        new = [change for change in self.changes if change.op is Op.ADD]
        given = {c.skill_id for c in new if c.part == LEVEL and _by_override(c)}
        along = [c for c in new if c.part == CONCURRENT and c.skill_id in given]
        return all(_by_override(change) or change in along for change in self.changes)


def _by_override(change: Change) -> bool:
    begins = change.because is not None and change.because.layer == LayerKind.OVERRIDE
    return begins or change.overdue is not None or (change.because is None and not change.scheduled)


def judge_guards(
    standing: Standing, affected: Sequence[Affected], basis: Basis
) -> tuple[GuardFinding, ...]:
    """Return the finding of every guard, those switched off too; what is allowed only warns."""
    allowed = {allowance.guard for allowance in standing.allowed}
    return tuple(
        replace(finding, verdict=GuardVerdict.WARN)
        if finding.verdict is GuardVerdict.DENY and finding.id in allowed
        else finding
        for finding in _findings(standing, affected, basis)
    )


def _findings(
    standing: Standing, affected: Sequence[Affected], basis: Basis
) -> Iterator[GuardFinding]:
    settings = standing.settings
    yield _agents_changed(settings.max_agents_changed, affected, basis)
    yield _skills_removed(settings.max_skills_removed, affected, basis)
    yield _without_skill(settings, affected, basis)
    for covered in basis.coverage:
        yield _coverage(covered, basis.unread)
    if basis.protected:
        yield _protected(affected, basis)
    if settings.freeze:
        yield _frozen(frozen(settings.freeze, standing.at), affected)
    yield _overrides(settings.overrides, standing)


def denial(finding: GuardFinding) -> str:
    """Return what a guard that denies says, with its numbers, without a full stop."""
    return f"Guard {finding.id} denies{numbers(finding)}"


def numbers(finding: GuardFinding) -> str:
    """Return what a guard counted, its limit and its examples, to go on a sentence with."""
    about = f" for {finding.subject}" if finding.subject else ""
    least = "at least" if finding.id == COVERAGE else "the limit is"
    examples = f" ({'; '.join(finding.examples)})" if finding.examples else ""
    return f"{about}: {finding.actual:,}, {least} {finding.limit or 0:,}{examples}"


def denied(findings: Iterable[GuardFinding]) -> tuple[GuardFinding, ...]:
    """Return the findings that forbid to write anything."""
    return tuple(f for f in findings if f.verdict is GuardVerdict.DENY)


# --- how much changes -----------------------------------------------------------------------


def _agents_changed(
    limit: Limit | None, affected: Sequence[Affected], basis: Basis
) -> GuardFinding:
    """Count agents; work modes that only follow the shift are counted apart and not limited."""
    counted = [a for a in affected if not a.only_follows]
    worst = sorted(counted, key=lambda a: (-len(a.changes), a.key))
    examples = tuple(f"{a.key}: {count(len(a.changes), 'change')}" for a in worst[:EXAMPLES])
    numbers = (
        ("managedAgents", basis.managed_agents),
        ("unread", basis.unread),
        ("onlyScheduled", len(affected) - len(counted)),
    )
    maximum = limit.of(basis.managed_agents) if limit else None
    return _limited(AGENTS, len(counted), maximum, numbers, examples)


def _skills_removed(
    limit: Limit | None, affected: Sequence[Affected], basis: Basis
) -> GuardFinding:
    worst = sorted(affected, key=lambda a: (-a.removals, a.key))
    examples = tuple(f"{a.key}: {a.removals} removed" for a in worst[:EXAMPLES] if a.removals)
    numbers = (("managedAssignments", basis.managed_assignments), ("unread", basis.unread))
    actual = sum(a.removals for a in affected)
    maximum = limit.of(basis.managed_assignments) if limit else None
    return _limited(SKILLS, actual, maximum, numbers, examples)


def _without_skill(
    settings: GuardSettings, affected: Sequence[Affected], basis: Basis
) -> GuardFinding:
    stripped = sorted(a.key for a in affected if a.loses_every_skill)
    examples = tuple(f"{key}: no active skill left" for key in stripped[:EXAMPLES])
    maximum = 0 if settings.no_agent_without_skill else None
    numbers = (("managedAgents", basis.managed_agents), ("unread", basis.unread))
    return _limited(WITHOUT_SKILL, len(stripped), maximum, numbers, examples)


# --- who stays on the line ------------------------------------------------------------------


def _coverage(covered: Covered, unread: int) -> GuardFinding:
    """Deny where an interval is lowered and left under the minimum; thin ones are only told.

    Whoever could not be read is in no count, and told too.
    """
    counted, minimum = covered.counted, covered.minimum
    bad = sorted(failing(counted, minimum), key=lambda i: (i.after, i.start))
    under = thin(counted, minimum)
    lowest = min((interval.after for interval in counted.intervals), default=0)
    numbers: tuple[tuple[str, int], ...] = (
        ("unreadable", len(counted.unreadable)),
        ("thinBefore", len(under)),
        ("unread", unread),
    )
    if covered.level is not None:
        numbers += (("levelAtLeast", covered.level),)
    verdict, uncounted = GuardVerdict.PASS, tuple(_uncounted(counted, unread))
    examples = [_interval_text(interval) for interval in bad[:EXAMPLES]]
    if bad:
        verdict = GuardVerdict.DENY
    elif under or uncounted:
        verdict = GuardVerdict.WARN
        examples = [_interval_text(interval) for interval in under[:EXAMPLES]]
    return GuardFinding(
        COVERAGE,
        verdict,
        bad[0].after if bad else lowest,
        minimum,
        tuple(sorted(numbers)),
        (*examples, *uncounted),
        covered.skill,
        counted.intervals,
    )


def _uncounted(counted: Count, unread: int) -> Iterator[str]:
    """Yield who is in no count, and may count."""
    if counted.unreadable:
        shown = ", ".join(counted.unreadable[:EXAMPLES])
        many = count(len(counted.unreadable), "schedule")
        yield f"{many} unreadable, such as of {shown}"
    if unread:
        yield f"{count(unread, 'agent')} unread and not counted"


def _interval_text(interval: Interval) -> str:
    span = f"{utc_text(interval.start)} to {utc_text(interval.end)}"
    return f"{span}: {interval.before} → {interval.after}"


# --- whom and when --------------------------------------------------------------------------


def _protected(affected: Sequence[Affected], basis: Basis) -> GuardFinding:
    keys = sorted(a.key for a in affected if a.protected)
    numbers = (("protectedAgents", basis.protected),)
    return _limited(PROTECTED, len(keys), 0, numbers, tuple(keys[:EXAMPLES]))


def frozen(freezes: Iterable[Freeze], at: datetime) -> tuple[Freeze, ...]:
    """Return the freezes in which ``at`` lies."""
    return tuple(freeze for freeze in freezes if freeze.start <= at < freeze.end)


def stopped_by(freezes: Iterable[Freeze], agent: Affected) -> bool:
    """Tell whether one of the freezes, all of them on, forbids to write this agent."""
    return any(not (freeze.except_overrides and agent.only_overrides) for freeze in freezes)


def _frozen(on: tuple[Freeze, ...], affected: Sequence[Affected]) -> GuardFinding:
    keys = sorted(a.key for a in affected if stopped_by(on, a))
    subject = ", ".join(f"{freeze.name} until {utc_text(freeze.end)}" for freeze in on)
    finding = _limited(FREEZE, len(keys), 0, (), tuple(keys[:EXAMPLES]))
    return replace(finding, subject=subject)


# --- changes with an end --------------------------------------------------------------------


def _overrides(rules: OverrideRules | None, standing: Standing) -> GuardFinding:
    numbers = (("overrides", len(standing.overrides)),)
    if rules is None:
        return _limited(OVERRIDES, 0, None, numbers, ())
    wrong = [
        f"{override.name}: {why}"
        for override in standing.overrides
        for why in _faults(override, rules, standing.at)
    ]
    return _limited(OVERRIDES, len(wrong), 0, numbers, tuple(wrong[:EXAMPLES]))


def _faults(override: Override, rules: OverrideRules, at: datetime) -> Iterator[str]:
    over = at - override.end
    if over >= timedelta(0):
        most = rules.deny_when_expired_days
        if most is not None and over > timedelta(days=most):
            since, days = utc_text(override.end), count(most, "day")
            yield f"over since {since}, more than {days}; delete its file"
        return
    if override.end - override.start > timedelta(days=rules.max_days):
        yield f"lasts longer than {count(rules.max_days, 'day')}"
    missing = [name for name in rules.require if not getattr(override, name)]
    if missing:
        yield f"names no {' and no '.join(missing)}"


def _limited(
    guard: str,
    actual: int,
    limit: int | None,
    basis: tuple[tuple[str, int], ...],
    examples: tuple[str, ...],
) -> GuardFinding:
    basis = tuple(sorted(basis))
    if limit is None:
        return GuardFinding(guard, GuardVerdict.OFF, actual, None, basis)
    verdict = GuardVerdict.DENY if actual > limit else GuardVerdict.PASS
    shown = examples if verdict is GuardVerdict.DENY else ()
    return GuardFinding(guard, verdict, actual, limit, basis, shown)
