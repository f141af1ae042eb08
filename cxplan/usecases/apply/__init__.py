"""apply: a plan, executed with a lock on every write and evidence of every step.

``recover_run`` and ``resume_run`` settle a run that was cut off: they share its journal's rules.
"""

from cxplan.usecases.apply.recover import Recovered, recover_run
from cxplan.usecases.apply.resume import resume_run
from cxplan.usecases.apply.run import ApplyRequest, Loaded, apply_plan
from cxplan.usecases.apply.world import ApplyWorld

__all__ = [
    "ApplyRequest",
    "ApplyWorld",
    "Loaded",
    "Recovered",
    "apply_plan",
    "recover_run",
    "resume_run",
]
