"""Identifiers and tags: text that is compared for equality, and two words with a meaning."""

from __future__ import annotations

from typing import NewType

AgentId = NewType("AgentId", str)
"""The tenant's id of an agent."""

AgentKey = NewType("AgentKey", str)
"""The name of a member in the files, unique in the tenant."""

SkillId = NewType("SkillId", str)
SkillName = NewType("SkillName", str)
WorkModeId = NewType("WorkModeId", str)
WorkModeName = NewType("WorkModeName", str)

ETag = NewType("ETag", str)
"""A strong entity tag as sent, quotes included. Opaque: compared for equality, nothing else."""

SCHEDULED = WorkModeName("scheduled")
"""``workMode: scheduled``: the mode of the running shift; no mode has this name."""

OFF = 0
"""The level of a skill that is assigned but switched off."""

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""What the id of a run looks like, as a regular expression."""
