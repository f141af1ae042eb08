"""Names across files: each declared once, each reference to something that is declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cxplan.desired.faults import Keys, Sheet, Spot, named


@dataclass(slots=True)
class Once:
    """Names that may stand once in all files; remembers where each stood first."""

    what: str
    code: str = "schema.duplicate"
    on_key: bool = True
    """Whether the name is a key, or the value under one."""
    _first: dict[str, tuple[str, Keys]] = field(default_factory=dict)

    def claim(self, sheet: Sheet, name: str, keys: Keys) -> bool:
        """Tell whether ``name`` stands here for the first time; if not, report both places."""
        here = (sheet.file, keys)
        first = self._first.setdefault(name, here)
        if first is here:
            return True
        file, place = first
        sheet.twice(
            self.code,
            Spot(keys, self.on_key),
            f"{self.what}{named(name)} stands twice.",
            (file, Spot(place, self.on_key)),
            "Keep one of them.",
        )
        return False


@dataclass(frozen=True, slots=True)
class Names:
    """The names that may be referred to; where not all are known, nothing counts as unknown."""

    what: str
    code: str
    known: Mapping[Any, object]
    complete: bool
    hint: str = ""
    """What to do about an unknown name that has no near spelling."""

    def check(self, sheet: Sheet, name: str | None, keys: Keys, *, on_key: bool = False) -> bool:
        """Tell whether ``name`` is known; None refers to nothing."""
        if name is None or name in self.known:
            return True
        if self.complete:
            otherwise = self.hint or f"Declare the {self.what} first."
            sheet.fault(
                self.code,
                Spot(keys, on_key),
                f"There is no {self.what}{named(name) or ' of this name'}.",
                sheet.faults.suggestion(name, self.known, otherwise),
            )
        return False


def refuse_circles(profiles: Iterable[tuple[Sheet, str, str | None]]) -> None:
    """Report each circle of profiles that extend one another once, at its first name."""
    sheets, extends = {}, {}
    for sheet, name, base in profiles:
        sheets[name], extends[name] = sheet, base
    seen: set[str] = set()
    for name in sorted(extends):
        circle = _circle(name, extends, seen)
        if circle:
            first = min(circle)
            through = "".join(f",{named(other)}" for other in circle if other != first)
            sheets[first].fault(
                "schema.cycle",
                ("extends",),
                f"The profile{named(first)} extends itself{through and ' by way of'}{through[1:]}.",
                "Take one extends of the circle out.",
            )


def _circle(start: str, extends: Mapping[str, str | None], seen: set[str]) -> list[str]:
    """Follow ``extends`` from ``start``; what was followed before is not followed again."""
    way: list[str] = []
    name: str | None = start
    while name is not None and name in extends and name not in seen:
        seen.add(name)
        way.append(name)
        name = extends[name]
    return way[way.index(name) :] if name in way else []
