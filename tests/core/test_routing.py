"""The routing score: 100, minus 15 a disabled skill, plus 5 a slot, held within 0 and 100."""

from __future__ import annotations

import pytest

from cxplan.core.diff import SkillState
from cxplan.core.ids import SkillId
from cxplan.core.routing import score_of


def skills(disabled: int, *slots: int | None) -> list[SkillState]:
    off = [SkillState(SkillId(f"off-{n}"), 0, 9) for n in range(disabled)]
    return off + [SkillState(SkillId(f"on-{n}"), 5, slot) for n, slot in enumerate(slots)]


@pytest.mark.parametrize(
    ("held", "score", "impact"),
    [
        (skills(0), 100, 100),
        (skills(1), 85, 85),
        (skills(1, 3), 100, 100),
        (skills(0, 2, 2), 100, 120),
        (skills(2, 1), 75, 75),
        (skills(7), 0, -5),
        (skills(10, 2), 0, -40),
        (skills(1, None), 85, 85),
    ],
)
def test_score_and_impact(held: list[SkillState], score: int, impact: int) -> None:
    found = score_of(held)
    assert (found.routing_score, found.impact) == (score, impact)
