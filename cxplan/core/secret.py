"""A value that no output may show."""

from __future__ import annotations

from typing import Never


class Secret:
    """Text that prints as ``***``; only ``reveal`` gives it away, and its callers can be listed."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Wrap ``text``."""
        self._text = text

    def reveal(self) -> str:
        """Return the text, to be put on the wire and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> Never:
        raise TypeError("a secret is not pickled")
