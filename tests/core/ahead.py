"""Overrides for tests of the core, and random files that have them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from cxplan.core.ids import AgentKey
from cxplan.core.model import Declarations, LayerKind, Match, Off, Override, SkillSetting
from tests.core.make import NOW, block, declarations, member, team

HOUR = timedelta(hours=1)
ABSENT = SkillSetting(off=Off.ABSENT)


def override(
    name: str,
    begins: float,
    ends: float,
    skills: Mapping[str, object] | None = None,
    *,
    mode: str | None = None,
    agents: Iterable[str] = ("a",),
) -> Override:
    """Of the agents with these keys; begin and end in hours from ``NOW``."""
    return Override(
        name,
        NOW + begins * HOUR,
        NOW + ends * HOUR,
        Match(agents=frozenset(map(AgentKey, agents))),
        block(LayerKind.OVERRIDE, name, skills, mode),
    )


def with_overrides(files: Declarations, *overrides: Override) -> Declarations:
    ordered = sorted(overrides, key=lambda one: (one.start, one.name))
    return replace(files, overrides=tuple(ordered))


_MODES = ("available", "blended", "training")


def random_skills(draw: random.Random) -> dict[str, object]:
    """What a layer may say; few values, so that layers often say the same."""
    choices: tuple[object, ...] = (3, 5, (5, 1), (3, 2), (None, 2), ABSENT)
    return {name: draw.choice(choices) for name in ("voice", "chat") if draw.random() < 0.6}


def random_files(draw: random.Random) -> Declarations:
    """One agent ``a``, and overrides before, around and after ``NOW``."""
    mode = draw.choice([None, None, "scheduled", *_MODES])
    own = member("a", random_skills(draw), mode=mode, exclusive=draw.choice([None, True]))
    overrides = [
        override(
            f"o{number}",
            begins,
            begins + draw.choice([1, 2, 5]),
            random_skills(draw),
            mode=draw.choice([None, None, *_MODES]),
        )
        for number in range(draw.randrange(5))
        for begins in [draw.choice([-9, -4, -1, 0, 1, 2, 4])]
    ]
    return with_overrides(declarations(team(own)), *overrides)
