"""The parts of all layers, with names resolved, to the blocks of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cxplan.core.ids import SCHEDULED, SkillName, WorkModeName
from cxplan.core.model import Block, Layer, Off, SkillSetting
from cxplan.desired.content import Part, Setting
from cxplan.desired.faults import Keys, Sheet
from cxplan.desired.links import Names
from cxplan.desired.scale import Scale

_OFF_WORDS = tuple(Off)
_NO_SKILLS: Mapping[SkillName, SkillSetting] = {}


@dataclass(slots=True)
class Blocks:
    """Makes blocks; equal settings become one object, since a tree holds few different ones."""

    scale: Scale
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
        if level is not None:
            level = self.scale.number(sheet, (*keys, "level"), level, _OFF_WORDS)
            if level is None:
                return None
        settled = self._ready[setting] = SkillSetting(level, setting.concurrent, setting.off)
        return settled
