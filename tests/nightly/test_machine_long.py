"""The machine for as long as it takes until everything that can happen has happened often."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from cxplan.core.steps import Outcome
from tests.machine.faults import FAULTS
from tests.machine.machine import ApplyMachine
from tests.machine.script import Act

LOTS = 20
"""Runs are drawn in lots, since what hypothesis remembers of them grows without end."""

LOT = settings(
    max_examples=250,
    stateful_step_count=30,
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.nightly
def test_nothing_is_lost_in_five_thousand_lives() -> None:
    class Machine(ApplyMachine):
        seen: ClassVar[Counter[str]] = Counter()

    for _ in range(LOTS):
        run_state_machine_as_test(Machine, settings=LOT)
    acts = {act.__name__ for act in Act.__args__}
    expected = {outcome.value for outcome in Outcome} | FAULTS.keys() | acts
    assert {each for each in expected if Machine.seen[each] < 10} == set()
