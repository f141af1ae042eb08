"""One agent's values with the lines that made them, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cxplan.core.address import Origin
from cxplan.core.diff import CONCURRENT, LEVEL
from cxplan.core.explain import (
    EXCLUSIVE,
    Boundary,
    Effective,
    Explained,
    Explanation,
    Link,
    Standing,
)
from cxplan.core.explain_live import LiveAgent, Row, ShiftNow
from cxplan.core.instant import utc_text
from cxplan.core.live import AgentReading, MissingAgent, ObservedAgent, UnreadAgent
from cxplan.core.model import Layer, LayerKind, Levels, Override
from cxplan.core.plan import Vocabulary
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import columns, value_text

NAMED = 5
"""So many values of a boundary, and overrides that are over, are told; the others are counted."""

_STANDINGS = {Standing.SAME: "again", Standing.REPLACED: "over", Standing.IGNORED: "no effect:"}
_MATCHES = {True: "matches", False: "differs", None: ""}
_HEADER = ("  VALUE", "FILES", "LIVE", "", "WRITTEN IN")
_Cells = tuple[str, str, str, str, str]


def explain_text(
    explanation: Explanation, live: LiveAgent | None, levels: Levels, paint: Paint
) -> str:
    """Return an explanation as text, ending in a newline."""
    agent, at = explanation.agent, utc_text(explanation.at)
    heading = f"{show(agent.key)} ({agent.id}, {show(agent.team)}) at {at}"
    lines = [paint.strong(heading), *_Table(explanation, levels, paint).lines(live)]
    lines += [*_live_notes(live), *_overrides(explanation, levels)]
    return "\n".join(lines) + "\n"


class _Table:
    """The values, each with its chain beneath it."""

    def __init__(self, explanation: Explanation, levels: Levels, paint: Paint) -> None:
        self.values, self.levels, self.paint = explanation.values, levels, paint
        self.ends = {override.name: override.end for override in explanation.active}

    def lines(self, live: LiveAgent | None) -> Iterator[str]:
        """Yield aligned lines, those that differ and those beneath a value painted."""
        beside = live.rows if live else ()
        rows = beside or tuple(Row(value) for value in self.values)
        cells: list[_Cells] = [_HEADER] if beside else []
        for row in rows:
            cells += self._cells(row, compared=bool(beside))
        for cell, line in zip(cells, columns(cells), strict=True):
            if not cell[0] or cell is _HEADER:
                yield self.paint.faint(line)
            else:
                yield self.paint.changed(line) if cell[3] == _MATCHES[False] else line

    def _cells(self, row: Row, *, compared: bool) -> Iterator[_Cells]:
        wanted = row.wanted
        words = _wanted_words(wanted, self.levels)
        live = _live_words(row, self.levels) if compared else ""
        place = self._place(wanted.because) if wanted.because else ""
        same = [link for link in wanted.chain if link.standing is Standing.SAME]
        if wanted.redundant and not same:
            place += "; no is the default too"
        yield f"  {show(wanted.path)}", words, live, _MATCHES[row.matches], place
        for link in wanted.chain[1:]:
            said = _words(wanted.part, link.value, self.levels)
            place = self._place(link)
            if same and link is same[0]:
                place += "; taking out the first alone changes nothing"
            yield "", f"  {_STANDINGS[link.standing]} {said}", "", "", place

    def _place(self, link: Link) -> str:
        return f"{show(link.origin.file)}:{link.origin.line} ({self._layer(link.layer)})"

    def _layer(self, layer: Layer) -> str:
        match layer.kind:
            case LayerKind.TEAM | LayerKind.MEMBER:
                return layer.kind.value
            case LayerKind.PROFILE:
                return f"profile {show(layer.name)}"
            case LayerKind.OVERRIDE:
                return f"override {show(layer.name)} until {utc_text(self.ends[layer.name])}"


def _words(part: str, value: Effective, levels: Levels) -> str:
    if value is None:
        return "unmanaged"
    if part == EXCLUSIVE:
        return "yes" if value else "no"
    if part == LEVEL and isinstance(value, int):
        return value_text(Vocabulary(levels, {}), LEVEL, value)
    return show(str(value))


def _wanted_words(wanted: Explained, levels: Levels) -> str:
    words = _words(wanted.part, wanted.value, levels)
    if wanted.value is None and wanted.because is not None:
        return f"{words} ({wanted.because.value})"
    if wanted.value is not None and wanted.because is None and wanted.part == CONCURRENT:
        return f"{words} (default)"
    return words


def _live_words(row: Row, levels: Levels) -> str:
    if row.wanted.part == EXCLUSIVE:
        return ""
    if not row.held:
        return "not held" if row.wanted.part == LEVEL else "none"
    if row.live is None:
        return "none" if row.wanted.part == CONCURRENT else "not stated"
    return _words(row.wanted.part, row.live, levels)


def _live_notes(live: LiveAgent | None) -> Iterator[str]:
    if live is None:
        return
    if live.shift is not None:
        yield f"Shift: {_shift(live.shift)}."
    yield _read(live)


def _read(live: LiveAgent) -> str:
    match live.reading:
        case ObservedAgent():
            return f"Live as of {utc_text(live.read_at)}."
        case MissingAgent(id=agent_id):
            return f"The tenant knows no agent {agent_id}: correct its id, or remove the member."
        case UnreadAgent():
            return "The agent could not be read, so what it has is unknown."


def _shift(shift: ShiftNow) -> str:
    follows = "; so scheduled leaves the work mode as it is" if shift.follows else ""
    if shift.mode is not None:
        mode, until = show(shift.mode.name), shift.until
        follows = f"; scheduled means {mode}" if shift.follows else ""
        said = f"{mode} until {utc_text(until)}" if until else mode
    elif shift.trouble is not None:
        said = show(shift.trouble, 500)
    elif shift.next_start is not None:
        said = f"no shift at this instant; the next begins {utc_text(shift.next_start)}"
    else:
        said = "no shift at this instant, and none is planned"
    return said + follows


def _overrides(explanation: Explanation, levels: Levels) -> Iterator[str]:
    if explanation.boundaries or explanation.over:
        yield "Overrides:"
    for boundary in explanation.boundaries:
        yield f"  {_boundary(boundary, levels)}"
    for override in explanation.over[-NAMED:]:
        yield f"  {show(override.name)} is over since {utc_text(override.end)}"
    left = len(explanation.over) - NAMED
    if left > 0:
        yield f"  and {left:,} more that are over"


def _boundary(boundary: Boundary, levels: Levels) -> str:
    who = [f"{show(override.name)} ends" for override in boundary.ends]
    who += [f"{show(override.name)} begins" for override in boundary.begins]
    moved = [
        f"{show(one.path)} {_words(one.path.rpartition('/')[2], one.after, levels)}"
        for one in boundary.moved[:NAMED]
    ]
    left = len(boundary.moved) - NAMED
    more = [f"and {count(left, 'more value')}"] if left > 0 else []
    what = ", ".join([*moved, *more]) or "no value becomes another one"
    return f"{', '.join(who)} {utc_text(boundary.at)}: {what}"


# --- JSON -----------------------------------------------------------------------------------


def explain_document(explanation: Explanation, live: LiveAgent | None) -> dict[str, Any]:
    """Return the members of ``explain --json`` besides kind, version, exit and errors.

    ``live`` and ``matches`` stand in a value only where the tenant was read.
    """
    agent = explanation.agent
    document: dict[str, Any] = {
        "agent": {"id": agent.id, "name": agent.key, "team": agent.team},
        "at": utc_text(explanation.at),
        "values": [_value(value) for value in explanation.values],
        "overrides": {
            "active": _named(explanation.active),
            "boundaries": [_later(boundary) for boundary in explanation.boundaries],
            "over": _named(explanation.over),
        },
    }
    if live is not None:
        document["live"] = _live_document(live)
    if live is not None and live.rows:
        document["values"] = [
            _value(row.wanted) | {"live": row.live, "matches": row.matches} for row in live.rows
        ]
    return document


def _value(value: Explained) -> dict[str, Any]:
    because = value.because
    return {
        "path": value.path,
        "value": value.value,
        "because": because and _written(because),
        "redundant": value.redundant,
        "chain": [
            {"value": link.value, "standing": link.standing.value, **_written(link)}
            for link in value.chain
        ],
    }


def _written(link: Link) -> dict[str, Any]:
    origin: Origin = link.origin
    return {
        "file": origin.file,
        "line": origin.line,
        "column": origin.column,
        "layer": link.layer.kind.value,
        "name": link.layer.name,
    }


def _named(overrides: Sequence[Override]) -> list[dict[str, str]]:
    return [
        {
            "name": override.name,
            "file": override.block.layer.file,
            "from": utc_text(override.start),
            "until": utc_text(override.end),
        }
        for override in overrides
    ]


def _later(boundary: Boundary) -> dict[str, Any]:
    return {
        "at": utc_text(boundary.at),
        "begins": [override.name for override in boundary.begins],
        "ends": [override.name for override in boundary.ends],
        "changes": [
            {"path": one.path, "before": one.before, "after": one.after} for one in boundary.moved
        ],
    }


def _live_document(live: LiveAgent) -> dict[str, Any]:
    return {
        "readAt": utc_text(live.read_at),
        "state": _state(live.reading),
        "shift": live.shift and _shift_document(live.shift),
    }


def _state(reading: AgentReading) -> str:
    match reading:
        case ObservedAgent():
            return "read"
        case MissingAgent():
            return "missing"
        case UnreadAgent():
            return "unread"


def _shift_document(shift: ShiftNow) -> dict[str, Any]:
    return {
        "workMode": shift.mode and shift.mode.name,
        "workModeId": shift.mode and shift.mode.id,
        "until": shift.until and utc_text(shift.until),
        "next": shift.next_start and utc_text(shift.next_start),
        "trouble": shift.trouble,
        "followed": shift.follows,
    }
