"""Folders of bad files, each with exactly what is said about it.

A case is a folder with ``desired/`` and ``problems.txt``; ``--regenerate`` writes the latter.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cxplan.desired.reader import c_events, pure_events
from tests.desired.trees import problems, told

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("cases/*/desired"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_problems(case: Path, pytestconfig: pytest.Config) -> None:
    said = told(problems(case / "desired"))
    if pytestconfig.getoption("--regenerate", default=False):
        (case / "problems.txt").write_text(said, encoding="utf-8")
    assert said == (case / "problems.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_parsers_say_the_same(case: Path) -> None:
    assert problems(case / "desired", c_events) == problems(case / "desired", pure_events)
