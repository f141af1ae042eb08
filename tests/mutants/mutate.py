"""Mutates the modules that decide, and compares what survives with what is explained.

For a private copy of the tree only, which ``run.sh`` makes.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mutmut.mutation.data import (  # type: ignore[import-not-found]  # in the environment of run.sh only
    SourceFileMutationData,
)
from mutmut.mutation.diff_apply import (  # type: ignore[import-not-found]  # as above
    get_diff_for_mutant,
)
from mutmut.stats import status_by_exit_code  # type: ignore[import-not-found]  # as above
from mutmut.utils.format_utils import (  # type: ignore[import-not-found]  # as above
    orig_function_and_class_names_from_key,
)

from tests.mutants import outside
from tests.mutants.explained import FILE, Mutant, explained, mutant
from tests.mutants.outside import Tried

TESTS = {
    "cxplan/core/steps.py": ("tests/core/test_steps.py",),
    "cxplan/core/breaker.py": (
        "tests/core/test_breaker.py",
        "tests/usecases/test_gate.py",
        "tests/tenant/test_tenant_pacing.py",
    ),
    "cxplan/core/diff.py": ("tests/core/test_diff.py",),
    "cxplan/tenant/pacing.py": ("tests/tenant/test_tenant_pacing.py",),
    "cxplan/tenant/retry.py": ("tests/tenant/test_tenant_retry.py",),
}
NOTICED = {"killed", "timeout"}
ARGUMENTS = (
    *("-p", "no:cacheprovider", "--hypothesis-profile=ci", "-o", "required_plugins=pytest-socket"),
    *("-k", "not over_the_wire"),
)
"""The same order and the same examples each time. Tests over the wire test more than the pacer."""


def inside(modules: Sequence[str]) -> Iterator[Tried]:
    """Let mutmut run its own mutants of all modules together."""
    lines = {
        "source_paths": ["cxplan"],
        "only_mutate": modules,
        "pytest_add_cli_args": ARGUMENTS,
        "pytest_add_cli_args_test_selection": sorted({t for m in modules for t in TESTS[m]}),
        "timeout_multiplier": ["5"],
    }
    text = "".join(f"{key}=\n    " + "\n    ".join(lines[key]) + "\n" for key in lines)
    Path("setup.cfg").write_text(f"[mutmut]\n{text}", "utf-8")
    command = ["mutmut", "run", "--max-children", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mutmut failed: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    for module in modules:
        data = SourceFileMutationData(path=Path(module))
        data.load()
        for name, code in data.exit_code_by_key.items():
            yield Tried(_named(module, name), status_by_exit_code[code])


def _named(module: str, name: str) -> Mutant:
    function, cls = orig_function_and_class_names_from_key(name)
    _, _, *diff = get_diff_for_mutant(name, path=Path(module)).splitlines()
    return mutant(module, f"{cls}.{function}" if cls else function, diff)


def main(modules: Sequence[str]) -> int:
    """Print the numbers of each module and every survivor that is not explained."""
    if Path(".git").exists():
        raise SystemExit(
            "This writes mutants over the sources; start tests/mutants/run.sh instead."
        )
    everything = list(inside(modules))
    for module in modules:
        everything += outside.tried(module, (*ARGUMENTS, *TESTS[module]))
    reasons = explained(FILE.read_text("utf-8"))
    survivors = {one.mutant for one in everything if one.status not in NOTICED}
    for module in modules:
        _say(_numbers(module, [one for one in everything if one.mutant.module == module]))
    unexplained = sorted(survivors - reasons.keys(), key=str)
    killed = sorted((one for one in reasons.keys() - survivors if one.module in modules), key=str)
    for heading, found in (("not explained", unexplained), ("explained, but no survivor", killed)):
        for one in found:
            _say(f"\n{heading}: {one}")
    return 1 if unexplained or killed else 0


def _numbers(module: str, mutants: Sequence[Tried]) -> str:
    counts = Counter(one.status for one in mutants)
    each = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return f"{module}: {len(mutants)} mutants: {each}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TESTS)))
