"""What a bundle reads from its plan: whom it is about, and that it is the plan that was named."""

from __future__ import annotations

from cxplan.audit.refusal import Refused
from cxplan.audit.schema import PlanClaim, PlanDocument, ShapeError, shaped
from cxplan.core.canonical import StrictJsonError, parse_json
from cxplan.core.instant import parse_utc

PLAN_LIMIT = 64 * 1024 * 1024
"""Bytes of a plan at most."""


def agents_of(plan: bytes, named: PlanClaim, place: str) -> frozenset[str]:
    """Return the ids of the agents that the plan lists.

    Raises:
        Refused: ``audit.json``, or ``audit.plan`` for what is no plan, is another plan than
            ``named``, or lists an agent twice.
    """
    try:
        document = shaped(PlanDocument, parse_json(plan))
    except StrictJsonError as error:
        raise Refused("audit.json", place, str(error)) from None
    except ShapeError:
        raise Refused("audit.plan", place, "this is not a plan") from None
    if _claim(document) != named:
        raise Refused("audit.plan", place, "this is another plan than the one that was named")
    agents = [entry.agent.id for entry in document.agents]
    if len(set(agents)) != len(agents):
        raise Refused("audit.plan", place, "an agent stands twice in the plan")
    return frozenset(agents)


def _claim(document: PlanDocument) -> PlanClaim:
    return PlanClaim(
        id=document.plan_id,
        created_at=document.created_at,
        expires_at=document.expires_at,
        semantic_digest=document.semantic_digest,
    )


def refuse_expired(opened_at: str, plan: PlanClaim, place: str) -> None:
    """Raise ``Refused`` (``audit.expired``) where a run began after its plan had expired."""
    if parse_utc(opened_at) > parse_utc(plan.expires_at):
        raise Refused("audit.expired", place, f"the plan had expired at {plan.expires_at}")
