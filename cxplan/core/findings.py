"""What a check or a guard found: values, collected to the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cxplan.core.coverage import Interval


class Verdict(StrEnum):
    """What a finding does to its agent, the worst last."""

    OK = "ok"
    WARN = "warn"
    DEFER = "defer"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says of one agent; ``until`` is when it may read differently."""

    id: str
    verdict: Verdict
    message: str = ""
    until: datetime | None = None


class GuardVerdict(StrEnum):
    """What a guard says of a whole plan."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    DENY = "deny"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class GuardFinding:
    """A guard's numbers: what would be, the limit, what they stand on, three worst examples.

    ``subject`` is what it is about where a guard stands more than once: a skill, a freeze.
    ``intervals`` are the counts of a coverage, over its whole horizon.
    """

    id: str
    verdict: GuardVerdict
    actual: int
    limit: int | None
    basis: tuple[tuple[str, int], ...]
    examples: tuple[str, ...] = ()
    subject: str = ""
    intervals: tuple[Interval, ...] = ()
