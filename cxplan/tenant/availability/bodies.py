"""The bodies that availability-v2 is sent."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from cxplan.core.answers import AvailabilityEvent, Write
from cxplan.core.instant import utc_millis
from cxplan.core.live import ObservedAgent
from cxplan.version import __version__


def update_body(change: Write, sent_at: datetime) -> bytes:
    """Return the body of the PATCH; it names only the skills that change."""
    return _encoded(
        {
            "workModeId": change.work_mode,
            "skillLevels": [
                {
                    "skillId": skill.skill_id,
                    "level": skill.level,
                    "concurrentInteractions": skill.concurrent,
                }
                for skill in change.skills
            ],
            "reason": change.reason,
            "metadata": {"source": f"cxplan/{__version__}", "timestamp": utc_millis(sent_at)},
        }
    )


def event_body(event: AvailabilityEvent, at: datetime) -> bytes:
    """Return the body of ``agent.availability.changed``."""
    return _encoded(
        {
            "eventType": "agent.availability.changed",
            "data": {
                "agentId": event.agent_id,
                "previousState": _state(event.previous),
                "newState": _state(event.new),
                "syncTimestamp": utc_millis(at),
            },
        }
    )


def _state(agent: ObservedAgent) -> dict[str, Any]:
    return {
        "workModeId": agent.work_mode,
        "skills": [
            {
                "skillId": held.skill_id,
                "level": held.level,
                "concurrentInteractions": held.concurrent,
            }
            for held in agent.skills
        ],
        "eTag": agent.etag,
    }


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
