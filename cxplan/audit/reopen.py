"""A run that was cut off, opened again: everything in its folder is checked before it is touched.

What a kill may leave, and what becomes of it:

- files under temporary names: removed, they were never whole;
- no ``open.dsse.json`` yet: nothing was sent, so the folder is removed;
- a last line of the journal that was torn: it is cut off, and kept in ``recovery.start``. The
  journal with that line is written beside the old one and takes its place in one rename, so that
  another kill finds either the torn line or the line that keeps it;
- the seal in place and the folder not renamed: the seal is verified, then the folder renamed.

Complete lines stay as they are, byte for byte.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from cxplan.audit import disk, envelope
from cxplan.audit.bundle import BundleRun, Contents, rename_sealed, sync_sealed
from cxplan.audit.folders import OPEN_SUFFIX, Name, sealed_name
from cxplan.audit.journal import Journal
from cxplan.audit.keys import SigningKey
from cxplan.audit.planned import agents_of
from cxplan.audit.records import END, RECOVERY, Walk
from cxplan.audit.refusal import Refused, shown
from cxplan.audit.schema import OpenStatement
from cxplan.audit.statement import OPEN, PLAN, RECORDS, STATEMENT, SUBJECTS, read, subjects
from cxplan.audit.verify import LIMITS, check_bundle
from cxplan.core.canonical import parse_json, sha256_hex
from cxplan.core.errors import EvidenceError
from cxplan.core.evidence import Closing, Head
from cxplan.ports import Clock

TORN_KEPT = 1024 * 1024
"""Bytes of a torn line that are kept at most; its length and its digest always are."""

_TORN = frozenset({"audit.json", "audit.form", "audit.record", "audit.too_large"})
"""What a last line is found to be that a crash of the machine left half on disk."""

_NOT_OPENED = frozenset({"audit.missing", "audit.json", "audit.form"})
"""What ``open`` is found to be where the run had not got as far as its first record."""

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """The journal of a run that was cut off: its complete lines, and what came after them."""

    walk: Walk
    lines: bytes
    """The complete lines as they stand on disk."""
    torn: bytes
    missing: bool
    """Whether there is no journal yet."""
    head: Head | None = None
    """What the statement says, where it stands already and only the folder's name is missing."""

    @property
    def records(self) -> tuple[Mapping[str, Any], ...]:
        """The complete lines, decoded."""
        return tuple(parse_json(line) for line in self.lines.splitlines())


class CutBundle(BundleRun):
    """A run that was cut off; implements ``ports.CutRun``. Takes no line before ``again``."""

    def __init__(
        self, root: int, held: Contents, key: SigningKey, folder: int, found: Found, clock: Clock
    ) -> None:
        """Take over the open ``folder`` of a run whose files were checked."""
        super().__init__(root, held, key, folder, Journal(-1, found.walk, clock))
        self._found, self._clock = found, clock

    @property
    def plan(self) -> bytes:
        """The plan, byte for byte."""
        return self._held.plan

    @property
    def records(self) -> tuple[Mapping[str, Any], ...]:
        """The complete lines of the journal as it was found."""
        return self._found.records

    def again(self, fields: Mapping[str, Any]) -> None:
        """Append ``recovery.start``; from now on lines can be added.

        Raises:
            EvidenceError: ``audit.write``; the journal stays as it was.
        """
        found = self._found
        anew = found.missing or bool(found.torn)
        with ExitStack() as undo:
            try:
                journal = self._beside(undo) if anew else self._appending()
                self._journal = Journal(journal, found.walk, self._clock)
                self._journal.append(RECOVERY, {**fields, "torn": _kept(found.torn)})
                if anew:
                    self._take_place()
            except OSError as error:
                self._journal.close()
                raise self._stays(disk.reason(error)) from None
            undo.pop_all()

    def _appending(self) -> int:
        return os.open(RECORDS, _APPEND, dir_fd=self._folder)

    def _beside(self, undo: ExitStack) -> int:
        """Return a new journal under a temporary name that holds the complete lines."""
        temporary = RECORDS + disk.TEMPORARY
        journal = disk.create(temporary, parent=self._folder)
        undo.callback(disk.remove, self._folder, temporary)
        try:
            with os.fdopen(journal, "wb", closefd=False) as stream:
                stream.write(self._found.lines)
        except OSError:
            os.close(journal)
            raise
        return journal

    def _take_place(self) -> None:
        temporary = RECORDS + disk.TEMPORARY
        os.rename(temporary, RECORDS, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        os.fsync(self._folder)

    def seal(self, closing: Closing) -> Head:
        """Seal as a run that was cut off; where the statement stands already it is kept as it is.

        Raises:
            EvidenceError: ``audit.seal``; the journal stays as it is.
        """
        head = self._found.head
        if head is None:
            return super().seal(replace(closing, recovered=True))
        try:
            rename_sealed(self._root, head.folder)
        except OSError as error:
            raise self._unsealed(disk.reason(error)) from None
        sync_sealed(self._root)
        return head

    def _stays(self, why: str) -> EvidenceError:
        return EvidenceError(
            f"The journal cannot be written: {why}.",
            code="audit.write",
            hint="It stays as it was. See that the disk has room and works, then try again.",
        )


def _kept(torn: bytes) -> dict[str, Any] | None:
    if not torn:
        return None
    beginning = base64.b64encode(torn[:TORN_KEPT]).decode("ascii")
    return {"bytes": len(torn), "sha256": sha256_hex(torn), "base64": beginning}


def reopened(root: int, folder: str, key: SigningKey, clock: Clock) -> CutBundle | None:
    """Return the run in ``folder`` of the open ledger folder ``root``, everything in it checked.

    None where it had not begun to write: its folder is then removed.

    Raises:
        EvidenceError: what lies there is not what such a run leaves; it is not touched.
    """
    try:
        name = _name_of(folder)
        with disk.subfolder(root, folder, shown(folder)) as inside:
            opened = _Folder(root, folder, name, inside, key)
            opened.clean()
            if opened.never_began():
                opened.remove()
                return None
            return opened.cut(clock)
    except Refused as refused:
        raise _refusal(refused) from None
    except OSError as error:
        raise _refusal(disk.unreadable(shown(folder), error)) from None


def _name_of(folder: str) -> Name:
    name = sealed_name(folder.removesuffix(OPEN_SUFFIX))
    if name is None:
        raise Refused("audit.name", shown(folder), "this is not the name of a run")
    return name


def _refusal(refused: Refused) -> EvidenceError:
    failure = refused.failure
    hint = "Nothing was changed. Keep the folder as evidence and find out who else wrote to it."
    if failure.code == "audit.signer":
        hint = "Give the key that the run was begun with: --signing-key FILE."
    return EvidenceError(
        f"The run cannot be gone on with: {failure.summary}.",
        code=failure.code,
        address=failure.place,
        hint=hint,
    )


class _Folder:
    """The folder of a run that was cut off."""

    def __init__(self, root: int, folder: str, name: Name, inside: int, key: SigningKey) -> None:
        self._root, self._folder, self._name = root, folder, name
        self._inside, self._key = inside, key

    def _place(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def _whole(self, name: str) -> bytes:
        place, limit = self._place(name), LIMITS[name]
        with disk.regular(name, place, limit=limit, parent=self._inside) as fd:
            return disk.read_all(fd, place, limit=limit)

    def _names(self) -> set[str]:
        with os.scandir(self._inside) as entries:
            return {entry.name for entry in entries}

    def clean(self) -> None:
        """Remove what never got its name, and refuse what no run leaves."""
        disk.remove(self._inside, *(name + disk.TEMPORARY for name in (STATEMENT, *SUBJECTS)))
        if unlisted := sorted(self._names() - LIMITS.keys()):
            place = self._place(shown(unlisted[0]))
            raise Refused("audit.unlisted", place, "this does not belong in a run's folder")

    def never_began(self) -> bool:
        """Tell whether the run was cut off before its opening was whole, so before any record."""
        try:
            envelope.parse(self._whole(OPEN), self._place(OPEN))
        except Refused as refused:
            there = self._names()
            if refused.failure.code not in _NOT_OPENED or STATEMENT in there:
                raise
            if RECORDS in there and self._whole(RECORDS):
                raise
            return True
        return False

    def remove(self) -> None:
        """Remove the folder; its opening first, so that another kill leaves it as empty."""
        disk.remove(self._inside, OPEN, RECORDS, PLAN)
        os.rmdir(self._folder, dir_fd=self._root)
        os.fsync(self._root)

    def cut(self, clock: Clock) -> CutBundle:
        """Return the run, its opening, plan and journal checked."""
        held = self._contents()
        found = self._journal(sha256_hex(held.opening))
        if STATEMENT in self._names():
            found = replace(found, head=self._sealed())
        folder = os.dup(self._inside)
        return CutBundle(self._root, held, self._key, folder, found, clock)

    def _contents(self) -> Contents:
        place = self._place(OPEN)
        data = self._whole(OPEN)
        signed = envelope.parse(data, place)
        envelope.check(signed, (self._key.public,), place)
        opened = read(OpenStatement, signed.payload, place)
        said = opened.predicate
        if (said.ledger.sequence, said.run.id) != (self._name.sequence, self._name.run_id):
            raise Refused("audit.name", place, "the folder was renamed, or this is another run's")
        plan = self._whole(PLAN)
        if opened.subject != subjects({PLAN: sha256_hex(plan)}):
            raise Refused("audit.digest", self._place(PLAN), "not the plan that was signed for")
        agents = agents_of(plan, said.plan, self._place(PLAN))
        return Contents(said, plan, signed.payload, data, agents)

    def _journal(self, start: str) -> Found:
        walk = Walk(start, self._place(RECORDS))
        try:
            data = self._whole(RECORDS)
        except Refused as refused:
            if refused.failure.code != "audit.missing":
                raise
            return Found(walk, b"", b"", missing=True)
        size = len(data)
        for line in data.splitlines(keepends=True):
            if not _taken(walk, line, last=walk.size + len(line) == size):
                break
        torn = data[walk.size :]
        if torn and walk.kind == END:
            raise Refused("audit.order", walk.here, f"something follows {END}")
        return Found(walk, data[: walk.size], torn, missing=False)

    def _sealed(self) -> Head:
        name = replace(self._name, folder=self._folder)
        checked = check_bundle(self._root, name, (self._key.public,))
        if checked.report.failures or checked.head is None:
            failure = checked.report.failures[0]
            raise Refused(failure.code, failure.place, failure.summary)
        return replace(checked.head, folder=self._name.folder)


def _taken(walk: Walk, line: bytes, *, last: bool) -> bool:
    """Add a line to the walk, or tell that it is the last one and was torn."""
    if not line.endswith(b"\n"):
        return False
    try:
        walk.take(line[:-1])
    except Refused as refused:
        if last and refused.failure.code in _TORN:
            return False
        raise
    return True
