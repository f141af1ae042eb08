"""A sealed bundle as a story: what its statement and its records say, unverified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cxplan.audit import disk
from cxplan.audit.folders import Name, choose, folder_error, names_in, run_of, ways_on
from cxplan.audit.limits import RECORDS_LIMIT
from cxplan.audit.records import read_line
from cxplan.audit.refusal import Refused, unreadable_evidence
from cxplan.audit.sealed import read_sealed
from cxplan.core.canonical import parse_json
from cxplan.core.errors import EvidenceError
from cxplan.core.evidence import RunStory

RECORDS = "records.jsonl"


def read_story(path: Path, run: str) -> RunStory:
    """Return what the sealed run ``run`` of the ledger at ``path`` says of itself.

    Raises:
        InvalidError: the name fits none or several runs.
        EvidenceError: the run is not sealed, or the ledger or the bundle cannot be read.
    """
    try:
        with disk.folder(path) as root:
            chosen = choose(names_in(root), (run,))
            if not chosen.sealed:
                raise EvidenceError(
                    "That run was begun and never sealed; it has no statement to show.",
                    code="audit.unsealed",
                    hint=ways_on(run_of(chosen.open[0])),
                )
            name = chosen.sealed[0]
            sealed = read_sealed(root, name)
            records = tuple(_records(root, name))
    except OSError as error:
        raise folder_error(disk.reason(error)) from None
    said = sealed.statement.predicate
    actor = f"{said.actor.kind} {said.actor.id}"
    return RunStory(sealed.head, actor, said.target.tenant, records, said.target.base_url)


def _records(root: int, name: Name) -> Iterator[Mapping[str, Any]]:
    place = f"{name.folder}/{RECORDS}"
    try:
        with (
            disk.subfolder(root, name.folder, name.folder) as inside,
            disk.regular(RECORDS, place, limit=RECORDS_LIMIT, parent=inside) as fd,
        ):
            lines = disk.read_all(fd, place, limit=RECORDS_LIMIT).splitlines()
        for number, line in enumerate(lines, start=1):
            read_line(line, f"{place}:{number}")
            yield parse_json(line)
    except Refused as refused:
        raise unreadable_evidence("The records", refused) from None
