"""All runs of one tenant and writer, in one folder; implements ``ports.Ledger``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cxplan.audit import disk, envelope, lock
from cxplan.audit.bundle import BundleRun, begun, contents
from cxplan.audit.folders import Listing, choose, folder_error, names_in, run_of, ways_on
from cxplan.audit.history import LedgerMemory
from cxplan.audit.keys import SigningKey
from cxplan.audit.reading import read_story
from cxplan.audit.refusal import refuse_foreign, shown
from cxplan.audit.reopen import CutBundle, reopened
from cxplan.audit.review import Trust, review
from cxplan.audit.schema import Digest, Place
from cxplan.audit.sealed import read_sealed, sealed_runs
from cxplan.audit.statement import opening as said_at_opening
from cxplan.core.errors import EvidenceError, InvalidError, UnapprovedError
from cxplan.core.evidence import Head, Opening, RunStory, VerifyReport
from cxplan.core.instant import utc_text
from cxplan.core.outbox import Undelivered
from cxplan.ports import Clock, Ids

PROBE_TYPE = "application/vnd.cxplan.probe"
"""The payload type of a probe, so that a probe can never stand for a statement."""


_NOBODY = Trust()


class FileLedger:
    """A ledger in a folder on this machine.

    ``owner`` is who holds the lock, in words for whoever comes second. ``signer`` loads the
    private key, and is called only to sign; checking and listing need ``trust`` alone.
    """

    def __init__(
        self,
        root: Path,
        *,
        owner: str,
        clock: Clock,
        ids: Ids,
        signer: Callable[[], SigningKey] | None = None,
        trust: Trust = _NOBODY,
    ) -> None:
        """Keep the parts; nothing is read or made yet."""
        self._root = root
        self._owner = owner
        self._clock = clock
        self._ids = ids
        self._signer = signer
        self._trust = trust
        self._key: SigningKey | None = None
        self._held: int | None = None
        self._run: BundleRun | None = None

    @contextmanager
    def lock(self, *, plan_id: str, unsealed: bool = False) -> Iterator[None]:
        """Hold the ledger until the block ends; its folder is made where it does not exist.

        ``unsealed`` is for who is about to settle an unsealed run: one is then no refusal.

        Raises:
            LockedError: another run holds it; the message says who, since when, on which plan.
            EvidenceError: ``audit.folder`` where the folder cannot be made or written,
                ``audit.unsealed`` where a run in it is unsealed.
        """
        root = self._opened()
        try:
            since = utc_text(self._clock.now())
            with lock.held(root, owner=self._owner, plan_id=plan_id, since=since):
                if not unsealed:
                    _refuse_unsealed(names_in(root))
                self._held = root
                try:
                    yield
                finally:
                    self._leave()
        finally:
            os.close(root)

    def _opened(self) -> int:
        try:
            self._root.mkdir(disk.FOLDER_MODE, exist_ok=True)
            return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise folder_error(disk.reason(error)) from None

    def _leave(self) -> None:
        if self._run is not None:
            self._run.close()
        self._run = self._held = None

    def applied(self, plan_id: str) -> str | None:
        """Return the id of the sealed run that wrote from this plan, or None.

        Raises:
            EvidenceError: a bundle cannot be read, so that nobody can say.
        """
        for sealed in sealed_runs(self._root):
            said = sealed.statement.predicate
            if said.plan.id == plan_id and said.records.intents:
                return said.run.id
        return None

    def prepare(self) -> None:
        """Load the signing key, sign a probe and verify it.

        Raises:
            UnapprovedError: no key, or one that cannot sign.
            InvalidError: the key's file is refused.
        """
        envelope.sign(b"probe", self._signing_key(), PROBE_TYPE)

    def _signing_key(self) -> SigningKey:
        if self._key is None:
            if self._signer is None:
                raise UnapprovedError(
                    "There is no key to sign the evidence with.",
                    code="key.missing",
                    hint="Make one with `cxplan keys generate` and name it with --signing-key.",
                )
            self._key = self._signer()
        return self._key

    def begin(self, opening: Opening, plan: bytes) -> BundleRun:
        """Make the run's folder with the plan and the signed opening in it, all on disk.

        Must be called while ``lock`` is held, once; anything else is a bug.

        Raises:
            EvidenceError: it could not be written, or the newest bundle cannot be read.
            UnapprovedError: the ledger is another tenant's, the plan has expired by now, or the
                key cannot sign.
        """
        if self._held is None or self._run is not None:
            raise RuntimeError("a run begins under the ledger's lock, and once")
        key = self._signing_key()
        predicate = said_at_opening(opening, self._next_place(self._held, opening.tenant))
        self._run = begun(self._held, contents(predicate, plan, key), key, self._clock)
        return self._run

    def cut_off(self) -> tuple[str, ...]:
        """Return the ids of the unsealed runs; none where there is no ledger.

        Raises:
            EvidenceError: the folder cannot be read.
        """
        try:
            with disk.folder(self._root) as root:
                return tuple(run_of(name) for name in names_in(root).open)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise folder_error(disk.reason(error)) from None

    def reopen(self, run: str) -> CutBundle | None:
        """Return an unsealed run, everything in it checked; nothing is added to it yet.

        Must be called while ``lock`` is held with ``unsealed``, once; anything else is a bug.

        Returns:
            None where the run was cut off before it could have written: its folder is removed.

        Raises:
            InvalidError: ``run`` fits none or several runs, or one that is sealed.
            EvidenceError: what lies in the folder is not what a run leaves.
            UnapprovedError: there is no key.
        """
        if self._held is None or self._run is not None:
            raise RuntimeError("a run is opened again under the ledger's lock, and once")
        folder = _unsealed(names_in(self._held), run)
        found = reopened(self._held, folder, self._signing_key(), self._clock)
        self._run = found
        return found

    def _next_place(self, root: int, tenant: str) -> Place:
        for name in names_in(root).sealed[-1:]:
            sealed = read_sealed(root, name)
            refuse_foreign(sealed.statement.predicate.target.tenant, tenant, name.folder)
            newest = sealed.head
            previous = Digest(sha256=newest.sha256)
            return Place(id=newest.ledger_id, sequence=newest.sequence + 1, previous=previous)
        return Place(id=self._ids.new(), sequence=1, previous=None)

    def runs(self) -> Iterator[Head]:
        """Yield the heads of the sealed runs in order, without verifying them.

        Raises:
            EvidenceError: a bundle's statement cannot be read.
        """
        return (sealed.head for sealed in sealed_runs(self._root))

    def undelivered(self) -> tuple[Undelivered, ...]:
        """Return the events that no sealed run could deliver yet, the oldest first.

        Raises:
            EvidenceError: a journal cannot be read.
        """
        return LedgerMemory(self._root).undelivered()

    def story(self, run: str) -> RunStory:
        """Return what a sealed run says of itself, unverified.

        Raises:
            InvalidError: ``run`` fits none or several runs.
            EvidenceError: the bundle cannot be read.
        """
        return read_story(self._root, run)

    def verify(self, runs: Sequence[str] = (), *, expect_head: str | None = None) -> VerifyReport:
        """Check the named runs, or the whole ledger, and return every failure found.

        Raises:
            UnapprovedError: there is no key to check a signature with.
            InvalidError: a run or a head that cannot be meant.
            EvidenceError: there is no such ledger.
        """
        return review(self._root, self._trust, runs, expect_head)


def _refuse_unsealed(names: Listing) -> None:
    for name in names.open:
        raise EvidenceError(
            f"The run {shown(run_of(name))} was begun and never sealed.",
            code="audit.unsealed",
            address=shown(name),
            hint=ways_on(run_of(name)),
        )


def _cut_off(names: Listing) -> str:
    runs = ", ".join(shown(run_of(name)) for name in names.open)
    return f"Cut off: {runs}." if runs else "No run of this ledger is cut off."


def _unsealed(names: Listing, run: str) -> str:
    try:
        chosen = choose(names, (run,))
    except InvalidError as error:
        raise InvalidError(
            error.problem.summary, code=error.problem.code, hint=_cut_off(names)
        ) from None
    for name in chosen.open:
        return name
    raise InvalidError(
        f"The run {shown(chosen.sealed[0].run_id)} is sealed; there is nothing left to settle.",
        code="usage.run",
        hint="See what it did with cxplan audit show.",
    )
