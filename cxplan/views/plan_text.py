"""A plan on the screen, in words that people grep for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cxplan.core.diff import CONCURRENT, LEVEL, Because, Change, Op
from cxplan.core.document import summary
from cxplan.core.findings import Verdict
from cxplan.core.instant import utc_text
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.rollback import BACK
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.folding import Group, fold
from cxplan.views.paint import Paint
from cxplan.views.plan_notes import (
    guard_lines,
    released_lines,
    rule_lines,
    run_text,
    scope_line,
    time_line,
    usable_lines,
    warning_lines,
)
from cxplan.views.values import change_text, columns

_SIGN = {Op.ADD: "+", Op.CHANGE: "~", Op.REMOVE: "-"}

_HEADING = {
    Status.READY: ("#", "will be updated", "will be updated"),
    Status.DEFERRED: ("@", "is deferred", "are deferred"),
    Status.BLOCKED: ("!", "is blocked", "are blocked"),
    Status.UNREAD: ("?", "could not be read", "could not be read"),
    Status.UNCHANGED: ("#", "is unchanged", "are unchanged"),
}
UNNAMED = "not in the files"
NAMED = 5
"""So many agents of a fold are named; the others are counted."""


def plan_text(plan: Plan, paint: Paint, *, summary: bool = False) -> str:
    """Return the plan as text, ending in a newline; ``summary`` leaves the agents out."""
    lines = [*rule_lines(plan, paint)]
    if partial := scope_line(plan):
        lines += [paint.strong(partial), ""]
    if summary:
        return "\n".join([*lines, *_totals(plan, paint)]) + "\n"
    told = {status: [*_told(plan.with_status(status))] for status in _HEADING}
    if told[Status.READY]:
        name = show(plan.tenant.name)
        lines += [f"cxplan will perform the following actions on {name}:", ""]
    for agents in told.values():
        for group in fold(agents):
            lines += [*_group(plan, group, paint), ""]
    lines += released_lines(plan, paint)
    lines += _totals(plan, paint)
    return "\n".join(lines) + "\n"


def _told(agents: Iterable[PlannedAgent]) -> Iterator[PlannedAgent]:
    """Yield the agents that are shown: beside a base, not those who were pending already."""
    for agent in agents:
        if not agent.changes or any(not change.pending for change in agent.changes):
            yield agent


def _group(plan: Plan, group: Group, paint: Paint) -> Iterator[str]:
    agent = group.first
    sign, one, many = _HEADING[agent.status]
    rows = _rows(plan, agent)
    until = _until(agent)
    if not group.folded:
        yield "  " + paint.strong(f"{sign} {_who(agent)} {one}{until}")
    else:
        protected = "protected " if agent.protected else ""
        within = f"in {show(agent.team)}" if agent.team else UNNAMED
        team = f"{len(group.agents):,} {protected}agents {within}"
        if len(rows) == 1 and _tells_all(agent):
            path, *rest = rows[0]
            (line,) = columns([(path[2:], *rest)])
            yield "  " + paint.strong(f"{sign} {team}: ") + _painted(path, line, paint)
            yield paint.faint(f"    {_names(group)}")
            return
        yield "  " + paint.strong(f"{sign} {team} {many}{until}")
        yield paint.faint(f"    {_names(group)}")
    yield from _details(agent, rows, paint)


def _until(agent: PlannedAgent) -> str:
    """Return until when an agent is deferred, or that other values are wanted of it before."""
    if agent.status is not Status.DEFERRED:
        return ""
    if agent.deferred_until:
        return f" until {utc_text(agent.deferred_until)}"
    if agent.holds_until:
        return f"; what is wanted now holds only until {utc_text(agent.holds_until)}"
    return ""


def _tells_all(agent: PlannedAgent) -> bool:
    """Tell whether its rows are all there is to say."""
    said, pending = any(_said(agent)), any(change.pending for change in agent.changes)
    return agent.status is Status.READY and not said and not pending


def _names(group: Group) -> str:
    named = ", ".join(show(agent.key) for agent in group.agents[:NAMED])
    left = len(group.agents) - NAMED
    return f"{named} and {left:,} more" if left > 0 else named


def _details(
    agent: PlannedAgent, rows: list[tuple[str, str, str, str]], paint: Paint
) -> Iterator[str]:
    for said in _said(agent):
        yield paint.changed(f"      {said}")
    for row, line in zip(rows, columns(rows), strict=True):
        yield _painted(row[0], "  " + line, paint)
    hidden = _hidden(agent)
    if hidden and agent.changes:
        yield paint.faint(f"    ({count(hidden, 'unchanged value')} hidden)")
    pending = sum(bool(change.pending) for change in agent.changes)
    if pending:
        yield paint.faint(f"    ({count(pending, 'change')} already pending hidden)")


def _said(agent: PlannedAgent) -> Iterator[str]:
    """Yield what the checks have to say."""
    for finding in agent.checks:
        if finding.verdict is not Verdict.OK:
            yield f"{finding.verdict}: {finding.id}: {show(finding.message, 500)}"


def _who(agent: PlannedAgent) -> str:
    """Return an agent as people know it: key, id and team."""
    protected = ", protected" if agent.protected else ""
    team = show(agent.team) if agent.team else UNNAMED
    return f"{show(agent.key)} ({agent.id}, {team}{protected})"


def _rows(plan: Plan, agent: PlannedAgent) -> list[tuple[str, str, str, str]]:
    """Return sign, path, values, direction and place of each line; an added skill is one line.

    What was pending already has no line; a concurrency has one of its own where its level has none.
    """
    rows = []
    told = [change for change in agent.changes if not change.pending]
    added = {c.skill_id: c for c in told if c.op is Op.ADD and c.part == CONCURRENT}
    leading = {c.skill_id for c in told if c.op is Op.ADD and c.part == LEVEL}
    for change in told:
        if change is added.get(change.skill_id) and change.skill_id in leading:
            continue
        path, text = change.path, change_text(plan.vocabulary, change)
        if change.op is Op.ADD and change.part == LEVEL:
            path = path.rpartition("/")[0]
            text = _added_text(plan, change, added.get(change.skill_id))
        rows.append(
            (_SIGN[change.op] + " " + show(path), text, _direction(change), _place(plan, change))
        )
    return rows


def _added_text(plan: Plan, level: Change, concurrent: Change | None) -> str:
    text = change_text(plan.vocabulary, level)
    if concurrent is None:
        return text
    return f"{text}, concurrent {change_text(plan.vocabulary, concurrent)}"


def _direction(change: Change) -> str:
    return change.direction.value if change.direction else ""


def _place(plan: Plan, change: Change) -> str:
    place = _because(plan, change.because)
    if change.overdue:
        place += f"  override {show(change.overdue)} is over"
    if change.rolled_back:
        place += f"  rolled back by {run_text(change.rolled_back)}"
    return place


def _because(plan: Plan, because: Because | None) -> str:
    """Return what made a value: a line of the files, a run's records, or nobody."""
    if because is None:
        return "(default)"
    if because.layer == BACK:
        return f"as before run {run_text(plan.rollback or because.file)}"
    return f"{show(because.file)}:{because.line}"


def _painted(path: str, line: str, paint: Paint) -> str:
    match path[0]:
        case "+":
            return paint.good(line)
        case "-":
            return paint.bad(line)
        case _:
            return paint.changed(line)


def _hidden(agent: PlannedAgent) -> int:
    if agent.before is None:
        return 0
    values = 1 + 2 * len(agent.before.skills)
    return values - sum(agent.before.value(change) is not None for change in agent.changes)


def _totals(plan: Plan, paint: Paint) -> Iterator[str]:
    counts = summary(plan)
    yield paint.strong(_headline(plan, counts))
    checks = plan.checks
    if checks.total():
        warned = f", {count(checks[Verdict.WARN], 'warning')}" if checks[Verdict.WARN] else ""
        yield (
            f"Checks: {checks[Verdict.OK]:,} passed, {checks[Verdict.DEFER]:,} deferred, "
            f"{checks[Verdict.BLOCK]:,} blocked{warned}."
        )
    if any(change.pending is not None for agent in plan.agents for change in agent.changes):
        yield _already_pending(plan)
    if plan.released:
        yield f"Released: {_staying(len(plan.released))}."
    yield from guard_lines(plan, paint)
    yield from warning_lines(plan, paint)
    yield from usable_lines(plan, paint)
    yield time_line(plan)


def _staying(released: int) -> str:
    one = released == 1
    return f"{count(released, 'value')}, which {'stays as it is' if one else 'stay as they are'}"


def _already_pending(plan: Plan) -> str:
    """Count what the base wants already, of the agents that would be written."""
    found = [sum(bool(change.pending) for change in agent.changes) for agent in plan.ready]
    mine = sum(len(agent.changes) for agent in plan.ready) - sum(found)
    agents = sum(number > 0 for number in found)
    return (
        f"This change: {count(mine, 'change')}. Already pending: "
        f"{count(sum(found), 'change')} of {count(agents, 'agent')}."
    )


def _nothing(plan: Plan) -> str:
    if plan.rollback is not None:
        return f"No changes. Nothing that run {run_text(plan.rollback)} left is to be taken back."
    if plan.scope.only_due:
        return "No changes. Nothing is due."
    return "No changes. Live agents match the desired state."


def _headline(plan: Plan, counts: dict[str, int]) -> str:
    others = counts["blocked"] + counts["unread"]
    if not counts["ready"] and not others:
        if not counts["deferred"]:
            return _nothing(plan)
        found = [a.deferred_until for a in plan.with_status(Status.DEFERRED)]
        until = min((until for until in found if until), default=None)
        first = f", the first until {utc_text(until)}" if until else ""
        return f"No changes now. {count(counts['deferred'], 'agent')} deferred{first}."
    return (
        f"Plan: {count(counts['ready'], 'agent')} to change, {counts['deferred']:,} deferred, "
        f"{counts['blocked']:,} blocked, {counts['unread']:,} unread. "
        f"{counts['unchanged']:,} unchanged."
    )
