"""Random numbers that a seed foretells: the same parts give the same draws, on every machine."""

from __future__ import annotations

import hashlib
import random


def draws(*parts: object) -> random.Random:
    """Return a generator seeded by ``parts``; its draws depend on nothing else."""
    return random.Random(_joined(parts))  # noqa: S311 - reproducible test data, nothing secret


def fingerprint(*parts: object, length: int = 32) -> str:
    """Return ``length`` (at most 64) lower-case hex digits that depend on every part."""
    return hashlib.sha256(_joined(parts).encode()).hexdigest()[:length]


def _joined(parts: tuple[object, ...]) -> str:
    return "/".join(str(part) for part in parts)
