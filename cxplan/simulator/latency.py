"""How long the simulated tenant would take for a write."""

from __future__ import annotations

from cxplan.simulator.draws import draws

_LATENCY_MS = (40, 240)


def simulated_latency_ms(seed: int, agent_id: str) -> int:
    """Return the milliseconds that a write to ``agent_id`` is said to take, the same each time."""
    return draws("latency", seed, agent_id).randint(*_LATENCY_MS)
