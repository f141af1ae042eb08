"""What moved on a tenant, on the screen and as JSON; deepdiff tells how a value moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cxplan.core.diff import LEVEL, Value
from cxplan.core.drift import MOVED, AgentDrift, Case, DriftReport, UnseenAgent, ValueDrift
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.ids import SkillId
from cxplan.core.instant import utc_millis, utc_text
from cxplan.core.plan import Vocabulary
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import value_text

LISTED = 20
"""So many values of a case that is no drift are listed; the others are counted."""

_SKILLS = "skills"
_MOVED = "{path} moved from {was}, {run}, to {now}"
_MOVES = {
    "values_changed": _MOVED,
    "type_changes": _MOVED,
    "dictionary_item_removed": "{path} moved from {was}, {run}: the skill is no longer held",
}
"""What deepdiff reports, in our words."""

_OTHERS = {
    Case.PENDING: ("+", "pending", "{path} {now} → {wanted}"),
    Case.CAUGHT_UP: ("=", "caught up", f"{_MOVED}, as the files want it"),
    Case.RELEASED_MOVED: ("·", "released", "{path} was {was}, {run}, and is {now}"),
    Case.RELEASED: ("·", "released", "{path} stays at {now}"),
}
"""Sign, name and words of each case that is no drift, in the order in which they are listed."""


def drift_text(report: DriftReport, open_runs: Sequence[str], paint: Paint) -> str:
    """Return what moved as text, ending in a newline; ``open_runs`` are folders of the ledger."""
    lines = [paint.changed(line) for line in _moved_lines(report)]
    lines += _other_lines(report)
    lines += _unseen_lines(report)
    lines += _notes(report, open_runs)
    lines.append(paint.bad(_totals(report)) if report.drifted else paint.strong(_totals(report)))
    return "\n".join(lines) + "\n"


def _who(agent: AgentDrift | UnseenAgent) -> str:
    return f"{show(agent.key)} ({agent.id}, {show(agent.team)})"


# --- what moved -----------------------------------------------------------------------------


def _moved_lines(report: DriftReport) -> Iterator[str]:
    for agent in report.agents:
        moved = [value for value in agent.values if value.case in MOVED]
        if moved:
            words = moved_words(moved, report.vocabulary)
            yield from (f"  ! {_who(agent)}: {text}" for text in words)


def moved_words(moved: Sequence[ValueDrift], vocabulary: Vocabulary) -> list[str]:
    """Return how each of one agent's values moved; each has a base that live differs from."""
    from deepdiff import DeepDiff  # noqa: PLC0415 - slow to import, and only drift needs it

    found = {value.key: value for value in moved}
    base = _nested((key, value.base.value) for key, value in found.items() if value.base)
    live = _nested((key, value.live) for key, value in found.items() if value.held)
    # the threshold keeps deepdiff from reporting a whole group where few of its members are left
    tree = DeepDiff(base, live, view="tree", threshold_to_diff_deeper=0)
    words = {}
    for kind, nodes in tree.items():
        for node in nodes:
            value = found[_key_of(node.path(output_format="list"))]
            words[value.key] = _worded(_MOVES[kind], value, vocabulary)
    return [words[key] for key in found]


def _nested(values: Iterable[tuple[ValueKey, Value]]) -> dict[str, Any]:
    """Return values as one agent: the work mode, and of each skill what is compared."""
    agent: dict[str, Any] = {_SKILLS: {}}
    for key, value in values:
        if key.skill_id is None:
            agent[key.part] = value
        else:
            agent[_SKILLS].setdefault(key.skill_id, {})[key.part] = value
    return agent


def _key_of(path: list[str]) -> ValueKey:
    """Return the value at a path; of a skill that is gone only the level is compared."""
    match path:
        case [part]:
            return ValueKey(None, part)
        case [_, skill_id]:
            return ValueKey(SkillId(skill_id), LEVEL)
        case [_, skill_id, part]:
            return ValueKey(SkillId(skill_id), part)
        case _:
            raise ValueError("deeper than an agent is")


def _worded(template: str, value: ValueDrift, vocabulary: Vocabulary) -> str:
    def text(side: Value) -> str:
        return value_text(vocabulary, value.key.part, side)

    base, wanted = value.base, text(value.desired)
    words = template.format(
        path=show(value.path),
        was=text(base.value) if base else "",
        run=_run(base) if base else "",
        now=text(value.live),
        wanted=wanted,
    )
    return f"{words}; the files want {wanted} by now" if value.case is Case.CONFLICT else words


def _run(last: LastValue) -> str:
    verb = "confirmed" if last.confirmed else "written"
    return f"{verb} by run {show(last.run_id[:8])} at {utc_text(last.at)}"


# --- everything else ------------------------------------------------------------------------


def _other_lines(report: DriftReport) -> Iterator[str]:
    for case, (sign, name, template) in _OTHERS.items():
        found = list(report.of(case))
        for agent, value in found[:LISTED]:
            words = _worded(template, value, report.vocabulary)
            never = ", never written by a run" if value.base is None else ""
            yield f"  {sign} {name}: {_who(agent)}: {words}{never}"
        if len(found) > LISTED:
            yield f"  … and {len(found) - LISTED:,} more {name}; --json lists them all."


def _unseen_lines(report: DriftReport) -> Iterator[str]:
    for agent in report.unread:
        yield f"  ? {_who(agent)} could not be read: {show(agent.reason, 500)}"
    for agent in report.missing:
        yield f"  ? {_who(agent)} is missing: {show(agent.reason, 500)}"


def _notes(report: DriftReport, open_runs: Sequence[str]) -> Iterator[str]:
    for folder in open_runs:
        yield (
            f"Warning: the run {show(folder)} is not sealed; what it wrote is not counted and can "
            "look like drift."
        )
    if report.unfollowed:
        modes = count(report.unfollowed, "work mode")
        yield f"Not compared: {modes} to follow a shift, where none could be followed."
    if report.undeclared:
        yield f"Not read: {count(report.undeclared, 'agent')} of past runs that no file names now."
    yield (
        f"Live as of {utc_text(report.at)}. The ledger was read unverified: "
        "cxplan audit verify checks it."
    )


def _totals(report: DriftReport) -> str:
    number = {case: report.counts.get(case, 0) for case in Case}
    released = number[Case.RELEASED] + number[Case.RELEASED_MOVED]
    rest = (
        f"{number[Case.PENDING]:,} pending ({report.never_written:,} never written by a run), "
        f"{number[Case.CAUGHT_UP]:,} caught up, "
        f"{released:,} released ({number[Case.RELEASED_MOVED]:,} moved since), "
        f"{number[Case.IN_SYNC]:,} in sync; "
        f"{len(report.unread):,} agents unread, {len(report.missing):,} missing."
    )
    if report.drifted:
        return (
            f"Drift: {number[Case.DRIFT]:,} drifted, {number[Case.CONFLICT]:,} in conflict, {rest}"
        )
    return f"No drift{' in what could be read' if report.unread else ''}. {rest}"


# --- for machines ---------------------------------------------------------------------------


def drift_document(report: DriftReport, open_runs: Sequence[str]) -> dict[str, Any]:
    """Return the members of ``drift --json`` besides kind, version, exit and errors.

    Values in sync are only counted; ``base``, ``run`` and ``at`` are null where no run touched a
    value, ``desired`` where it is released.
    """
    return {
        "tenant": report.tenant,
        "evaluatedAt": utc_text(report.at),
        "verified": False,
        "summary": {
            "agents": report.managed,
            "unread": len(report.unread),
            "missing": len(report.missing),
            **{case.value: report.counts.get(case, 0) for case in Case},
            "neverWritten": report.never_written,
            "unfollowed": report.unfollowed,
            "undeclared": report.undeclared,
        },
        "agents": [
            {"agent": _agent(agent), "values": [_value(value) for value in agent.values]}
            for agent in report.agents
        ],
        "unread": [_unseen(agent) for agent in report.unread],
        "missing": [_unseen(agent) for agent in report.missing],
        "unsealed": list(open_runs),
    }


def _agent(agent: AgentDrift | UnseenAgent) -> dict[str, Any]:
    return {"id": agent.id, "name": agent.key, "team": agent.team}


def _unseen(agent: UnseenAgent) -> dict[str, Any]:
    return {"agent": _agent(agent), "code": agent.code, "reason": agent.reason}


def _value(value: ValueDrift) -> dict[str, Any]:
    base = value.base
    return {
        "path": value.path,
        "skillId": value.key.skill_id,
        "case": value.case.value,
        "base": base and base.value,
        "desired": value.desired,
        "live": value.live,
        "run": base and base.run_id,
        "at": base and utc_millis(base.at),
    }
