"""What becomes true when, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from cxplan.core.diff import Value
from cxplan.core.ids import SCHEDULED
from cxplan.core.instant import utc_text
from cxplan.core.plan import Plan, Vocabulary
from cxplan.core.timeline import BEGINS, BOUNDARY, DUE, ENDS, SHIFT, Event, Turn
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import columns, value_text

_WHAT = {
    DUE: "judged again",
    SHIFT: "the shift that is followed ends",
    BOUNDARY: "from then on this plan would read differently",
}
NAMED = 5
"""So many agents of an event are named; the others are counted."""


def timeline_text(plan: Plan, events: Sequence[Event], span: timedelta, paint: Paint) -> str:
    """Return the events as text, ending in a newline."""
    until = utc_text(plan.evaluated_at + span)
    if not events:
        return f"Until {until} nothing becomes true or ends by itself.\n"
    lines = [paint.strong(f"What becomes true until {until}:"), ""]
    for event in events:
        lines += _event(plan.vocabulary, event)
    return "\n".join(lines) + "\n"


def _event(vocabulary: Vocabulary, event: Event) -> Iterator[str]:
    agents = f": {_agents(event)}" if event.agents else ""
    yield f"  {utc_text(event.at)}  {_what(event)}{agents}"
    rows = [_turn(vocabulary, turn) for turn in event.turns]
    if rows:
        yield from (f"      {line}" for line in columns(rows))
    elif event.what in {BEGINS, ENDS}:
        yield "      nothing changes: another layer says the same"


def _what(event: Event) -> str:
    if event.what in {BEGINS, ENDS}:
        return f"override {show(event.name)} {event.what}"
    return _WHAT[event.what]


def _agents(event: Event) -> str:
    named = ", ".join(show(key) for key in event.agents[:NAMED])
    left = len(event.agents) - NAMED
    return f"{named} and {count(left, 'agent')} more" if left > 0 else named


def _turn(vocabulary: Vocabulary, turn: Turn) -> tuple[str, str]:
    part = turn.path.rpartition("/")[2]
    before, after = (_value(vocabulary, part, value) for value in (turn.before, turn.after))
    if after is None:
        return show(turn.path), f"{before} is released and stays"
    return show(turn.path), f"{before or 'unmanaged'} → {after}"


def _value(vocabulary: Vocabulary, part: str, value: Value) -> str | None:
    """Return a value in words, None for an unmanaged one."""
    if value is None or value == SCHEDULED:
        return value
    return value_text(vocabulary, part, value)


def timeline_document(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the events as a member of ``plan --json``."""
    return [
        {
            "at": utc_text(event.at),
            "what": event.what,
            "override": event.name or None,
            "agents": list(event.agents),
            "values": [
                {"path": turn.path, "before": turn.before, "after": turn.after}
                for turn in event.turns
            ],
        }
        for event in events
    ]
