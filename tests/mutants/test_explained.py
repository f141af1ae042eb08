"""The file of explained survivors: readable, and still about the code as it is."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.explained import FILE, Mutant, explained

TOP = Path(__file__).parents[2]

TEXT = """# Title

Words before any module.

## a.py

### f

    - x = 1
    + x = 2

    - y = (
    -     1
    - )
    + y = None

Both the same.

### C.g

    - z
"""


def test_each_block_is_a_mutant_and_the_words_after_explain_it() -> None:
    assert explained(TEXT) == {
        Mutant("a.py", "f", ("x = 1",), ("x = 2",)): "Both the same.",
        Mutant("a.py", "f", ("y = (", "1", ")"), ("y = None",)): "Both the same.",
        Mutant("a.py", "C.g", ("z",), ()): "",
    }


def test_every_explained_mutant_has_its_reason_and_its_lines_in_the_code() -> None:
    found = explained(FILE.read_text("utf-8"))
    assert found
    for mutant, reason in found.items():
        lines = {line.strip() for line in (TOP / mutant.module).read_text("utf-8").splitlines()}
        assert len(reason.split()) > 5, mutant
        assert lines.issuperset(mutant.removed), mutant
        assert mutant.removed != mutant.added, mutant
