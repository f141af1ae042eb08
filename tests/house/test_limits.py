"""The house's limits, and that a machine catches who breaks them."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PACKAGE = TOP / "cxplan"
MODULES = sorted(PACKAGE.rglob("*.py"))
MODULE_LINES = 350
FUNCTION_LINES = 40
SUPPRESSION = re.compile(r"#\s*(noqa|type: ignore)")
REASONED = re.compile(r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \S|# type: ignore\[[\w-]+\]  # \S")


def run_tool(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TOP)))
def test_module_and_function_lengths(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= MODULE_LINES
    code = code_lines(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            length = len(code & set(range(node.lineno, last + 1)))
            assert length <= FUNCTION_LINES, node.name


def code_lines(source: str) -> set[int]:
    quiet = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0] for token in tokens if token.type not in quiet}


def comments() -> Iterator[tuple[Path, str]]:
    for path in MODULES:
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.COMMENT:
                    yield path, token.string


def test_each_suppression_names_its_code_and_its_reason() -> None:
    found = [(p, c) for p, c in comments() if SUPPRESSION.search(c)]
    assert [(p, c) for p, c in found if not REASONED.search(c)] == []


def test_one_broad_except_one_exit_no_print() -> None:
    text = {path: path.read_text("utf-8") for path in MODULES}
    counts: Counter[str] = Counter()
    for source in text.values():
        counts["broad"] += len(re.findall(r"except (Base)?Exception\b", source))
        counts["exit"] += len(re.findall(r"\bsys\.exit\(|raise SystemExit", source))
        counts["print"] += len(re.findall(r"(?<![\w.])print\(", source))
    assert counts == {"broad": 1, "exit": 1, "print": 0}


PLANTED_IMPORTS = [
    ("core/diff.py", "import requests"),
    ("core/steps.py", "import time"),
    ("core/plan.py", "from cxplan import ports"),
    ("core/model.py", "from cxplan.core import plan"),
    ("usecases/plan/make.py", "from cxplan.usecases import apply"),
    ("usecases/plan/make.py", "from cxplan.tenant import session"),
    ("views/plan_text.py", "import click"),
    ("tenant/oauth.py", "import requests"),
    ("simulator/world.py", "from cxplan.tenant import headers"),
    ("desired/build.py", "import pydantic"),
    ("planfile/files.py", "from cxplan.audit import disk"),
    ("settings.py", "from cxplan.cli import app"),
]


def test_planted_imports_break_a_contract(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "cxplan", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    for name, line in PLANTED_IMPORTS:
        path = tmp_path / "cxplan" / name
        source = path.read_text("utf-8")
        path.write_text(f"{source}\n{line}\n", "utf-8")
        assert not _contracts_kept(tmp_path), (name, line)
        path.write_text(source, "utf-8")
    (tmp_path / "cxplan" / "utils.py").write_text('"""Anything."""\n', "utf-8")
    assert not _contracts_kept(tmp_path), "a module without a place"
    (tmp_path / "cxplan" / "utils.py").unlink()
    assert _contracts_kept(tmp_path)


def _contracts_kept(folder: Path) -> bool:
    program = (
        "import sys; from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, check=False
    )
    return done.returncode == 0


PLANTED_CODE = [
    ("TID251", "from datetime import datetime\nNOW = datetime.now()\n"),
    ("BLE001", "try:\n    x = 1\nexcept Exception:\n    x = 2\n"),
    ("T201", 'print("x")\n'),
    ("D103", "def public() -> None:\n    pass\n"),
    ("S506", "import yaml\nyaml.load('x')\n"),
    (
        "C901",
        "def f(a: int) -> int:\n"
        + "".join(f"    if a == {i}:\n        a += 1\n" for i in range(11))
        + "    return a\n",
    ),
]


@pytest.mark.parametrize(("rule", "source"), PLANTED_CODE, ids=[rule for rule, _ in PLANTED_CODE])
def test_planted_code_is_caught_by_the_linter(rule: str, source: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--stdin-filename", "cxplan/core/planted.py", "-"],
        cwd=TOP,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert rule in done.stdout
