"""Limits that a plan may not pass. Each guard is a pure function that returns its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cxplan.core.diff import AgentState, Change, Op
from cxplan.core.findings import GuardFinding, GuardVerdict
from cxplan.core.rules import GuardSettings, Limit

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Basis:
    """What the guards of a plan stand on, besides the agents that it would write."""

    managed_agents: int
    managed_assignments: int
    unread: int


@dataclass(frozen=True, slots=True)
class Affected:
    """An agent that would be written: its key, its changes, and its state before and after."""

    key: str
    changes: tuple[Change, ...]
    before: AgentState
    after: AgentState

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


def judge_guards(
    settings: GuardSettings, affected: Sequence[Affected], basis: Basis
) -> tuple[GuardFinding, ...]:
    """Return the finding of every guard, those switched off too."""
    return (
        _agents_changed(settings.max_agents_changed, affected, basis),
        _skills_removed(settings.max_skills_removed, affected, basis),
        _without_skill(settings, affected, basis),
    )


def denial(finding: GuardFinding) -> str:
    """Return what a guard that denies says, with its numbers, without a full stop."""
    examples = f" ({', '.join(finding.examples)})" if finding.examples else ""
    return (
        f"Guard {finding.id} denies: {finding.actual:,}, the limit is {finding.limit:,}{examples}"
    )


def denied(findings: Iterable[GuardFinding]) -> tuple[GuardFinding, ...]:
    """Return the findings that forbid to write anything."""
    return tuple(f for f in findings if f.verdict is GuardVerdict.DENY)


def _agents_changed(
    limit: Limit | None, affected: Sequence[Affected], basis: Basis
) -> GuardFinding:
    """Count agents; work modes that only follow the shift are counted apart and not limited."""
    counted = [a for a in affected if not a.only_follows]
    worst = sorted(counted, key=lambda a: (-len(a.changes), a.key))
    examples = tuple(f"{a.key}: {len(a.changes)} changes" for a in worst[:EXAMPLES])
    numbers = (
        ("managedAgents", basis.managed_agents),
        ("unread", basis.unread),
        ("onlyScheduled", len(affected) - len(counted)),
    )
    maximum = limit.of(basis.managed_agents) if limit else None
    return _limited("maxAgentsChanged", len(counted), maximum, numbers, examples)


def _skills_removed(
    limit: Limit | None, affected: Sequence[Affected], basis: Basis
) -> GuardFinding:
    worst = sorted(affected, key=lambda a: (-a.removals, a.key))
    examples = tuple(f"{a.key}: {a.removals} removed" for a in worst[:EXAMPLES] if a.removals)
    numbers = (("managedAssignments", basis.managed_assignments), ("unread", basis.unread))
    actual = sum(a.removals for a in affected)
    maximum = limit.of(basis.managed_assignments) if limit else None
    return _limited("maxSkillsRemoved", actual, maximum, numbers, examples)


def _without_skill(
    settings: GuardSettings, affected: Sequence[Affected], basis: Basis
) -> GuardFinding:
    stripped = sorted(a.key for a in affected if a.loses_every_skill)
    examples = tuple(f"{key}: no active skill left" for key in stripped[:EXAMPLES])
    maximum = 0 if settings.no_agent_without_skill else None
    numbers = (("managedAgents", basis.managed_agents), ("unread", basis.unread))
    return _limited("noAgentWithoutSkill", len(stripped), maximum, numbers, examples)


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
