"""The mutants that no test can kill, read from SURVIVORS.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("SURVIVORS.md")
CODE = "    "


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module, the function or class that is mutated, the lines it loses and those it gets."""

    module: str
    where: str
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"- {line}" for line in self.removed] + [f"+ {line}" for line in self.added]
        return "\n".join([f"{self.module}: {self.where}", *(CODE + line for line in lines)])


def mutant(module: str, where: str, diff: list[str]) -> Mutant:
    """Return the mutant of some diff lines; how far they are indented does not count."""
    removed, added = (
        tuple(line[1:].strip() for line in diff if line.startswith(sign)) for sign in "-+"
    )
    return Mutant(module, where, removed, added)


def explained(text: str) -> dict[Mutant, str]:
    """Return the explanation of each mutant.

    ``##`` names a module, ``###`` a function; each indented block below is one mutant, and the
    paragraph after the blocks explains all of them.
    """
    module = where = ""
    found: dict[Mutant, str] = {}
    waiting: list[Mutant] = []
    for block in text.split("\n\n"):
        if block.startswith("## "):
            module = block.removeprefix("## ").strip()
        elif block.startswith("### "):
            where = block.removeprefix("### ").strip()
        elif block.startswith(CODE):
            lines = [line.removeprefix(CODE) for line in block.strip("\n").splitlines()]
            waiting.append(mutant(module, where, lines))
        elif module:
            found |= dict.fromkeys(waiting, block.strip())
            waiting = []
    return found | dict.fromkeys(waiting, "")
