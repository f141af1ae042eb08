"""What goes into a bundle and what checking one says, as values.

Three words stay apart: *verified* (bytes, chain, signature), *trusted* (the key), *complete* (the
head equals one that was kept elsewhere).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from cxplan.core.errors import Exit


@dataclass(frozen=True, slots=True)
class Actor:
    """Who says that they ran it: claimed, not proven; only keys prove."""

    kind: str
    """``user`` or ``ci``."""
    id: str
    ci: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a run says before its first write."""

    run_id: str
    opened_at: datetime
    actor: Actor
    tool_version: str
    tenant: str
    base_url: str
    api_version: str
    plan_id: str
    plan_created_at: str
    plan_expires_at: str
    plan_semantic_digest: str


@dataclass(frozen=True, slots=True)
class Closing:
    """What a run adds when it is sealed: the exit code and how many agents ended how."""

    sealed_at: datetime
    exit: Exit
    summary: Mapping[str, int]
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A sealed run's place in its ledger; ``sha256`` is of its statement's payload, in hex."""

    ledger_id: str
    sequence: int
    sha256: str
    run_id: str
    folder: str
    opened_at: str
    sealed_at: str
    plan_id: str
    exit_code: int
    summary: Mapping[str, int]

    def __str__(self) -> str:
        """Return ``LEDGER SEQ sha256:…``, the line to keep elsewhere."""
        return f"{self.ledger_id} {self.sequence} sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class RunStory:
    """A sealed run as it tells of itself, unverified; ``records`` are the journal's lines."""

    head: Head
    actor: str
    """Who says that they ran it."""
    tenant: str
    records: tuple[Mapping[str, Any], ...]
    origin: str = ""
    """The API's origin that was written to."""


@dataclass(frozen=True, slots=True)
class VerifyFailure:
    """One thing that does not hold: a stable code, a place in the ledger, a sentence."""

    code: str
    place: str
    summary: str


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What checking one bundle said; ``failures`` holds the first failure, or nothing."""

    folder: str
    run_id: str | None
    sequence: int | None
    signer: str | None
    """The fingerprint of the key that verified the seal."""
    records: int
    failures: tuple[VerifyFailure, ...] = ()


class Completeness(StrEnum):
    """Whether the newest bundles can have been cut off without a trace."""

    NOT_CHECKED = "notChecked"
    MATCHES = "matches"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What checking a ledger said."""

    ledger_id: str | None
    bundles: tuple[BundleReport, ...]
    failures: tuple[VerifyFailure, ...]
    """Failures of the ledger as a whole: sequence, previous, unsealed runs, replays."""
    trust: str
    """Whose keys were trusted, in words."""
    completeness: Completeness
    head: Head | None = None

    @property
    def all_failures(self) -> tuple[VerifyFailure, ...]:
        """Every failure: bundle by bundle, then the ledger's."""
        return tuple(f for bundle in self.bundles for f in bundle.failures) + self.failures

    @property
    def exit(self) -> Exit:
        """``OK`` where everything that was asked for holds, else ``AUDIT``."""
        return Exit.AUDIT if self.all_failures else Exit.OK
