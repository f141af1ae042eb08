"""doctor: everything that a plan and an apply stand on, looked at before it is needed."""

from cxplan.usecases.doctor.examine import examine
from cxplan.usecases.doctor.world import DoctorWorld

__all__ = ["DoctorWorld", "examine"]
