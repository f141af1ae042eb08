"""A plan on the screen, in words that people grep for."""

from __future__ import annotations

from collections.abc import Iterator

from cxplan.core.diff import CONCURRENT, LEVEL, Change, Op
from cxplan.core.document import summary
from cxplan.core.findings import GuardFinding, GuardVerdict, Verdict
from cxplan.core.guards import denial
from cxplan.core.instant import utc_text
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.views.encoder import show
from cxplan.views.folding import Group, fold
from cxplan.views.paint import Paint
from cxplan.views.values import change_text, columns, count

_SIGN = {Op.ADD: "+", Op.CHANGE: "~", Op.REMOVE: "-"}

_HEADING = {
    Status.READY: ("#", "will be updated", "will be updated"),
    Status.DEFERRED: ("@", "is deferred", "are deferred"),
    Status.BLOCKED: ("!", "is blocked", "are blocked"),
    Status.UNREAD: ("?", "could not be read", "could not be read"),
    Status.UNCHANGED: ("#", "is unchanged", "are unchanged"),
}
NAMED = 5
"""So many agents of a fold are named; the others are counted."""


def plan_text(plan: Plan, paint: Paint) -> str:
    """Return the whole plan as text, ending in a newline."""
    lines: list[str] = []
    if plan.ready:
        name = show(plan.tenant.name)
        lines += [f"cxplan will perform the following actions on {name}:", ""]
    for status in _HEADING:
        for group in fold(plan.with_status(status)):
            lines += [*_group(plan, group, paint), ""]
    lines += _totals(plan, paint)
    return "\n".join(lines) + "\n"


def _group(plan: Plan, group: Group, paint: Paint) -> Iterator[str]:
    agent = group.first
    sign, one, many = _HEADING[agent.status]
    rows = _rows(plan, agent)
    until = ""
    if agent.status is Status.DEFERRED and agent.until:
        until = f" until {utc_text(agent.until)}"
    if not group.folded:
        yield "  " + paint.strong(f"{sign} {_who(agent)} {one}{until}")
    else:
        team = f"{len(group.agents):,} agents in {show(agent.team)}"
        if agent.status is Status.READY and len(rows) == 1:
            path, *rest = rows[0]
            (line,) = columns([(path[2:], *rest)])
            yield "  " + paint.strong(f"{sign} {team}: ") + _painted(path, line, paint)
            yield paint.faint(f"    {_names(group)}")
            return
        yield "  " + paint.strong(f"{sign} {team} {many}{until}")
        yield paint.faint(f"    {_names(group)}")
    yield from _details(agent, rows, paint)


def _names(group: Group) -> str:
    named = ", ".join(show(agent.key) for agent in group.agents[:NAMED])
    left = len(group.agents) - NAMED
    return f"{named} and {left:,} more" if left > 0 else named


def _details(
    agent: PlannedAgent, rows: list[tuple[str, str, str, str]], paint: Paint
) -> Iterator[str]:
    for finding in agent.checks:
        if finding.verdict is not Verdict.OK:
            said = f"{finding.verdict}: {finding.id}: {show(finding.message, 500)}"
            yield paint.changed(f"      {said}")
    for row, line in zip(rows, columns(rows), strict=True):
        yield _painted(row[0], "  " + line, paint)
    hidden = _hidden(agent)
    if hidden and agent.changes:
        yield paint.faint(f"    ({count(hidden, 'unchanged value')} hidden)")


def _who(agent: PlannedAgent) -> str:
    """Return an agent as people know it: key, id and team."""
    return f"{show(agent.key)} ({agent.id}, {show(agent.team)})"


def _rows(plan: Plan, agent: PlannedAgent) -> list[tuple[str, str, str, str]]:
    """Return sign, path, values, direction and place of each line; an added skill is one line."""
    rows = []
    added = {c.skill_id: c for c in agent.changes if c.op is Op.ADD and c.part == CONCURRENT}
    for change in agent.changes:
        if change.op is Op.ADD and change.part == CONCURRENT:
            continue
        path, text = change.path, change_text(plan.vocabulary, change)
        if change.op is Op.ADD and change.part == LEVEL:
            path = path.rpartition("/")[0]
            text = _added_text(plan, change, added.get(change.skill_id))
        rows.append((_SIGN[change.op] + " " + show(path), text, _direction(change), _place(change)))
    return rows


def _added_text(plan: Plan, level: Change, concurrent: Change | None) -> str:
    text = change_text(plan.vocabulary, level)
    if concurrent is None:
        return text
    return f"{text}, concurrent {change_text(plan.vocabulary, concurrent)}"


def _direction(change: Change) -> str:
    return change.direction.value if change.direction else ""


def _place(change: Change) -> str:
    because = change.because
    return f"{show(because.file)}:{because.line}" if because else "(default)"


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
    for finding in plan.guards:
        if finding.verdict is not GuardVerdict.PASS:
            yield paint.bad(guard_text(finding))
    if not plan.applicable:
        yield paint.bad("Too many agents are unread: this plan can be shown, not applied.")
    boundary = plan.next_boundary
    yield f"Live as of {utc_text(plan.evaluated_at)}." + (
        f" Next boundary {utc_text(boundary)}: from then on this plan would read differently."
        if boundary
        else ""
    )


def _headline(plan: Plan, counts: dict[str, int]) -> str:
    others = counts["blocked"] + counts["unread"]
    if not counts["ready"] and not others:
        if not counts["deferred"]:
            return "No changes. Live agents match the desired state."
        until = min((a.until for a in plan.with_status(Status.DEFERRED) if a.until), default=None)
        first = f", the first until {utc_text(until)}" if until else ""
        return f"No changes now. {count(counts['deferred'], 'agent')} deferred{first}."
    return (
        f"Plan: {count(counts['ready'], 'agent')} to change, {counts['deferred']:,} deferred, "
        f"{counts['blocked']:,} blocked, {counts['unread']:,} unread. "
        f"{counts['unchanged']:,} unchanged."
    )


def guard_text(finding: GuardFinding) -> str:
    """Return what a guard that does not simply pass says, with its numbers."""
    if finding.verdict is GuardVerdict.OFF:
        return f"Guard {finding.id} is off ({finding.actual:,} counted)."
    return f"{show(denial(finding), 500)}. Nothing of this plan will be written."
