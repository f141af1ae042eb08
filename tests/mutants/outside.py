"""The mutants that mutmut 3 leaves out, made with its own operators and run one by one.

mutmut 3 puts all mutants of a function side by side behind a trampoline. It has none for a
constant, a default of a dataclass, a member of an enum, nor for a decorated function; here these
hold the limits of the tables, the breaker's rule and the turns of the pacer. So each mutant of
those is written to the file, and the tests run in a process of their own.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis as _hypothesis  # noqa: F401 - loaded once here, not in each process
import libcst as cst  # type: ignore[import-not-found]  # in the environment of run.sh only
import pytest
from mutmut.mutation.mutators import (  # type: ignore[import-not-found]  # as above
    mutation_operators,
)

from tests.mutants.explained import Mutant, mutant

SECONDS = 30
SURVIVED = "survived"
MEANING: dict[int, str] = {
    pytest.ExitCode.OK: SURVIVED,
    pytest.ExitCode.TESTS_FAILED: "killed",
    pytest.ExitCode.INTERRUPTED: "killed",
}
"""A module that cannot be imported any more interrupts the collection; other codes mean no test."""

ARGUMENTS = (
    *("-x", "-q", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
    *("-p", "no:randomly", "-p", "no:schemathesis", "-p", "no:anyio"),
)
"""Plugins that are not needed are not loaded; hypothesis is, before pytest can rewrite it."""

KEPT = {"len", "isinstance"}
"""mutmut leaves calls of these alone too."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant and whether the tests noticed: killed, timeout or survived."""

    mutant: Mutant
    status: str


def tried(module: str, pytest_arguments: Sequence[str]) -> Iterator[Tried]:
    """Run the tests against each mutant of ``module``; the file is whole again at the end."""
    path = Path(module)
    source = path.read_text("utf-8")
    if _run(pytest_arguments) != SURVIVED:
        raise RuntimeError(f"the tests of {module} fail on the sources as they are")
    parsed = cst.parse_module(source)
    try:
        for where, old, new in _mutations(parsed):
            code = parsed.deep_replace(old, new).code
            path.write_text(code, "utf-8")
            diff = list(difflib.ndiff(source.splitlines(), code.splitlines()))
            yield Tried(mutant(module, where, diff), _run(pytest_arguments))
    finally:
        path.write_text(source, "utf-8")


def _mutations(node: Any, where: str = "the module") -> Iterator[tuple[str, Any, Any]]:
    """Walk what mutmut leaves out, and yield for each node what mutmut would make of it."""
    if _passed_over(node):
        return
    if isinstance(node, cst.ClassDef | cst.FunctionDef):
        where = node.name.value if where == "the module" else f"{where}.{node.name.value}"
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            for new in operator(node):
                yield where, node, new
    for child in node.children:
        yield from _mutations(child, where)


def _passed_over(node: Any) -> bool:
    match node:
        case cst.Annotation() | cst.Decorator() | cst.Import() | cst.ImportFrom():
            return True
        case cst.FunctionDef(decorators=decorators):
            return not decorators
        case cst.Call(func=cst.Name(value=name)):
            return name in KEPT
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))]):
            return _names_a_type(name)
        case _:
            return False


def _names_a_type(name: str) -> bool:
    """Tell an alias like ``Decision``, which nobody looks at while the program runs."""
    return name.lstrip("_")[:1].isupper() and not name.isupper()


def _run(arguments: Sequence[str]) -> str:
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        code: int = pytest.ExitCode.INTERNAL_ERROR
        try:
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123 - a device
                code = pytest.main([*ARGUMENTS, *arguments])
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return "timeout" if os.WIFSIGNALED(status) else MEANING[os.WEXITSTATUS(status)]
