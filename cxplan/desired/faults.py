"""What is wrong in the files, before it has a line and a column.

A fault found in plain data names the keys that lead to it; ``places`` finds the line only when the
fault is to be shown. No fault quotes a file: words of ours and numbers are shown, and names only
where they match a short safe pattern, since a file may turn out to be something else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass, field

Keys = tuple[str | int, ...]
"""The keys and list positions that lead from the top of a file to a value."""

MAX_FAULTS = 1_000
_COMPARISONS = 100_000
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text, line and column counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Spot:
    """A place by its keys: the value there, or with ``on_key`` the last key itself."""

    keys: Keys
    on_key: bool = False


TOP = Mark(1, 1)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: code, sentence, what to do, and where.

    ``file`` is None where it concerns the folder as a whole. ``also`` is the first place of
    something that stands twice.
    """

    file: str | None
    code: str
    summary: str
    hint: str
    where: Mark | Spot = TOP
    also: tuple[str, Spot] | None = None


class EnoughFaults(Exception):
    """There are more faults than anybody reads; reading on makes no sense."""


@dataclass(slots=True)
class Faults:
    """The faults of one run, at most ``MAX_FAULTS``, so that no input makes the list endless."""

    found: list[Fault] = field(default_factory=list)
    _comparisons: int = _COMPARISONS

    def add(self, fault: Fault) -> None:
        """Keep ``fault``.

        Raises:
            EnoughFaults: there are ``MAX_FAULTS`` before it.
        """
        if len(self.found) >= MAX_FAULTS:
            raise EnoughFaults
        self.found.append(fault)

    def suggestion(self, word: object, known: Collection[str], otherwise: str) -> str:
        """Return ``Did you mean …?`` with the nearest of ``known``, or ``otherwise``.

        Comparing stops when a run has used up its share, for spelling is no reason to wait.
        """
        if not isinstance(word, str) or not safe(word) or len(known) > self._comparisons:
            return otherwise
        self._comparisons -= len(known)
        near = [name for name in difflib.get_close_matches(word, known) if safe(name)]
        return f'Did you mean "{near[0]}"?' if near else otherwise


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file under examination, and where its faults go."""

    file: str
    faults: Faults

    def fault(self, code: str, where: Keys | Mark | Spot, summary: str, hint: str) -> None:
        """Report a fault of this file; plain keys stand for the value that they lead to."""
        place = Spot(where) if isinstance(where, tuple) else where
        self.faults.add(Fault(self.file, code, summary, hint, place))

    def twice(
        self, code: str, where: Mark | Spot, summary: str, first: tuple[str, Spot], hint: str
    ) -> None:
        """Report something that stands in two places; both are named."""
        self.faults.add(Fault(self.file, code, summary, hint, where, first))

    def mistyped(self, keys: Keys, value: object, wanted: str, hint: str) -> None:
        """Report a value of the wrong type; null gets a sentence of its own."""
        if value is None:
            self.fault(
                "schema.type",
                keys,
                f"Nothing stands here (null) where {wanted} is expected.",
                "Write absent or disabled for a skill, {} for a member, or leave the key out.",
            )
        else:
            self.fault("schema.type", keys, f"This is {described(value)}, not {wanted}.", hint)


def safe(word: str) -> bool:
    """Tell whether a name may stand in a message."""
    return _SAFE.fullmatch(word) is not None


def named(word: object) -> str:
    """Return ``word`` in quotes with a space before it, or nothing where it may not be shown."""
    return f' "{word}"' if isinstance(word, str) and safe(word) else ""


def described(value: object) -> str:
    """Say what a plain value is, without showing it."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a map"
        case _:
            return "a list"
