"""apply: a plan, executed with a lock on every write and evidence of every step."""

from cxplan.usecases.apply.run import ApplyRequest, Loaded, apply_plan
from cxplan.usecases.apply.world import ApplyWorld

__all__ = ["ApplyRequest", "ApplyWorld", "Loaded", "apply_plan"]
