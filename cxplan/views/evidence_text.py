"""What the ledger holds and what checking it said, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cxplan.core.evidence import BundleReport, Completeness, Head, VerifyFailure, VerifyReport
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import columns

_COMPLETE = {
    Completeness.NOT_CHECKED: (
        "not checked: whether the newest bundles were cut off can only be told against a head "
        "kept elsewhere (--expect-head)"
    ),
    Completeness.MATCHES: "yes: the head is the one that was kept elsewhere",
    Completeness.DIFFERS: "no: the head is not the one that was kept elsewhere",
}


def verify_text(report: VerifyReport, paint: Paint) -> str:
    """Return what verifying said as text: verified, trusted, complete, each apart."""
    return "\n".join(_verify_lines(report, paint)) + "\n"


def _verify_lines(report: VerifyReport, paint: Paint) -> Iterator[str]:
    for bundle in report.bundles:
        yield _bundle(bundle, paint)
        yield from (_failure(failure, paint) for failure in bundle.failures)
    yield from (_failure(failure, paint) for failure in report.failures)
    bad = len(report.all_failures)
    verdict = (
        f"no: {count(bad, 'failure')}" if bad else f"yes: {count(len(report.bundles), 'bundle')}"
    )
    yield paint.bad(f"Verified: {verdict}") if bad else paint.good(f"Verified: {verdict}")
    yield f"Trusted: {report.trust}"
    yield f"Complete: {_COMPLETE[report.completeness]}"
    if report.head and not bad:
        yield f"Head: {report.head}"


def _bundle(bundle: BundleReport, paint: Paint) -> str:
    if bundle.failures:
        return paint.bad(f"  ✗ {show(bundle.folder)}")
    signer = f", signed by {bundle.signer}" if bundle.signer else ""
    return paint.good(f"  ✓ {show(bundle.folder)}") + f"  {count(bundle.records, 'record')}{signer}"


def _failure(failure: VerifyFailure, paint: Paint) -> str:
    return paint.bad(f"    {failure.code} at {show(failure.place)}: {show(failure.summary, 500)}")


def verify_document(report: VerifyReport) -> dict[str, Any]:
    """Return the members of ``audit verify --json`` besides kind, version, exit and errors."""
    return {
        "ledgerId": report.ledger_id,
        "verified": not report.all_failures,
        "trusted": report.trust,
        "complete": report.completeness.value,
        "head": str(report.head) if report.head else None,
        "bundles": [_bundle_document(bundle) for bundle in report.bundles],
        "failures": [_failure_document(failure) for failure in report.all_failures],
    }


def _bundle_document(bundle: BundleReport) -> dict[str, Any]:
    return {
        "folder": bundle.folder,
        "runId": bundle.run_id,
        "sequence": bundle.sequence,
        "signer": bundle.signer,
        "records": bundle.records,
        "failures": [_failure_document(failure) for failure in bundle.failures],
    }


def _failure_document(failure: VerifyFailure) -> dict[str, Any]:
    return {"code": failure.code, "place": failure.place, "summary": failure.summary}


def list_text(heads: Iterable[Head]) -> str:
    """Return the sealed runs as a table, oldest first; nothing in it was verified."""
    rows = [("SEQ", "RUN", "SEALED", "PLAN", "EXIT", "OUTCOMES")]
    rows += [
        (
            str(head.sequence),
            head.run_id[:8],
            head.sealed_at,
            head.plan_id[:8],
            str(head.exit_code),
            ", ".join(f"{n} {outcome}" for outcome, n in sorted(head.summary.items())),
        )
        for head in heads
    ]
    if len(rows) == 1:
        return "No sealed runs.\n"
    return "\n".join(columns(rows)) + "\n"


def list_document(heads: Iterable[Head]) -> dict[str, Any]:
    """Return the members of ``audit list --json`` besides kind, version, exit and errors."""
    return {
        "runs": [
            {
                "sequence": head.sequence,
                "runId": head.run_id,
                "folder": head.folder,
                "openedAt": head.opened_at,
                "sealedAt": head.sealed_at,
                "planId": head.plan_id,
                "exit": head.exit_code,
                "summary": dict(head.summary),
                "head": str(head),
            }
            for head in heads
        ]
    }
