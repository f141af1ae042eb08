"""The folder of one run, from before its first write to its seal.

Order on disk: the folder, the plan, the signed opening and an empty journal, each forced to disk
with the folders around it; then the journal, line by line; then the seal under a temporary name,
renamed, and last the folder's own final name. A crash at any point leaves either a folder whose
name ends in ``.open`` or a sealed bundle, never something between.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from cxplan.audit import disk, envelope
from cxplan.audit.folders import OPEN_SUFFIX, folder_name, ways_on
from cxplan.audit.journal import Journal
from cxplan.audit.keys import SigningKey
from cxplan.audit.planned import PLAN_LIMIT, agents_of, refuse_expired
from cxplan.audit.records import END, Walk
from cxplan.audit.refusal import Refused
from cxplan.audit.schema import OpenPredicate, SealStatement
from cxplan.audit.statement import (
    OPEN,
    PLAN,
    RECORDS,
    STATEMENT,
    head_of,
    open_payload,
    read,
    seal_payload,
    sealing,
)
from cxplan.core.canonical import sha256_hex
from cxplan.core.errors import CxplanError, EvidenceError, UnapprovedError
from cxplan.core.evidence import Closing, Head
from cxplan.ports import Clock

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands in a new bundle before its first record."""

    predicate: OpenPredicate
    plan: bytes
    opening: bytes
    """The payload of ``open``."""
    envelope: bytes
    agents: frozenset[str]


def contents(predicate: OpenPredicate, plan: bytes, key: SigningKey) -> Contents:
    """Return what a new bundle begins with, signed.

    Raises:
        EvidenceError: ``audit.plan``, where the plan is not the one that the opening names.
        UnapprovedError: ``plan.expired`` by the time of opening, or the key cannot sign.
    """
    try:
        refuse_expired(predicate.run.opened_at, predicate.plan, PLAN)
        agents = agents_of(plan, predicate.plan, PLAN)
    except Refused as refused:
        raise _no_plan(refused.failure.code, refused.failure.summary) from None
    if len(plan) > PLAN_LIMIT:
        raise _no_plan("audit.plan", f"a plan in a bundle has {PLAN_LIMIT} bytes at most")
    payload = open_payload(predicate, plan)
    return Contents(predicate, plan, payload, envelope.sign(payload, key), agents)


def _no_plan(code: str, why: str) -> CxplanError:
    if code == "audit.expired":
        return UnapprovedError(
            f"Nothing was sent: {why}.", code="plan.expired", hint="Make a new plan."
        )
    return EvidenceError(
        f"The run cannot be recorded: {why}.",
        code="audit.plan",
        hint="Nothing was sent. Make a new plan.",
    )


def make_folder(root: int, held: Contents) -> tuple[int, int]:
    """Make the folder of an open run, everything in it forced to disk.

    Returns:
        The folder and its empty journal, both open; the caller closes them.

    Raises:
        EvidenceError: it could not be written; nothing of it stays.
    """
    name = _name(held) + OPEN_SUFFIX
    try:
        with ExitStack() as undo:
            os.mkdir(name, disk.FOLDER_MODE, dir_fd=root)
            undo.callback(_remove_folder, root, name)
            folder = os.open(name, _FOLDER, dir_fd=root)
            undo.callback(os.close, folder)
            undo.callback(disk.remove, folder, PLAN, OPEN, RECORDS)
            disk.write_new(folder, PLAN, held.plan)
            disk.write_new(folder, OPEN, held.envelope)
            journal = disk.create(RECORDS, parent=folder)
            undo.callback(os.close, journal)
            for fd in (journal, folder, root):
                os.fsync(fd)
            undo.pop_all()
    except OSError as error:
        raise EvidenceError(
            f"The run's folder cannot be made: {disk.reason(error)}.",
            code="audit.write",
            hint="Nothing was sent. See that the ledger's folder can be written and has room.",
        ) from None
    return folder, journal


def _name(held: Contents) -> str:
    return folder_name(held.predicate.ledger.sequence, held.predicate.run.id)


def _remove_folder(root: int, name: str) -> None:
    with suppress(OSError):
        os.rmdir(name, dir_fd=root)


class BundleRun:
    """An open run; implements ``ports.Run``. ``record`` is thread-safe, ``seal`` is not."""

    def __init__(
        self, root: int, held: Contents, key: SigningKey, folder: int, journal: Journal
    ) -> None:
        """Take over the open ``folder`` of a run in the open ledger folder ``root``."""
        self._root, self._held, self._key = root, held, key
        self._folder, self._journal = folder, journal

    @property
    def id(self) -> str:
        """The run's uuid."""
        return self._held.predicate.run.id

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append one line to the journal; it is on disk when this returns.

        Raises:
            EvidenceError: ``audit.write``; what it speaks of must not happen.
            ValueError: a line that no journal may hold, which is a bug.
        """
        try:
            self._journal.append(kind, fields)
        except EvidenceError as error:
            said = error.problem
            hint = f"{said.hint} {ways_on(self.id)}"
            raise EvidenceError(said.summary, code=said.code, hint=hint) from None

    def seal(self, closing: Closing) -> Head:
        """Sign the bundle and give it its final name; ``run.end`` is written where it is missing.

        Raises:
            EvidenceError: ``audit.seal``; the journal stays as it is and no statement does.
        """
        walk = self._journal.walk
        if walk.kind != END:
            ending = {"code": int(closing.exit), "word": closing.exit.word}
            self._journal.append(END, {"exit": ending, "summary": dict(walk.tally)})
        self._journal.refuse_closed()
        payload, data = self._signed(closing)
        self._put(data)
        self._journal.close()
        return head_of(read(SealStatement, payload, STATEMENT), payload, _name(self._held))

    def _signed(self, closing: Closing) -> tuple[bytes, bytes]:
        walk, held = self._journal.walk, self._held
        digests = {
            RECORDS: walk.sha256,
            PLAN: sha256_hex(held.plan),
            OPEN: sha256_hex(held.envelope),
        }
        try:
            walk.finish(held.agents, closing.summary)
            payload = seal_payload(sealing(held.predicate, closing, walk.totals()), digests)
            return payload, envelope.sign(payload, self._key)
        except Refused as refused:
            raise self._unsealed(refused.failure.summary) from None
        except UnapprovedError as error:
            raise self._unsealed(str(error)) from None

    def _put(self, data: bytes) -> None:
        try:
            with ExitStack() as undo:
                disk.write_new(self._folder, STATEMENT, data)
                undo.callback(disk.remove, self._folder, STATEMENT)
                rename_sealed(self._root, _name(self._held))
                undo.pop_all()
        except OSError as error:
            raise self._unsealed(disk.reason(error)) from None
        sync_sealed(self._root)

    def _unsealed(self, why: str) -> EvidenceError:
        return EvidenceError(
            f"The run cannot be sealed: {why}.",
            code="audit.seal",
            hint=f"Its journal is whole and stays. {ways_on(self.id)}",
        )

    def close(self) -> None:
        """Release the files of the run, sealed or not. May be called again."""
        self._journal.close()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


def begun(root: int, held: Contents, key: SigningKey, clock: Clock) -> BundleRun:
    """Return a new run in the open ledger folder ``root``, its folder made.

    Raises:
        EvidenceError: it could not be written; nothing of it stays.
    """
    folder, journal = make_folder(root, held)
    walk = Walk(sha256_hex(held.opening), RECORDS)
    return BundleRun(root, held, key, folder, Journal(journal, walk, clock))


def rename_sealed(root: int, name: str) -> None:
    """Give the folder of a run whose statement is on disk its final name; raises ``OSError``."""
    os.rename(name + OPEN_SUFFIX, name, src_dir_fd=root, dst_dir_fd=root)


def sync_sealed(root: int) -> None:
    """Force the final name of a bundle to disk.

    Raises:
        EvidenceError: ``audit.seal``: it is not known to be there.
    """
    try:
        os.fsync(root)
    except OSError as error:
        raise EvidenceError(
            f"The run is sealed, but it is not known to be on disk: {disk.reason(error)}.",
            code="audit.seal",
            hint="See that the disk works, then run `cxplan audit verify`.",
        ) from None
