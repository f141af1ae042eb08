"""What a routing change is worth, and how long the simulated tenant would take for it."""

from __future__ import annotations

from cxplan.simulator.draws import draws

_BASE = 100
_DISABLED = -15
_SLOT = 5
_BOUNDS = (0, 100)
_LATENCY_MS = (40, 240)


def routing_score(disabled: int, slots: int) -> tuple[int, int]:
    """Return routing score and impact of an agent.

    Both are ``100 - 15 * disabled + 5 * slots``; the score is held within 0 and 100, the impact
    is not. ``disabled`` counts the skills at level 0, ``slots`` adds up the concurrent
    interactions of the others.
    """
    impact = _BASE + _DISABLED * disabled + _SLOT * slots
    low, high = _BOUNDS
    return min(max(impact, low), high), impact


def simulated_latency_ms(seed: int, agent_id: str) -> int:
    """Return the milliseconds that a write to ``agent_id`` is said to take, the same each time."""
    return draws("latency", seed, agent_id).randint(*_LATENCY_MS)
