"""Evidence that is refused, with a stable code and a place; the codes are listed in ``verify``."""

from __future__ import annotations

from cxplan.core.errors import EvidenceError, UnapprovedError
from cxplan.core.evidence import VerifyFailure

SHOWN = 80


class Refused(Exception):
    """Something in a ledger does not hold; ends the check of its bundle."""

    def __init__(self, code: str, place: str, summary: str) -> None:
        """Keep the three as one value."""
        super().__init__(f"{code} {place}: {summary}")
        self.failure = VerifyFailure(code, place, summary)


def unreadable_evidence(subject: str, refused: Refused) -> EvidenceError:
    """Return the error of a command that cannot go on because ``subject`` was refused."""
    failure = refused.failure
    return EvidenceError(
        f"{subject} cannot be read: {failure.summary}.",
        code=failure.code,
        address=failure.place,
        hint="Run `cxplan audit verify`; it says everything that is wrong with the ledger.",
    )


def refuse_foreign(theirs: str, ours: str, place: str) -> None:
    """Refuse the ledger of a tenant called ``theirs`` where the files declare ``ours``.

    Raises:
        UnapprovedError: they differ.
    """
    if theirs != ours:
        raise UnapprovedError(
            f"This ledger is of the tenant {shown(theirs)}; the files declare {shown(ours)}.",
            code="audit.tenant",
            address=place,
            hint="Give the ledger of this tenant with --audit; each tenant has one of its own.",
        )


def shown(text: str) -> str:
    """Return untrusted ``text`` as printable ASCII, cut to 80 characters."""
    safe = "".join(c if " " <= c <= "~" and c != "\\" else _escaped(c) for c in text[: SHOWN + 1])
    return safe if len(safe) <= SHOWN else f"{safe[:SHOWN]}..."


def _escaped(character: str) -> str:
    return f"\\u{{{ord(character):04X}}}"
