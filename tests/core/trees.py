"""Random desired states as files in block style, one value a line."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cxplan.core.instant import utc_text
from tests.core.make import NOW

_SKILLS = ("chat", "mail", "voice")
_MODES = ("available", "blended", "training", "meeting", "off")
_FIXED = {
    "tenant.yaml": "apiVersion: cxplan/v1\ntenant: acme-demo\napi: availability-v2\n",
    "skills.yaml": "skills:\n" + "".join(f'  {name}: {{id: "s-{name}"}}\n' for name in _SKILLS),
    "modes.yaml": "workModes:\n"
    + "".join(f'  {name}: {{id: "m-{name}", category: available}}\n' for name in _MODES),
}


@dataclass(frozen=True)
class Tree:
    """Files, one of their agents, and an instant to ask about it."""

    files: dict[str, str]
    agent: str
    at: datetime

    def write(self, root: Path) -> None:
        for name, text in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def without_line(text: str, line: int) -> str:
    """``text`` without a line, and without the keys that hold nothing then."""
    lines = text.splitlines()
    del lines[line - 1]
    while (empty := _empty_key(lines)) is not None:
        del lines[empty]
    return "".join(f"{one}\n" for one in lines)


def _empty_key(lines: list[str]) -> int | None:
    for place, (one, following) in enumerate(zip(lines, [*lines[1:], ""], strict=True)):
        if one.endswith(":") and _indent(following) <= _indent(one):
            return place
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def random_tree(draw: random.Random, *, distinct: bool) -> Tree:
    """A state of profiles, teams, members and overrides, and one agent of it.

    ``distinct`` lets no two layers of an agent say the same of one value.
    """
    maker = _Maker(draw, distinct)
    files = dict(_FIXED)
    for depth, (name, extends) in enumerate(_PROFILES.items()):
        head = [f"profile: {name}", *([f"extends: {extends}"] if extends else [])]
        files[f"profiles/{name}.yaml"] = _text(head, maker.part(depth))
    keys = ["East-1", "East-2", "West-1"]
    for team in _TEAMS:
        head = [f"team: {team}", f"profile: {draw.choice(list(_PROFILES))}", *maker.part(_TEAM)]
        body = ["members:"]
        for key in keys:
            if key.startswith(team):
                body += [f"  {key}:", f'    id: "id-{key}"', *_indented(maker.part(_MEMBER), 4)]
        files[f"teams/{team}.yaml"] = _text(head, body)
    agent = draw.choice(keys)
    return Tree(files | dict(maker.overrides(agent)), agent, NOW)


_PROFILES = {"base": None, "mid": "base", "top": "mid"}
_TEAMS = ("East", "West")
_TEAM, _MEMBER, _OVERRIDE = 3, 4, 5
"""How many layers can be beneath."""


def _text(*parts: list[str]) -> str:
    return "".join(f"{line}\n" for lines in parts for line in lines)


def _indented(lines: list[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


class _Maker:
    """Draws what layers say; where they have to differ, a layer's depth decides on its words."""

    def __init__(self, draw: random.Random, distinct: bool) -> None:
        self.draw, self.distinct = draw, distinct
        self.modes = draw.sample([*_MODES, "scheduled"], 6)
        self.levels = {skill: draw.sample(range(1, 21), 6) for skill in _SKILLS}
        self.numbers = {skill: draw.sample(range(1, 101), 6) for skill in _SKILLS}
        self.strict = False
        self.off = {skill: draw.randrange(9) for skill in _SKILLS}

    def part(self, depth: int, skills: tuple[str, ...] = _SKILLS) -> list[str]:
        """The lines of one layer."""
        lines = []
        if self.draw.random() < 0.3 and depth != _OVERRIDE:
            lines += self._exclusive(depth)
        if self.draw.random() < 0.4 and depth != _OVERRIDE:
            lines.append(f"workMode: {self._word(self.modes, depth)}")
        named = [skill for skill in skills if self.draw.random() < 0.6]
        if named:
            lines.append("skills:")
            for skill in named:
                lines += _indented(self._skill(skill, depth), 2)
        return lines

    def _word(self, words: list[str] | list[int], depth: int) -> str | int:
        return words[depth if self.distinct else self.draw.randrange(2)]

    def _exclusive(self, depth: int) -> list[str]:
        """Where they have to differ, the lowest layer may say yes, and then a member no."""
        if not self.distinct:
            return [f"exclusive: {self.draw.choice(['true', 'false'])}"]
        self.strict = self.strict or depth == 0
        said = {0: ["exclusive: true"], _MEMBER: ["exclusive: false"]}
        return said.get(depth, []) if self.strict else []

    def _skill(self, skill: str, depth: int) -> list[str]:
        off = depth == self.off[skill] if self.distinct else self.draw.random() < 0.3
        if off:
            return [f"{skill}: {self.draw.choice(['disabled', 'absent'])}"]
        level = self._word(self.levels[skill], depth)
        number = self._word(self.numbers[skill], depth)
        return self.draw.choice(
            [
                [f"{skill}: {level}"],
                [f"{skill}:", f"  level: {level}"],
                [f"{skill}:", f"  concurrent: {number}"],
                [f"{skill}:", f"  level: {level}", f"  concurrent: {number}"],
            ]
        )

    def overrides(self, agent: str) -> Iterator[tuple[str, str]]:
        """Active ones that set different values, one that is over and one that is to come."""
        mode = [f"workMode: {self.modes[_OVERRIDE]}"]
        active = [self.part(_OVERRIDE, _SKILLS[:2]), self.part(_OVERRIDE, _SKILLS[2:]), mode]
        if not self.distinct:
            active.append(mode)
        for number, lines in enumerate(active):
            if self.draw.random() < 0.7:
                yield from self._override(f"active-{number}", agent, lines, -1)
        for name, begins_in in (("past", -50), ("later", 50)):
            if self.draw.random() < 0.3:
                yield from self._override(name, agent, self.part(_OVERRIDE), begins_in)

    def _override(
        self, name: str, agent: str, lines: list[str], begins_in: int
    ) -> Iterator[tuple[str, str]]:
        start = NOW + timedelta(hours=begins_in)
        period = [
            f'from: "{utc_text(start)}"',
            f'until: "{utc_text(start + timedelta(hours=2))}"',
        ]
        match = [f"agents: [{agent}]", f"teams: [{agent.partition('-')[0]}]"]
        if lines:
            yield (
                f"overrides/{name}.yaml",
                _text(
                    [f"override: {name}", *period],
                    ["match:", f"  {self.draw.choice(match)}"],
                    ["set:", *_indented(lines, 2)],
                ),
            )
