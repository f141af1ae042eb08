"""How numbers are put into sentences."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return ``1 agent`` or ``2 agents``, thousands separated."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
