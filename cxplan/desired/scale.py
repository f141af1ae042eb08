"""Levels as they are written, by name or by number, to numbers of the tenant's scale."""

from __future__ import annotations

from dataclasses import dataclass

from cxplan.core.ids import OFF
from cxplan.core.model import Levels
from cxplan.desired.faults import Keys, Sheet, named, safe


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale; where the tenant's file has faults, no level counts as wrong."""

    levels: Levels
    known: bool

    def number(
        self, sheet: Sheet, keys: Keys, written: str | int, words: tuple[str, ...] = ()
    ) -> int | None:
        """Return the number of a level, or None where there is none; faults are reported.

        ``words`` may stand in its place.
        """
        level = self.levels.names.get(written) if isinstance(written, str) else written
        if level is None:
            self._unknown(sheet, keys, str(written), words)
        elif self.known and not self.levels.allows(level):
            self._outside(sheet, keys, level, words)
            return None
        return level

    def _outside(self, sheet: Sheet, keys: Keys, level: int, words: tuple[str, ...]) -> None:
        sheet.fault(
            "schema.range",
            keys,
            f"The level {level} is not within {self.levels.best} (best) to "
            f"{self.levels.worst} (worst).",
            "Write disabled for a skill that is assigned but switched off."
            if level == OFF and words
            else "Write a level of the scale, or one of its names.",
        )

    def _unknown(self, sheet: Sheet, keys: Keys, word: str, words: tuple[str, ...]) -> None:
        if not word[:1].isalpha():
            sheet.fault(
                "schema.type",
                keys,
                "This is text, and neither a level's number nor its name.",
                "Write a whole number without quotes, or a level's name.",
            )
        elif self.known:
            known = (*filter(safe, self.levels.names), *words)
            sheet.fault(
                "schema.unknown_level",
                keys,
                f"There is no level{named(word) or ' of this name'}.",
                sheet.faults.suggestion(
                    word, known, f"Known are {', '.join(known)}." if known else "Write its number."
                ),
            )
