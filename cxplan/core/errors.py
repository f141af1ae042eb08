"""Everything that can end a command, as one tree.

::

    CxplanError                  internal (1)
    ├── InvalidError             invalid (3): usage, settings, desired state, output path
    │   └── DesiredInvalid       all problems of a desired state at once
    ├── BlockedError             blocked (4): a guard denies
    ├── StaleError               stale (6): files moved, plan applied before
    ├── UnapprovedError          unapproved (9): confirmation, key or plan file
    ├── TenantError
    │   ├── AuthError            auth (7): credentials, scope, certificate
    │   └── UnavailableError     unavailable (10): unreachable, or an answer that is refused
    ├── LockedError              locked (8): another run holds the ledger
    ├── EvidenceError            audit (12): journal or bundle
    └── Interrupted              129, 130, 143: after an orderly stop on a signal

An error says what is wrong (summary), where (address or origin) and what to do next (hint).
Findings about single agents are values, not errors: see ``core.plan`` and ``core.report``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from cxplan.core.address import Origin


class Exit(IntEnum):
    """The exit codes of the command line; README and ``--help`` show the same table."""

    OK = 0
    INTERNAL = 1
    CHANGES = 2
    INVALID = 3
    BLOCKED = 4
    PARTIAL = 5
    STALE = 6
    AUTH = 7
    LOCKED = 8
    UNAPPROVED = 9
    UNAVAILABLE = 10
    UNKNOWN = 11
    AUDIT = 12
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def word(self) -> str:
        """The word that stands beside the code in JSON output."""
        return "interrupted" if self >= Exit.HANGUP else self.name.lower()


_PRECEDENCE = (
    Exit.INTERNAL,
    Exit.UNKNOWN,
    Exit.AUDIT,
    Exit.AUTH,
    Exit.INVALID,
    Exit.UNAPPROVED,
    Exit.LOCKED,
    Exit.HANGUP,
    Exit.INTERRUPTED,
    Exit.TERMINATED,
    Exit.STALE,
    Exit.PARTIAL,
    Exit.BLOCKED,
    Exit.UNAVAILABLE,
    Exit.CHANGES,
    Exit.OK,
)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the code that wins when several hold; ``OK`` for none."""
    present = set(codes)
    return next((code for code in _PRECEDENCE if code in present), Exit.OK)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a stable code, a sentence, where it is, what to do about it."""

    code: str
    summary: str
    address: str | None = None
    origin: Origin | None = None
    hint: str | None = None


class CxplanError(Exception):
    """A reason why going on makes no sense; ends the command with ``exit_code``."""

    exit_code: Exit = Exit.INTERNAL
    default_code: ClassVar[str] = "internal"

    def __init__(
        self,
        summary: str,
        *,
        code: str | None = None,
        address: str | None = None,
        origin: Origin | None = None,
        hint: str | None = None,
    ) -> None:
        """Keep the parts; ``code`` defaults to the class's own."""
        super().__init__(summary)
        self.problem = Problem(code or self.default_code, summary, address, origin, hint)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem that this error reports, in the order to show them."""
        return (self.problem,)


class InvalidError(CxplanError):
    """What was written is wrong: usage, settings, desired state or an output path."""

    exit_code = Exit.INVALID
    default_code = "usage"


class DesiredInvalid(InvalidError):
    """The desired state has problems; all of them, in file order."""

    default_code = "desired.invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Take at least one problem and sort them by file, line and column."""
        self._problems = tuple(sorted(problems, key=_file_order))
        count = len(self._problems)
        super().__init__(f"The desired state has {count} error{'s' if count != 1 else ''}.")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem found, in file order."""
        return self._problems


def _file_order(problem: Problem) -> tuple[str, int, int, str]:
    origin = problem.origin or Origin("", 0, 0)
    return (origin.file, origin.line, origin.column, problem.code)


class BlockedError(CxplanError):
    """A guard denies the plan; nothing was written."""

    exit_code = Exit.BLOCKED
    default_code = "guard.denied"


class StaleError(CxplanError):
    """The plan no longer describes what would happen; nothing was written."""

    exit_code = Exit.STALE
    default_code = "plan.stale"


class UnapprovedError(CxplanError):
    """Confirmation, signing key or an intact plan file is missing; nothing was written."""

    exit_code = Exit.UNAPPROVED
    default_code = "approval.missing"


class TenantError(CxplanError):
    """What the tenant did."""

    exit_code = Exit.UNAVAILABLE
    default_code = "http.unavailable"


class AuthError(TenantError):
    """Credentials, scope, permission or certificate were refused."""

    exit_code = Exit.AUTH
    default_code = "auth.refused"


class UnavailableError(TenantError):
    """The tenant cannot be reached, or answered something that is refused."""


class LockedError(CxplanError):
    """Another run holds the ledger."""

    exit_code = Exit.LOCKED
    default_code = "ledger.locked"


class EvidenceError(CxplanError):
    """The journal or a bundle cannot be written or does not verify."""

    exit_code = Exit.AUDIT
    default_code = "audit.invalid"


class Interrupted(CxplanError):
    """A signal asked for an orderly stop; ``exit_code`` is that signal's."""

    default_code = "interrupted"

    def __init__(self, code: Exit) -> None:
        """Say no more than that."""
        super().__init__("Interrupted.")
        self.exit_code = code
