"""The machine around the real engine, and around engines that are wrong on purpose."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.engine import Engine
from tests.machine.laws import Broken
from tests.machine.machine import ApplyMachine
from tests.machine.wrong import WRONG

SHORT = settings(
    max_examples=100,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
UNTIL_CAUGHT = settings(
    SHORT, max_examples=600, phases=[Phase.generate], report_multiple_bugs=False
)


def test_nothing_is_lost_whatever_happens() -> None:
    class Machine(ApplyMachine):
        seen: ClassVar[Counter[str]] = Counter()

    run_state_machine_as_test(Machine, settings=SHORT)
    assert {"applied", "converged", "conflict", "unknown", "notAttempted"} <= Machine.seen.keys()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_engine_is_caught(name: str) -> None:
    wrong, broken = WRONG[name]

    class Machine(ApplyMachine):
        engine: ClassVar[Engine] = wrong
        law: ClassVar[str | None] = broken

    with pytest.raises(Broken, match=broken):
        run_state_machine_as_test(Machine, settings=UNTIL_CAUGHT)
