"""What doctor looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cxplan.core.errors import Problem
from cxplan.core.health import Arrival, LedgerRuns
from cxplan.core.model import Declarations
from cxplan.ports import Tenant


class LedgerHealth(Protocol):
    """A ledger looked at from outside; nothing of that lasts."""

    @property
    def place(self) -> str:
        """Its folder, for people."""

    def folder(self) -> bool:
        """Tell whether the folder is there; where not, it can be made.

        Raises:
            EvidenceError: it cannot be written, or not be made.
        """

    def refuse_held(self) -> None:
        """Raise ``LockedError`` where another process holds the ledger.

        Raises:
            LockedError: the message says who, since when, on which plan.
            EvidenceError: nobody can say.
        """

    def runs(self, tenant: str | None) -> LedgerRuns:
        """Return which runs it holds, unverified; none where there is no folder.

        Every journal is read as a plan reads it, where the files say whose ledger it has to be.

        Raises:
            UnapprovedError: it is not the ledger of ``tenant``.
            EvidenceError: the folder, the newest bundle or a journal cannot be read.
        """

    def free(self) -> int:
        """Return the bytes that may still be written to its disk.

        Raises:
            EvidenceError: nobody can say.
        """


@dataclass(frozen=True, slots=True)
class DoctorWorld:
    """What is looked at. A callable raises ``CxplanError`` for what is wrong with its subject."""

    variables: tuple[str, ...]
    """The names of cxplan's variables that are set and hold."""
    refused: tuple[Problem, ...]
    """What is wrong with the others."""
    declarations: Callable[[], Declarations | None]
    """The files; None where there is no folder."""
    api: Callable[[], Arrival]
    token: Callable[[], Arrival]
    client: Callable[[], str]
    """The client's id, where its secret is there too."""
    tenant: Callable[[], Tenant]
    """A tenant that was not asked anything yet, each time anew."""
    reading: tuple[str, ...]
    writing: tuple[str, ...]
    """The scopes for each."""
    key: Callable[[], str] | None
    """The fingerprint of the key, once it has signed; None where no key is set."""
    ledger: LedgerHealth
