"""Check one bundle, believing nothing that lies in it but what a trusted key signed.

The order is: names, kinds and sizes of the files; the envelope's exact form; its signature; the
statement in the verified bytes, and no others; the files against their digests; ``open``; the plan;
then the records, line by line. The first thing that does not hold ends the check of a bundle and
is told with a place: file, and line of the journal. Modes of files are not looked at, since git
and zip lose them.

====================  ===========================================================================
code                  what does not hold
====================  ===========================================================================
path.symlink          a symbolic link stands where a file or folder of the ledger should be
path.type             so does a FIFO, a device, a folder for a file, or a file for a folder
path.unreadable       the system does not let it be read
path.escape           a signed file name would leave the bundle
audit.missing         a file of the bundle is not there
audit.unlisted        a file lies in the bundle, or is signed for, that none of this version holds
audit.too_large       a file or a line is larger than any that is written; it was not read
audit.json            not JSON in the strict sense: duplicate members, depth, numbers, encoding
audit.form            JSON, but not in the one form in which it is written
audit.signature       a trusted key is claimed and the signature is not its own
audit.signer          signed by a key that is not trusted
audit.keyid           signed by a trusted key under another key's id
audit.type            payload, statement or predicate of another type than belongs in this file
audit.statement       a member of a statement is missing, unknown, or not what it should be
audit.name            a folder's name is not the one of its signed sequence and run
audit.digest          a file's bytes are not those that were signed for
audit.open            ``open`` and seal say different things
audit.plan            ``plan.json`` is no plan, or another one than the statement names
audit.expired         the run began after its plan had expired
audit.record          a record lacks a member that each must have
audit.chain           a record was edited, dropped, added or moved
audit.order           ``run.start`` is not first, or ``run.end`` not last
audit.pairs           an intent without exactly one outcome after it
audit.agents          outcomes and plan are not about the same agents
audit.counts          the seal's counts differ from the records
audit.recovered       the records tell of a recovery, and the seal does not
audit.ledgerId        a bundle of another ledger (told by ``review``, as are all that follow)
audit.sequence        a bundle is missing, or two have one place
audit.previous        a bundle does not follow the one before it
audit.replay          a plan was carried out twice
audit.unsealed        a run was begun and not sealed
audit.head            the newest bundle is not the one of the head that was given
====================  ===========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice

from cxplan.audit import disk, envelope
from cxplan.audit.folders import Name
from cxplan.audit.keys import PublicKey
from cxplan.audit.limits import LINE_LIMIT, RECORDS_LIMIT
from cxplan.audit.planned import PLAN_LIMIT, agents_of, refuse_expired
from cxplan.audit.records import Record, Walk
from cxplan.audit.refusal import Refused, shown
from cxplan.audit.schema import OpenStatement, Records, SealStatement, Subject
from cxplan.audit.statement import (
    OPEN,
    PLAN,
    RECORDS,
    STATEMENT,
    SUBJECTS,
    head_of,
    read,
    subjects,
)
from cxplan.core.canonical import sha256_hex
from cxplan.core.evidence import BundleReport, Head, VerifyFailure

LIMITS: Mapping[str, int] = {
    STATEMENT: envelope.ENVELOPE_LIMIT,
    OPEN: envelope.ENVELOPE_LIMIT,
    PLAN: PLAN_LIMIT,
    RECORDS: RECORDS_LIMIT,
}
"""The files of a bundle, and how many bytes each has at most."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One bundle's report; seal and head where a trusted key signed it for this very folder."""

    name: Name
    report: BundleReport
    seal: SealStatement | None = None
    head: Head | None = None


class _Files:
    """The four files of a bundle, opened once: what is read later is what was opened."""

    def __init__(self, folder: str, fds: Mapping[str, int]) -> None:
        self._folder = folder
        self._fds = fds

    def place(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def whole(self, name: str) -> bytes:
        return disk.read_all(self._fds[name], self.place(name), limit=LIMITS[name])

    def lines(self) -> Iterator[bytes]:
        """Yield the journal's lines with their newlines, a line that is too long cut."""
        try:
            with os.fdopen(self._fds[RECORDS], "rb", closefd=False) as stream:
                while line := stream.readline(LINE_LIMIT + 2):
                    yield line
        except OSError as error:
            raise disk.unreadable(self.place(RECORDS), error) from None


@contextmanager
def _opened(root: int, folder: str) -> Iterator[_Files]:
    with ExitStack() as held:
        inside = held.enter_context(disk.subfolder(root, folder, folder))
        _refuse_unlisted(inside, folder)
        fds = {
            name: held.enter_context(
                disk.regular(name, f"{folder}/{name}", limit=limit, parent=inside)
            )
            for name, limit in LIMITS.items()
        }
        yield _Files(folder, fds)


def _refuse_unlisted(inside: int, folder: str) -> None:
    try:
        with os.scandir(inside) as entries:
            names = {entry.name for entry in islice(entries, len(LIMITS) + 1)}
    except OSError as error:
        raise disk.unreadable(folder, error) from None
    if unlisted := sorted(names - LIMITS.keys()):
        place = f"{folder}/{shown(unlisted[0])}"
        raise Refused("audit.unlisted", place, "this does not belong in a bundle")


def check_bundle(root: int, name: Name, keys: tuple[PublicKey, ...]) -> Checked:
    """Check the bundle called ``name`` in the open ledger folder ``root``.

    Never raises for what lies there: the first failure stands in the report.
    """
    check = _Check(name, keys)
    failures: tuple[VerifyFailure, ...] = ()
    try:
        with _opened(root, name.folder) as files:
            check.run(files)
    except Refused as refused:
        failures = (refused.failure,)
    return check.result(failures)


class _Check:
    """One bundle under way: what is known of it so far is kept for its report."""

    def __init__(self, name: Name, keys: tuple[PublicKey, ...]) -> None:
        self._name = name
        self._keys = keys
        self._signer: PublicKey | None = None
        self._seal: SealStatement | None = None
        self._head: Head | None = None
        self._records = 0

    def result(self, failures: tuple[VerifyFailure, ...]) -> Checked:
        said = self._seal.predicate if self._seal else None
        report = BundleReport(
            folder=self._name.folder,
            run_id=said.run.id if said else None,
            sequence=said.ledger.sequence if said else None,
            signer=self._signer.fingerprint if self._signer else None,
            records=self._records,
            failures=failures,
        )
        return Checked(self._name, report, self._seal if self._head else None, self._head)

    def run(self, files: _Files) -> None:
        seal = self._read_seal(files)
        digests = _signed_digests(seal.subject, files)
        envelope_of_open, plan = files.whole(OPEN), files.whole(PLAN)
        for name, data in ((OPEN, envelope_of_open), (PLAN, plan)):
            if sha256_hex(data) != digests[name]:
                raise Refused("audit.digest", files.place(name), _NOT_SIGNED_FOR)
        opening = self._check_open(seal, envelope_of_open, digests[PLAN], files.place(OPEN))
        agents = agents_of(plan, seal.predicate.plan, files.place(PLAN))
        refuse_expired(seal.predicate.run.opened_at, seal.predicate.plan, files.place(PLAN))
        walk, misplaced = self._walk(files, sha256_hex(opening), seal.predicate.records)
        if walk.sha256 != digests[RECORDS]:
            raise Refused("audit.digest", files.place(RECORDS), _NOT_SIGNED_FOR)
        if misplaced is not None:
            raise misplaced
        if walk.totals() != seal.predicate.records:
            there = files.place(RECORDS)
            raise Refused("audit.counts", there, "the seal's counts differ from the records")
        walk.finish(agents, seal.predicate.summary)
        if walk.recovered and not seal.predicate.run.recovered:
            raise Refused("audit.recovered", files.place(STATEMENT), "the run was cut off before")

    def _read_seal(self, files: _Files) -> SealStatement:
        place = files.place(STATEMENT)
        payload, self._signer = _verified(files.whole(STATEMENT), self._keys, place)
        seal = read(SealStatement, payload, place)
        self._seal = seal
        said = (seal.predicate.ledger.sequence, seal.predicate.run.id)
        if said != (self._name.sequence, self._name.run_id):
            raise Refused(
                "audit.name", place, "the folder was renamed, or this is another bundle's statement"
            )
        self._head = head_of(seal, payload, self._name.folder)
        return seal

    def _check_open(self, seal: SealStatement, data: bytes, plan: str, place: str) -> bytes:
        payload, _ = _verified(data, self._keys, place)
        opened = read(OpenStatement, payload, place)
        if not seal.predicate.repeats(opened.predicate) or opened.subject != subjects({PLAN: plan}):
            raise Refused("audit.open", place, "the seal does not repeat what was said here")
        return payload

    def _walk(self, files: _Files, start: str, said: Records) -> tuple[Walk, Refused | None]:
        """Follow the chain to its signed end; return with it the first line out of place."""
        place = files.place(RECORDS)
        walk = Walk(start, place)
        misplaced: Refused | None = None
        for line in files.lines():
            there = f"{place}:{walk.count + 1}"
            if walk.count == said.count:
                raise Refused("audit.digest", there, f"the seal counts {said.count} lines")
            record = walk.check(_without_newline(line, there))
            misplaced = misplaced or _misplaced(walk, record)
            walk.add(line[:-1], record)
            self._records = walk.count
        if (walk.count, walk.last) != (said.count, said.last.sha256):
            raise Refused(
                "audit.chain", walk.here, f"the seal ends in another line, number {said.count}"
            )
        return walk, misplaced


def _misplaced(walk: Walk, record: Record) -> Refused | None:
    try:
        walk.judge(record)
    except Refused as refused:
        return refused
    return None


_NOT_SIGNED_FOR = "the bytes are not those that were signed for"


def _verified(data: bytes, keys: tuple[PublicKey, ...], place: str) -> tuple[bytes, PublicKey]:
    """Return the payload of an envelope that one of ``keys`` signed, and that key."""
    signed = envelope.parse(data, place)
    return signed.payload, envelope.check(signed, keys, place)


def _without_newline(line: bytes, place: str) -> bytes:
    if line.endswith(b"\n"):
        return line[:-1]
    if len(line) > LINE_LIMIT:
        raise Refused("audit.too_large", place, f"a line of more than {LINE_LIMIT} bytes")
    raise Refused("audit.form", place, "the file ends inside a line")


def _signed_digests(signed: list[Subject], files: _Files) -> dict[str, str]:
    """Return the digests of the three files that a seal must sign for, and no others."""
    digests: dict[str, str] = {}
    for subject in signed:
        if subject.name in {"", ".", ".."} or {"/", "\\"} & set(subject.name):
            place = files.place(STATEMENT)
            raise Refused(
                "path.escape", place, f"a signed name leaves the bundle: {shown(subject.name)}"
            )
        if subject.name not in SUBJECTS or subject.name in digests:
            place = files.place(shown(subject.name))
            raise Refused("audit.unlisted", place, "signed for, but no bundle holds it so")
        digests[subject.name] = subject.digest.sha256
    for name in SUBJECTS:
        if name not in digests:
            raise Refused("audit.unlisted", files.place(name), "this file is not signed for")
    return digests
