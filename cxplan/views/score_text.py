"""Routing scores as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cxplan.core.instant import utc_millis
from cxplan.core.routing import AgentScore, PayloadScore
from cxplan.views.encoder import show
from cxplan.views.values import columns


def scores_text(scores: Sequence[AgentScore]) -> str:
    """Return the agents of a plan with their scores before and after."""
    rows = [("AGENT", "SCORE", "", "", "IMPACT", "", "")]
    rows += [
        (
            f"{show(score.key)} ({score.agent_id})",
            str(score.before.routing_score),
            f"→ {score.after.routing_score}",
            f"{score.after.routing_score - score.before.routing_score:+d}",
            str(score.before.impact),
            f"→ {score.after.impact}",
            f"{score.after.impact - score.before.impact:+d}",
        )
        for score in scores
    ]
    if len(rows) == 1:
        return "No agent of the plan changes.\n"
    return "\n".join(columns(rows)) + "\n"


def scores_document(scores: Sequence[AgentScore]) -> dict[str, Any]:
    """Return the members of the JSON for a plan."""
    return {
        "agents": [
            {
                "agentId": score.agent_id,
                "name": score.key,
                "routingScore": _change(score.before.routing_score, score.after.routing_score),
                "impact": _change(score.before.impact, score.after.impact),
            }
            for score in scores
        ]
    }


def _change(before: int, after: int) -> dict[str, int]:
    return {"before": before, "after": after, "difference": after - before}


def payload_document(
    agent_id: str, scored: PayloadScore, latency_ms: int, at: datetime
) -> dict[str, Any]:
    """Return the score of one payload as its JSON document."""
    return {
        "agentId": agent_id,
        "simulatedStatus": "rejected" if scored.errors else "accepted",
        "workModeId": scored.work_mode,
        "routingScore": scored.score.routing_score,
        "simulatedLatencyMs": latency_ms,
        "validation": {"valid": not scored.errors, "errors": list(scored.errors)},
        "metadata": {"source": "simulator", "timestamp": utc_millis(at)},
    }
