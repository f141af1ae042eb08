"""What a set of assignments is worth to routing, as one number for comparing before and after.

A yardstick of cxplan's own: CXone publishes no such score.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cxplan.core.diff import SkillState
from cxplan.core.ids import OFF

BASE = 100
DISABLED = -15
SLOT = 5
LOWEST, HIGHEST = 0, 100


@dataclass(frozen=True, slots=True)
class Score:
    """``impact`` is 100 - 15 for each disabled skill + 5 for each concurrent slot."""

    impact: int

    @property
    def routing_score(self) -> int:
        """The impact, held within 0 and 100."""
        return min(max(self.impact, LOWEST), HIGHEST)


@dataclass(frozen=True, slots=True)
class AgentScore:
    """One agent of a plan, before and after all its changes, ready or not."""

    agent_id: str
    key: str
    before: Score
    after: Score


@dataclass(frozen=True, slots=True)
class PayloadScore:
    """One payload: its score, and what our own checks say of it.

    ``malformed`` tells errors of shape from values that the files do not allow.
    """

    work_mode: str | None
    score: Score
    errors: tuple[str, ...]
    malformed: bool


def score_of(skills: Iterable[SkillState]) -> Score:
    """Return the score of assignments; slots are the concurrency of those that are not disabled."""
    impact = BASE
    for skill in skills:
        impact += DISABLED if skill.level == OFF else SLOT * (skill.concurrent or 0)
    return Score(impact)
