"""What one command gets, and what it gives back."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cxplan.core.errors import Exit

if TYPE_CHECKING:
    from cxplan.cli.screen import Screen
    from cxplan.core.errors import Problem
    from cxplan.settings import Settings
    from cxplan.views.paint import Paint


@dataclass(frozen=True, slots=True)
class Session:
    """Settings, environment and screen of one command."""

    settings: Settings
    environ: Mapping[str, str]
    screen: Screen

    @property
    def paint(self) -> Paint:
        """Colour for stdout."""
        from cxplan.views.paint import Paint

        return Paint(self.screen.color)

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked."""
        return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


@dataclass(frozen=True, slots=True)
class Result:
    """What a command has to say: text for people, members for ``--json``, and the exit code.

    With ``kind`` None the members are a whole document already and only ``exit`` is added.
    """

    exit: Exit = Exit.OK
    text: str = ""
    members: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None
    problems: tuple[Problem, ...] = ()
    after: str = ""
    """What is only good to know, said on stderr once the text is out."""
    screen: Screen | None = None
    """Where the command was asked to say it; None where it failed before that was known."""


def environment() -> Mapping[str, str]:
    """Return the environment; the only place where the command line reads it."""
    return os.environ
