"""Colour, which never carries meaning alone and is off wherever it is not wanted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paint:
    """Wraps text in SGR codes, or leaves it alone."""

    enabled: bool = False

    def good(self, text: str) -> str:
        """Green: added, applied, verified."""
        return self._wrap("32", text)

    def changed(self, text: str) -> str:
        """Yellow: changed, deferred, a warning."""
        return self._wrap("33", text)

    def bad(self, text: str) -> str:
        """Red: removed, blocked, refused."""
        return self._wrap("31", text)

    def strong(self, text: str) -> str:
        """Bold: headings and totals."""
        return self._wrap("1", text)

    def faint(self, text: str) -> str:
        """Dim: what is there for completeness."""
        return self._wrap("2", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and text else text
