"""What a file is and says, taken by itself; what files mean together is in ``build``.

A file's kind is told by the key that names it. Everything with a fault is reported and left out and
the rest is read on, so that one run shows all that is wrong. This is done by hand and not by
pydantic: a fault in one member must not hide those in the next, and each of them needs its own
sentence on what to write.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from cxplan.desired.blocks import PROFILE, TEAM, profile_file, team_file
from cxplan.desired.content import Content
from cxplan.desired.faults import TOP, Sheet, Spot
from cxplan.desired.fields import Shape
from cxplan.desired.guards import GUARDS, guards_file
from cxplan.desired.overrides import OVERRIDE, override_file
from cxplan.desired.terms import MODES, SKILLS, TENANT, modes_file, skills_file, tenant_file
from cxplan.desired.text import like_secret, secret_fault


class Kind(StrEnum):
    """The kinds of files, each by the key that names it."""

    TENANT = "tenant"
    SKILLS = "skills"
    MODES = "workModes"
    PROFILE = "profile"
    TEAM = "team"
    GUARDS = "guards"
    OVERRIDE = "override"


_READERS: dict[Kind, tuple[Shape, Callable[[dict[str, Any]], Content | None]]] = {
    Kind.TENANT: (TENANT, tenant_file),
    Kind.SKILLS: (SKILLS, skills_file),
    Kind.MODES: (MODES, modes_file),
    Kind.PROFILE: (PROFILE, profile_file),
    Kind.TEAM: (TEAM, team_file),
    Kind.GUARDS: (GUARDS, guards_file),
    Kind.OVERRIDE: (OVERRIDE, override_file),
}


def kind_of(sheet: Sheet, data: dict[str, Any]) -> Kind | None:
    """Return the kind of a file, or None after reporting that it has none or several.

    A key that is a field of another kind here does not count: a team may name a profile.
    """
    present = [kind for kind in Kind if kind in data]
    fields = {kind: _READERS[kind][0].fields for kind in present}
    kinds = [
        kind
        for kind in present
        if not any(kind in names for other, names in fields.items() if other is not kind)
    ]
    if len(kinds) == 1:
        return kinds[0]
    known = ", ".join(Kind)
    if kinds:
        summary = f"The file is of several kinds: {', '.join(kinds)}."
        where: Any = Spot((kinds[-1],), on_key=True)
        hint = "Put each into a file of its own."
    else:
        summary, where = "No key tells what kind of file this is.", TOP
        hint = f"Name the kind by one of the keys {known}; what is none of ours goes elsewhere."
        for key in filter(like_secret, data):
            secret_fault(sheet, (key,), key)
    sheet.fault("schema.kind", where, summary, hint)
    return None


def read_content(sheet: Sheet, kind: Kind, data: dict[str, Any]) -> Content | None:
    """Return what a file says, or None where nothing of it can be used; faults are reported."""
    shape, content = _READERS[kind]
    found = shape.read(sheet, (), data)
    return content(found) if found is not None else None
