"""A snapshot on the screen and as JSON: what it is of, how old, and what in it is odd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from cxplan.core.instant import utc_text
from cxplan.core.snapshot import SnapshotSummary
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import columns, span_text

NAMED = 5
"""So many agents of a kind are named; the others are counted."""


def snapshot_text(summary: SnapshotSummary, now: datetime, paint: Paint) -> str:
    """Return a snapshot as text, ending in a newline; ``now`` makes its age."""
    return "\n".join(_lines(summary, now, paint)) + "\n"


def snapshot_document(summary: SnapshotSummary) -> dict[str, Any]:
    """Return the members of a snapshot's JSON output."""
    header = summary.header
    tenant = header.tenant
    return {
        "tenant": {
            "name": tenant.name,
            "api": tenant.api,
            "origin": tenant.origin,
            "tenantId": tenant.tenant_id,
        },
        "takenAt": utc_text(header.taken_at),
        "tool": {"name": "cxplan", "version": header.tool_version},
        "agents": header.agents,
        "missing": list(summary.missing),
        "unreadableSchedules": list(summary.unreadable),
        "skills": _size(header.lists.skills),
        "workModes": _size(header.lists.modes),
    }


def _lines(summary: SnapshotSummary, now: datetime, paint: Paint) -> Iterator[str]:
    header = summary.header
    tenant = header.tenant
    yield paint.strong(f"Snapshot of {show(tenant.name)}: {count(header.agents, 'agent')}.")
    yield from columns(
        [
            ("  taken", f"{utc_text(header.taken_at)}, {_age(header.taken_at, now)}"),
            ("  from", f"{show(tenant.origin)} ({show(tenant.api)})"),
            ("  by", f"cxplan {show(header.tool_version)}"),
            ("  skills", _listed(_size(header.lists.skills))),
            ("  work modes", _listed(_size(header.lists.modes))),
        ]
    )
    if summary.missing:
        found = f"{count(len(summary.missing), 'agent')} unknown to the tenant"
        yield paint.changed(f"! {found}: {_names(summary.missing)}")
    if summary.unreadable:
        found = f"{count(len(summary.unreadable), 'schedule')} that could not be read"
        yield paint.changed(f"? {found}: {_names(summary.unreadable)}")


def _age(taken_at: datetime, now: datetime) -> str:
    if taken_at > now:
        return "after now by this machine's clock"
    return f"{span_text(now - taken_at)} ago"


def _size(listed: Any) -> int | None:
    return None if listed is None else len(listed)


def _listed(size: int | None) -> str:
    return "the tenant has no such list" if size is None else f"{size:,} in the tenant's list"


def _names(ids: Sequence[str]) -> str:
    named = ", ".join(show(one) for one in ids[:NAMED])
    left = len(ids) - NAMED
    return f"{named} and {left:,} more" if left > 0 else named
