"""Check a ledger: each bundle for itself, then how they hang together.

Nothing inside a ledger shows that its newest bundles were cut off, or that everything was written
again by the holder of a key; only a head that was kept elsewhere does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cxplan.audit import disk
from cxplan.audit.folders import Listing, choose, names_in, run_of, ways_on
from cxplan.audit.keys import PublicKey
from cxplan.audit.refusal import shown
from cxplan.audit.verify import Checked, check_bundle
from cxplan.core.errors import EvidenceError, InvalidError, UnapprovedError
from cxplan.core.evidence import Completeness, Head, VerifyFailure, VerifyReport

WHOLE = "ledger"
"""The place of a failure that no single folder shows."""

_HEAD = re.compile(
    r"(?:(?P<ledger>[0-9a-f-]{36}) )?(?P<seq>\d{1,9})[: ](?:sha256:)?(?P<sha>[0-9a-f]{64})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count; ``own_only`` where it is only this machine's own key."""

    keys: tuple[PublicKey, ...] = ()
    own_only: bool = False

    @property
    def words(self) -> str:
        """Whose keys are trusted, for people."""
        if self.own_only:
            return "this machine's own key only"
        return "the given keys: " + ", ".join(sorted({key.fingerprint for key in self.keys}))


@dataclass(frozen=True, slots=True)
class ExpectedHead:
    """A head that was kept elsewhere; ``ledger_id`` is None where only the rest was kept."""

    sequence: int
    sha256: str
    ledger_id: str | None = None

    def fits(self, head: Head) -> bool:
        """Tell whether ``head`` is this one."""
        same = (head.sequence, head.sha256) == (self.sequence, self.sha256)
        return same and self.ledger_id in {None, head.ledger_id}


def expected_head(text: str) -> ExpectedHead:
    """Return what ``SEQ:SHA256`` or a whole line ``LEDGER SEQ sha256:…`` says.

    Raises:
        InvalidError: ``usage.head``.
    """
    parts = _HEAD.fullmatch(text.strip())
    if parts is None:
        raise InvalidError(
            "This is not the head of a ledger.",
            code="usage.head",
            hint="Give SEQ:SHA256, such as 42:9f86d081…, or the line that apply printed.",
        )
    return ExpectedHead(int(parts["seq"]), parts["sha"], parts["ledger"])


def review(
    root: Path, trust: Trust, runs: Sequence[str] = (), expect_head: str | None = None
) -> VerifyReport:
    """Check the named runs, or the whole ledger, and say everything that does not hold.

    Raises:
        UnapprovedError: ``key.missing``: there is no key to check a signature with.
        InvalidError: ``usage.head``, or ``usage.run`` where a name is unknown or not unique.
        EvidenceError: ``audit.missing``: there is no such ledger.
    """
    if not trust.keys:
        raise UnapprovedError(
            "There is no key to check signatures with.",
            code="key.missing",
            hint="Give the public key of whoever seals with --key.",
        )
    expected = None if expect_head is None else expected_head(expect_head)
    try:
        with disk.folder(root) as fd:
            return _reviewed(fd, trust, runs, expected)
    except OSError as error:
        raise EvidenceError(
            f"There is no ledger to read at {root}: {disk.reason(error)}.",
            code="audit.missing",
            hint="Name the ledger's folder with --audit.",
        ) from None


def _reviewed(
    root: int, trust: Trust, runs: Sequence[str], expected: ExpectedHead | None
) -> VerifyReport:
    names = names_in(root)
    chosen = choose(names, runs) if runs else names
    checked = [check_bundle(root, name, trust.keys) for name in chosen.sealed]
    failures = [*_stray(chosen), *(() if runs else _chain(checked))]
    head = _newest(root, names, checked, trust)
    completeness = Completeness.NOT_CHECKED
    if expected is not None:
        failed = _compare(head, expected, checked)
        completeness = Completeness.DIFFERS if failed else Completeness.MATCHES
        failures += failed
    return VerifyReport(
        ledger_id=head.ledger_id if head else None,
        bundles=tuple(one.report for one in checked),
        failures=tuple(failures),
        trust=trust.words,
        completeness=completeness,
        head=head,
    )


def _newest(root: int, names: Listing, checked: list[Checked], trust: Trust) -> Head | None:
    for name in names.sealed[-1:]:
        known = [one for one in checked if one.report.folder == name.folder]
        return (known or [check_bundle(root, name, trust.keys)])[0].head
    return None


def _stray(names: Listing) -> Iterator[VerifyFailure]:
    for name in names.open:
        run = run_of(name)
        summary = f"the run {shown(run)} was begun and not sealed. {ways_on(run)}"
        yield VerifyFailure("audit.unsealed", shown(name), summary)
    for name in names.strange:
        yield VerifyFailure("audit.name", shown(name), "this is not the name of a bundle")


def _chain(checked: list[Checked]) -> Iterator[VerifyFailure]:
    """Yield what is wrong between the bundles of a whole ledger, which are in order."""
    yield from _other_ledgers(checked)
    yield from _begin(checked[:1])
    for before, after in pairwise(checked):
        yield from _step(before, after)
    yield from _replays(checked)


def _other_ledgers(checked: list[Checked]) -> Iterator[VerifyFailure]:
    known = [one for one in checked if one.head]
    for one in known:
        if one.head and known[0].head and one.head.ledger_id != known[0].head.ledger_id:
            yield _failure("audit.ledgerId", one, "this bundle belongs to another ledger")


def _begin(first: list[Checked]) -> Iterator[VerifyFailure]:
    for one in first:
        if one.name.sequence != 1:
            yield _failure("audit.sequence", one, "the bundles before this one are missing")
        elif one.seal and one.seal.predicate.ledger.previous:
            yield _failure("audit.previous", one, "the first bundle names one before it")


def _step(before: Checked, after: Checked) -> Iterator[VerifyFailure]:
    if after.name.sequence == before.name.sequence:
        yield _failure("audit.sequence", after, f"{before.name.folder} has the same place")
    elif after.name.sequence != before.name.sequence + 1:
        yield _failure("audit.sequence", after, f"bundles after {before.name.folder} are missing")
    elif after.seal and before.head:
        previous = after.seal.predicate.ledger.previous
        if previous is None or previous.sha256 != before.head.sha256:
            yield _failure("audit.previous", after, f"does not follow {before.name.folder}")


def _replays(checked: list[Checked]) -> Iterator[VerifyFailure]:
    written: dict[str, str] = {}
    for one in checked:
        if one.seal and one.seal.predicate.records.intents:
            first = written.setdefault(one.seal.predicate.plan.id, one.name.folder)
            if first != one.name.folder:
                yield _failure("audit.replay", one, f"its plan was carried out in {first}")


def _failure(code: str, one: Checked, summary: str) -> VerifyFailure:
    return VerifyFailure(code, one.name.folder, summary)


def _compare(
    head: Head | None, expected: ExpectedHead, checked: list[Checked]
) -> list[VerifyFailure]:
    """Return why the newest bundle is not the expected one, or nothing."""
    if head is not None and expected.fits(head):
        return []
    summary = f"the ledger does not end in the given head, {expected.sequence}"
    if any(one.head and expected.fits(one.head) for one in checked):
        summary = f"bundles follow the given head, {expected.sequence}; compare with a newer one"
    return [VerifyFailure("audit.head", WHOLE, summary)]
