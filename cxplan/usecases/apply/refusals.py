"""Why a plan is not executed: checked before anything is asked of the tenant, or right after."""

from __future__ import annotations

from cxplan.core.coverage import Count
from cxplan.core.errors import BlockedError, StaleError, UnapprovedError, UnavailableError
from cxplan.core.findings import GuardVerdict
from cxplan.core.guards import Basis, Covered, Standing, denial, denied, judge_guards
from cxplan.core.instant import utc_text
from cxplan.core.live import TenantIdentity
from cxplan.core.meaning import protected, source_digest
from cxplan.core.model import Declarations
from cxplan.core.plan import Plan, Status
from cxplan.core.resolve import Resolved
from cxplan.core.strictness import COVERAGE, Allowance, refuse_unarmed
from cxplan.usecases.apply.world import ApplyWorld


def refuse_unusable(
    world: ApplyWorld, plan: Plan, resolved: Resolved, allowed: tuple[Allowance, ...]
) -> None:
    """Refuse a plan that is not of these files, too old, applied before, unread or guarded.

    ``allowed`` are the guards that are passed now, beside those of the plan.

    Raises:
        UnapprovedError: another tenant's, expired, or one that is only to be shown.
        StaleError: applied before, or the files mean something else now.
        UnavailableError: too much of the tenant was unread when it was made.
        BlockedError: a guard denies it.
        InvalidError: a guard is passed that cannot deny anything.
    """
    declarations = resolved.declarations
    judged = {finding.id for finding in plan.guards if finding.verdict is not GuardVerdict.OFF}
    new = [allowance for allowance in allowed if allowance.guard not in judged]
    refuse_unarmed(new, declarations.guards, any_protected=bool(protected(declarations)))
    _refuse_foreign(plan, declarations)
    now, passed = world.clock.now(), (*plan.allowed, *allowed)
    if now >= plan.expires_at:
        raise UnapprovedError(
            f"The plan expired at {utc_text(plan.expires_at)}.",
            code="plan.expired",
            hint=_again(plan),
        )
    run = world.ledger.applied(plan.plan_id)
    if run is not None:
        raise StaleError(
            f"The plan was applied before, by run {run}.",
            code="plan.already_applied",
            hint="What was written does not come again. " + _again(plan),
        )
    if source_digest(resolved) != plan.source.digest:
        raise StaleError(
            "The desired state has changed since the plan was made.",
            code="plan.stale_config",
            hint=_again(plan),
        )
    _refuse_shown(plan)
    _refuse_unread(plan)
    _refuse_denied(plan, Standing(declarations.guards, now, declarations.overrides, passed))


def _again(plan: Plan) -> str:
    """Return how to make the plan again; of a rollback it is another command."""
    how = "plan" if plan.rollback is None else f"rollback {plan.rollback}"
    return f"Run cxplan {how} again and review what it shows."


def _refuse_foreign(plan: Plan, declarations: Declarations) -> None:
    if plan.tenant.name != declarations.tenant or plan.tenant.api != declarations.api:
        raise UnapprovedError(
            f"The plan is for tenant {plan.tenant.name} ({plan.tenant.api}), the files are for "
            f"{declarations.tenant} ({declarations.api}).",
            code="plan.tenant",
            hint="Apply it with the files that it was made from.",
        )


def _refuse_shown(plan: Plan) -> None:
    if plan.only_shown:
        raise UnapprovedError(
            f"The plan was made with {' and '.join(plan.only_shown)}: it can be shown, not "
            "applied.",
            code="plan.onlyShown",
            hint="Run cxplan plan without it and review what it shows.",
        )


def _refuse_unread(plan: Plan) -> None:
    if not plan.readable:
        unread = len(plan.with_status(Status.UNREAD))
        raise UnavailableError(
            f"The plan can be shown, not applied: {unread} of {plan.managed} agents were unread.",
            code="plan.unread",
            hint=_again(plan),
        )


def _refuse_denied(plan: Plan, standing: Standing) -> None:
    """Judge again on what the plan stood on; what denied it then, by a base, still does."""
    passed = {allowance.guard for allowance in standing.allowed}
    found = list(denied(judge_guards(standing, plan.affected, _basis(plan))))
    again = {(finding.id, finding.subject) for finding in found}
    found += [
        finding
        for finding in plan.denied
        if finding.id not in passed and (finding.id, finding.subject) not in again
    ]
    if found:
        names = ", ".join(dict.fromkeys(finding.id for finding in found))
        raise BlockedError(
            "; ".join(denial(finding) for finding in found),
            hint="Change fewer at once, change guards.yaml and plan again, or pass it by name and "
            f"with a reason: --allow GUARD=REASON ({names}).",
        )


def _basis(plan: Plan) -> Basis:
    stored: dict[str, int] = {}
    for finding in plan.guards:
        stored |= dict(finding.basis)
    coverage = tuple(
        Covered(
            finding.subject,
            finding.limit or 0,
            dict(finding.basis).get("levelAtLeast"),
            Count(finding.intervals, ()),
        )
        for finding in plan.guards
        if finding.id == COVERAGE
    )
    return Basis(
        stored["managedAgents"],
        stored["managedAssignments"],
        stored["unread"],
        stored.get("protectedAgents", 0),
        coverage,
    )


def refuse_other_tenant(plan: Plan, identity: TenantIdentity) -> None:
    """Refuse a tenant that is not the one that was planned for.

    Raises:
        UnapprovedError: another address, or another tenant behind the same address.
    """
    planned = (plan.tenant.origin, plan.tenant.tenant_id)
    if planned != (identity.origin, identity.tenant_id):
        raise UnapprovedError(
            f"The plan is for {plan.tenant.origin} (tenant id {plan.tenant.tenant_id}), this is "
            f"{identity.origin} (tenant id {identity.tenant_id}).",
            code="plan.tenant",
            hint="Check --api-url and the credentials, or plan again for this tenant.",
        )
