"""What a plan says beside its changes: rules, scope, guards, released values, warnings, time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cxplan.core.diff import LEVEL
from cxplan.core.findings import GuardFinding, GuardVerdict
from cxplan.core.guards import denial, numbers
from cxplan.core.instant import utc_text
from cxplan.core.plan import Plan, Released
from cxplan.core.scope import Expression
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import columns, span_text, value_text

RUN_DIGITS = 8
SHOWN = 20
"""So many released values or warnings are shown; the rest are counted, and all are in the JSON."""


def rule_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """Yield changes of guards and protections, which come before everything else."""
    if not plan.rule_changes:
        return
    yield paint.strong("This change alters what protects the tenant:")
    yield ""
    rows = [
        (
            f"  ~ {show(rule.path)}",
            "looser" if rule.looser else "",
            f"{show(rule.before, 200)} → {show(rule.after, 200)}",
        )
        for rule in plan.rule_changes
    ]
    for rule, line in zip(plan.rule_changes, columns(rows), strict=True):
        yield paint.bad(line) if rule.looser else line
    if any(rule.looser for rule in plan.rule_changes):
        yield "    Where it is looser, this plan goes by the base."
    yield ""


def scope_line(plan: Plan) -> str | None:
    """Return what was asked for, None for everything."""
    scope = plan.scope
    if plan.rollback is not None:
        return f"Rollback of run {run_text(plan.rollback)}: back to what stood there before it."
    if not scope.partial:
        return None
    parts = [f"only {_expression(e)}" for e in scope.only]
    parts += [f"without {_expression(e)}" for e in scope.exclude]
    parts += ["only agents that this change is about"] if scope.this_change else []
    parts += ["only what is due"] if scope.only_due else []
    return f"Partial plan: {'; '.join(parts)}. What lies outside is neither shown nor written."


def run_text(run_id: str) -> str:
    """Return the beginning of a run's id, which names it."""
    return show(run_id[:RUN_DIGITS])


def _expression(expression: Expression) -> str:
    shown = [show(str(atom)) for atom in expression[:SHOWN]]
    left = len(expression) - SHOWN
    return " or ".join(shown) + (f" or {left:,} more" if left > 0 else "")


def released_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """Yield values that are not managed any more and stay as they are."""
    for value in plan.released[:SHOWN]:
        yield paint.faint(f"  · {_released(plan, value)}")
    left = len(plan.released) - SHOWN
    if left > 0:
        yield paint.faint(f"  · … and {count(left, 'released value')} more")
    if plan.released:
        yield ""


def _released(plan: Plan, value: Released) -> str:
    part = value.path.rpartition("/")[2]
    who = show(value.key) if value.key else show(value.agent_id)
    text = value_text(plan.vocabulary, part, value.value)
    stays = f"{who}/{show(value.path)}  released: stays at {text}"
    if value.team is None:
        written = f" (last written: {text})" if value.run else ""
        gone = "the files do not name this agent any more, and it stays as it is"
        return f"{who}/{show(value.path)}  released: {gone}{written}"
    if value.override is None:
        return stays
    remedy = "; write absent to take it away" if part == LEVEL else ""
    return f"{stays}, left by override {show(value.override)}, which is over{remedy}"


def guard_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """Yield what each guard that does not simply pass says, and which may be passed."""
    reasons = {allowance.guard: allowance.reason for allowance in plan.allowed}
    for finding in plan.guards:
        if finding.verdict is not GuardVerdict.PASS:
            yield paint.bad(guard_text(finding, reasons.get(finding.id)))
    stopped = {finding.id for finding in plan.guards if finding.verdict is GuardVerdict.WARN}
    for allowance in plan.allowed:
        if allowance.guard not in stopped:
            yield f"Guard {allowance.guard} may be passed. Reason: {show(allowance.reason, 500)}."


def guard_text(finding: GuardFinding, reason: str | None = None) -> str:
    """Return what a guard says, with its numbers; ``reason`` is why it is passed."""
    match finding.verdict:
        case GuardVerdict.OFF:
            return f"Guard {finding.id} is off ({finding.actual:,} counted)."
        case GuardVerdict.DENY:
            return f"{show(denial(finding), 500)}. Nothing of this plan will be written."
        case GuardVerdict.WARN if reason:
            said = show(numbers(finding), 500)
            return f"Guard {finding.id} is passed{said}. Reason: {show(reason, 500)}."
        case _:
            return f"Guard {finding.id} warns{show(numbers(finding), 500)}."


def warning_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """Yield what is odd about the files or the tenant's lists."""
    for finding in plan.warnings[:SHOWN]:
        yield paint.changed(f"Warning: {show(finding.message, 500)} [{finding.id}]")
    left = len(plan.warnings) - SHOWN
    if left > 0:
        yield f"… and {count(left, 'warning')} more."


def usable_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """Yield why a plan can only be shown."""
    if plan.only_shown:
        how = " and ".join(plan.only_shown)
        yield paint.changed(f"Made with {how}: this plan can be shown, not applied.")
    if not plan.readable:
        yield paint.bad("Too many agents are unread: this plan can be shown, not applied.")


def time_line(plan: Plan) -> str:
    """Return when the tenant was read, when was judged, and until when that holds."""
    parts = [f"Live as of {utc_text(plan.live_as_of)}{_age(plan)}."]
    if "--at" in plan.only_shown:
        parts.append(f"Judged at {utc_text(plan.evaluated_at)}.")
    boundary = plan.next_boundary
    if boundary:
        parts.append(
            f"Next boundary {utc_text(boundary)}: from then on this plan would read differently."
        )
    return " ".join(parts)


def _age(plan: Plan) -> str:
    if "--snapshot" not in plan.only_shown:
        return ""
    age = max(plan.created_at - plan.live_as_of, timedelta(0))
    return f" (a snapshot, {span_text(age)} old)"
