"""plan: desired and observed agents, compared and judged, to one plan."""

from cxplan.usecases.plan.make import Planned, make_plan, make_rollback, plan_exit
from cxplan.usecases.plan.question import Question, question_of
from cxplan.usecases.plan.world import PlanRequest, World

__all__ = [
    "PlanRequest",
    "Planned",
    "Question",
    "World",
    "make_plan",
    "make_rollback",
    "plan_exit",
    "question_of",
]
