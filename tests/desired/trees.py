"""Small desired states for tests, and what reading them says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cxplan.core.errors import DesiredInvalid, Problem
from cxplan.core.model import Declarations
from cxplan.desired.reader import Parser
from cxplan.desired.source import FolderSource

CANARY = "CXCANARY"

TENANT = b"""\
apiVersion: cxplan/v1
tenant: acme-demo
api: availability-v2
levels: {best: 1, worst: 20, names: {expert: 1, standard: 5}}
"""
SKILLS = b"""\
skills:
  chat: {id: "skill-1", channel: chat, maxConcurrent: 4}
  voice: {id: "skill-2", channel: voice}
"""
MODES = b"""\
workModes:
  available: {id: "workMode-100", category: available}
  training: {id: "workMode-210", category: unavailable}
"""
PROFILE = b"""\
profile: core
skills:
  chat: standard
"""


def team(
    *,
    name: bytes = b"East",
    key: bytes = b"a.okafor",
    id: bytes = b'"1001"',  # noqa: A002 - the key in the file
    skills: bytes = b"{chat: 5}",
    extra: bytes = b"",
) -> bytes:
    """Return a team file: name in line 1, key in 4, id in 5, skills in 6, ``extra`` from 7."""
    lines = (
        b"team: " + name,
        b"profile: core",
        b"members:",
        b"  " + key + b":",
        b"    id: " + id,
        b"    skills: " + skills,
    )
    return b"\n".join(lines) + b"\n" + extra


def override(
    *,
    name: bytes = b"CHG-1",
    start: bytes = b'"2026-11-26T08:00:00-05:00"',
    end: bytes = b'"2026-12-01T08:00:00-05:00"',
    match: bytes = b"{agents: [a.okafor]}",
    set: bytes = b"{skills: {chat: expert}}",  # noqa: A002 - the key in the file
    extra: bytes = b"",
) -> bytes:
    """Return an override file: its five keys in lines 1 to 5, ``extra`` from 6."""
    lines = (
        b"override: " + name,
        b"from: " + start,
        b"until: " + end,
        b"match: " + match,
        b"set: " + set,
    )
    return b"\n".join(lines) + b"\n" + extra


def tree(**changes: bytes | None) -> dict[str, bytes]:
    """Return the files of a valid desired state, with some replaced, or left out where None."""
    files: dict[str, bytes | None] = {
        "tenant": TENANT,
        "skills": SKILLS,
        "modes": MODES,
        "profile": PROFILE,
        "team": team(),
    }
    files.update(changes)
    return {f"{name}.yaml": data for name, data in files.items() if data is not None}


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below ``folder`` and return it."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def read(folder: Path, parser: Parser | None = None) -> Declarations:
    """Read a folder that is expected to be valid."""
    return FolderSource(folder, parser).read()


def problems(folder: Path, parser: Parser | None = None) -> tuple[Problem, ...]:
    """Read a folder and return its problems, none where it is valid; checks how they are told."""
    try:
        read(folder, parser)
    except DesiredInvalid as error:
        found = error.problems
    else:
        return ()
    text = told(found)
    assert CANARY not in text
    assert all(line.isprintable() for line in text.splitlines())
    assert all(one.code and one.summary.endswith(".") and one.hint for one in found)
    return found


def told(found: tuple[Problem, ...]) -> str:
    """Return problems as text, one paragraph each."""
    return "".join(
        f"{one.origin or '(folder)'} {one.code}\n    {one.summary}\n    {one.hint}\n"
        for one in found
    )
