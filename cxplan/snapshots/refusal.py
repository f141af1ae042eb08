"""Why a file is no snapshot to plan on, in one form."""

from __future__ import annotations

from cxplan.core.address import Origin
from cxplan.core.errors import InvalidError

TAKE_AGAIN = "Take a new one with cxplan snapshot -o FILE."


def refused(name: str, code: str, what: str, line: int = 1) -> InvalidError:
    """Return the error of a file; ``line`` is 1 where the whole of it is meant."""
    return InvalidError(
        f"The snapshot {what}.",
        code=f"snapshot.{code}",
        origin=Origin(name, line, 1),
        hint=TAKE_AGAIN,
    )
