"""An exception that nobody foresaw: kept until the run is sealed, and then told.

A bug with one agent, or in what is shown, must not take the outcomes of the others with it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

PLACES = 3


@dataclass(frozen=True, slots=True)
class Held:
    """Lets no exception out of its block: ``told`` gets its class and the places, no values."""

    told: Callable[[str], None]

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Tell of an exception and keep it in; what asks the whole program to end goes on."""
        if not isinstance(error, Exception):
            return False
        frames = traceback.extract_tb(trace)[-PLACES:]
        places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        self.told(
            f"cxplan itself failed, which is a bug to report: {type(error).__name__} at {places}"
        )
        return True
