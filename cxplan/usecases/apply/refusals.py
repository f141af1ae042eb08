"""Why a plan is not executed: checked before anything is asked of the tenant, or right after."""

from __future__ import annotations

from cxplan.core.errors import BlockedError, StaleError, UnapprovedError, UnavailableError
from cxplan.core.guards import Basis, denial, denied, judge_guards
from cxplan.core.instant import utc_text
from cxplan.core.live import TenantIdentity
from cxplan.core.meaning import source_digest
from cxplan.core.model import Declarations
from cxplan.core.plan import Plan, Status
from cxplan.core.resolve import Resolved
from cxplan.usecases.apply.world import ApplyWorld

PLAN_AGAIN = "Run cxplan plan again and review what it shows."


def refuse_unusable(world: ApplyWorld, plan: Plan, resolved: Resolved) -> None:
    """Refuse a plan that is not of these files, too old, applied before, unread or guarded.

    Raises:
        UnapprovedError: another tenant's, or expired.
        StaleError: applied before, or the files mean something else now.
        UnavailableError: too much of the tenant was unread when it was made.
        BlockedError: a guard denies it.
    """
    declarations = resolved.declarations
    _refuse_foreign(plan, declarations)
    if world.clock.now() >= plan.expires_at:
        raise UnapprovedError(
            f"The plan expired at {utc_text(plan.expires_at)}.",
            code="plan.expired",
            hint=PLAN_AGAIN,
        )
    run = world.ledger.applied(plan.plan_id)
    if run is not None:
        raise StaleError(
            f"The plan was applied before, by run {run}.",
            code="plan.already_applied",
            hint="What was written does not come again. " + PLAN_AGAIN,
        )
    if source_digest(resolved) != plan.source.digest:
        raise StaleError(
            "The desired state has changed since the plan was made.",
            code="plan.stale_config",
            hint=PLAN_AGAIN,
        )
    _refuse_unread(plan)
    _refuse_denied(plan, declarations)


def _refuse_foreign(plan: Plan, declarations: Declarations) -> None:
    if plan.tenant.name != declarations.tenant or plan.tenant.api != declarations.api:
        raise UnapprovedError(
            f"The plan is for tenant {plan.tenant.name} ({plan.tenant.api}), the files are for "
            f"{declarations.tenant} ({declarations.api}).",
            code="plan.tenant",
            hint="Apply it with the files that it was made from.",
        )


def _refuse_unread(plan: Plan) -> None:
    if not plan.applicable:
        unread = len(plan.with_status(Status.UNREAD))
        raise UnavailableError(
            f"The plan can be shown, not applied: {unread} of {plan.managed} agents were unread.",
            code="plan.unread",
            hint=PLAN_AGAIN,
        )


def _refuse_denied(plan: Plan, declarations: Declarations) -> None:
    findings = denied(judge_guards(declarations.guards, plan.affected, _basis(plan)))
    if findings:
        raise BlockedError(
            "; ".join(denial(finding) for finding in findings),
            hint="Change fewer at once, or change the guard in guards.yaml and plan again.",
        )


def _basis(plan: Plan) -> Basis:
    numbers: dict[str, int] = {}
    for finding in plan.guards:
        numbers |= dict(finding.basis)
    return Basis(numbers["managedAgents"], numbers["managedAssignments"], numbers["unread"])


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
