"""The parts of profiles, teams and members, with names resolved, to the blocks of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cxplan.core.ids import SCHEDULED, SkillName, WorkModeName
from cxplan.core.model import Block, Layer, Levels, Off, SkillSetting
from cxplan.desired.content import Part, Setting
from cxplan.desired.faults import Keys, Sheet, named, safe
from cxplan.desired.links import Names

_NO_SKILLS: Mapping[SkillName, SkillSetting] = {}


@dataclass(slots=True)
class Blocks:
    """Makes blocks; equal settings become one object, since a tree holds few different ones."""

    levels: Levels
    levels_known: bool
    skills: Names
    modes: Names
    _ready: dict[Setting, SkillSetting] = field(default_factory=dict)

    def block(self, sheet: Sheet, layer: Layer, part: Part) -> Block:
        """Return the block of one layer; unknown names and levels off the scale are reported."""
        mode = part.work_mode
        if mode is not None and mode != SCHEDULED:
            self.modes.check(sheet, mode, (*layer.keys, "workMode"))
        return Block(
            layer,
            WorkModeName(mode) if mode is not None else None,
            self._skills(sheet, (*layer.keys, "skills"), part.skills)
            if part.skills
            else _NO_SKILLS,
            part.exclusive,
        )

    def _skills(
        self, sheet: Sheet, keys: Keys, written: Mapping[str, Setting]
    ) -> Mapping[SkillName, SkillSetting]:
        known, ready = self.skills.known, self._ready
        found = {}
        for name, setting in written.items():
            if name not in known:
                self.skills.check(sheet, name, (*keys, name), on_key=True)
            settled = ready.get(setting) or self._settle(sheet, (*keys, name), setting)
            if settled is not None:
                found[SkillName(name)] = settled
        return found

    def _settle(self, sheet: Sheet, keys: Keys, setting: Setting) -> SkillSetting | None:
        level = setting.level
        if isinstance(level, str):
            word, level = level, self.levels.names.get(level)
            if level is None:
                self._unknown_level(sheet, (*keys, "level"), word)
                return None
        if level is not None and self.levels_known and not self.levels.allows(level):
            self._off_the_scale(sheet, (*keys, "level"), level)
            return None
        settled = self._ready[setting] = SkillSetting(level, setting.concurrent, setting.off)
        return settled

    def _off_the_scale(self, sheet: Sheet, keys: Keys, level: int) -> None:
        sheet.fault(
            "schema.range",
            keys,
            f"The level {level} is not within {self.levels.best} (best) to "
            f"{self.levels.worst} (worst).",
            "Write disabled for a skill that is assigned but switched off."
            if level == 0
            else "Write a level of the scale, or one of its names.",
        )

    def _unknown_level(self, sheet: Sheet, keys: Keys, word: str) -> None:
        if not word[:1].isalpha():
            sheet.fault(
                "schema.type",
                keys,
                "This is text, and neither a level's number nor its name.",
                "Write a whole number without quotes, or a level's name.",
            )
        elif self.levels_known:
            known = (*filter(safe, self.levels.names), *Off)
            sheet.fault(
                "schema.unknown_level",
                keys,
                f"There is no level{named(word) or ' of this name'}.",
                sheet.faults.suggestion(word, known, f"Known are {', '.join(known)}."),
            )
