"""Every row of the fault table has a test."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from cxplan.core.errors import Exit
from tests.faults.table import TABLE

HERE = Path(__file__).parent
TOP = HERE.parents[1]
KILLED = 137
_ID = re.compile(r"(?<![A-Za-z0-9])[Ff][-_](\d\d[a-z]?)(?![A-Za-z0-9])")


def collected() -> list[str]:
    """The names of all tests here, the nightly ones too, as pytest collects them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-m", "nightly or not nightly", str(HERE)],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if "::" in line]


def docstrings() -> dict[str, str]:
    """What each test says of itself, by its name."""
    return {
        node.name: ast.get_docstring(node) or ""
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_row_has_a_test_that_is_named_after_it() -> None:
    names, said = collected(), docstrings()
    about = [f"{name} {said[_function(name)]}" for name in names]
    found = {f"F-{number}" for text in about for number in _ID.findall(text)}
    known = {row.id for row in TABLE}
    assert found <= known, "a test of a row that is not in the table"
    by_name = {row.id for row in TABLE if row.tests}
    assert known - found - by_name == set(), "rows without a test"
    functions = {_function(name) for name in names}
    assert {name for row in TABLE for name in row.tests} <= functions


def _function(name: str) -> str:
    return name.partition("::")[2].partition("[")[0]


def test_rows_are_told_apart_and_name_codes_that_there_are() -> None:
    assert len({row.id for row in TABLE}) == len(TABLE)
    codes = {int(code) for code in Exit} | {KILLED}
    assert all(row.exits and row.exits <= codes for row in TABLE)
    assert all(row.fault and row.phase for row in TABLE)
