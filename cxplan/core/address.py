"""Where a value lives on the tenant, and where it was written in the files.

One address a datum: the same string stands on the screen, in the plan file, in findings, in the
log and in the record, so that a search for it finds them all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A place in a file: its path below the desired folder, line and column counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return ``file:line:column``, the form that editors jump to."""
        return f"{self.file}:{self.line}:{self.column}"


def address(agent: str, *path: str) -> str:
    """Return the address of one datum, such as ``agent-0007/skills/billing-chat-en/level``."""
    return "/".join((agent, *path))
