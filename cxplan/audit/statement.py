"""The two statements of a bundle: what a run says before its first write, and its seal.

Both are in-toto Statements v1 in the signed form: ASCII, compact, sorted, integers only. They are
written from the same shapes that read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from cxplan.audit.refusal import Refused, shown
from cxplan.audit.schema import (
    STATEMENT_TYPE,
    ActorClaim,
    Digest,
    ExitWord,
    OpenPredicate,
    OpenRun,
    OpenStatement,
    Place,
    PlanClaim,
    Records,
    SealedRun,
    SealPredicate,
    SealStatement,
    ShapeError,
    Subject,
    Target,
    Tool,
    shaped,
)
from cxplan.core.canonical import StrictJsonError, parse_json, sha256_hex, signed_form
from cxplan.core.evidence import Closing, Head, Opening
from cxplan.core.instant import utc_millis

STATEMENT = "statement.dsse.json"
OPEN = "open.dsse.json"
PLAN = "plan.json"
RECORDS = "records.jsonl"
SUBJECTS = (RECORDS, PLAN, OPEN)
"""The files that a seal names, each once."""

Statement = TypeVar("Statement", OpenStatement, SealStatement)


def opening(said: Opening, place: Place) -> OpenPredicate:
    """Return what a run says before its first write.

    Raises:
        ValueError: an instant, an id or a text that no statement may hold.
    """
    return OpenPredicate(
        ledger=place,
        run=OpenRun(id=said.run_id, opened_at=utc_millis(said.opened_at)),
        actor=ActorClaim(kind=said.actor.kind, id=said.actor.id, ci=dict(said.actor.ci)),
        tool=Tool(name="cxplan", version=said.tool_version),
        target=Target(tenant=said.tenant, base_url=said.base_url, api_version=said.api_version),
        plan=PlanClaim(
            id=said.plan_id,
            created_at=said.plan_created_at,
            expires_at=said.plan_expires_at,
            semantic_digest=said.plan_semantic_digest,
        ),
    )


def sealing(opened: OpenPredicate, closing: Closing, records: Records) -> SealPredicate:
    """Return the seal's predicate: what ``opened`` said, and how the run ended."""
    return SealPredicate(
        ledger=opened.ledger,
        run=SealedRun(
            id=opened.run.id,
            opened_at=opened.run.opened_at,
            sealed_at=utc_millis(closing.sealed_at),
            exit=ExitWord(code=int(closing.exit), word=closing.exit.word),
            recovered=closing.recovered,
        ),
        actor=opened.actor,
        tool=opened.tool,
        target=opened.target,
        plan=opened.plan,
        records=records,
        summary={str(outcome): count for outcome, count in closing.summary.items()},
    )


def open_payload(predicate: OpenPredicate, plan: bytes) -> bytes:
    """Return the bytes to sign before the first write; their one subject is the plan."""
    return _payload(OpenStatement(subject=subjects({PLAN: sha256_hex(plan)}), predicate=predicate))


def seal_payload(predicate: SealPredicate, digests: Mapping[str, str]) -> bytes:
    """Return the bytes to sign at the end; ``digests`` are the hex SHA-256 of the three files."""
    return _payload(SealStatement(subject=subjects(digests), predicate=predicate))


def subjects(digests: Mapping[str, str]) -> list[Subject]:
    """Return subjects in the order of their names in ``SUBJECTS``."""
    return [
        Subject(name=name, digest=Digest(sha256=digests[name]))
        for name in SUBJECTS
        if name in digests
    ]


def _payload(statement: OpenStatement | SealStatement) -> bytes:
    payload = signed_form(statement.model_dump(by_alias=True))
    parse_json(payload)
    return payload


def read(kind: type[Statement], payload: bytes, place: str) -> Statement:
    """Return the statement in verified bytes.

    Raises:
        Refused: ``audit.json``, ``audit.form`` where the bytes are not in the signed form,
            ``audit.type`` for a statement of another type, ``audit.statement`` for a member that
            is missing, unknown or not what it should be.
    """
    try:
        value = parse_json(payload)
        in_form = signed_form(value) == payload
    except StrictJsonError as error:
        raise Refused("audit.json", place, f"the payload: {error}") from None
    except ValueError:
        in_form, value = False, None
    if not in_form:
        raise Refused("audit.form", place, "the payload is not in the signed form")
    _refuse_type(kind, value, place)
    try:
        return shaped(kind, value)
    except ShapeError as error:
        raise Refused("audit.statement", place, shown(str(error))) from None


def _refuse_type(kind: type[Statement], value: object, place: str) -> None:
    wanted = (STATEMENT_TYPE, kind.model_fields["predicate_type"].default)
    found = (value.get("_type"), value.get("predicateType")) if isinstance(value, dict) else None
    if found != wanted:
        raise Refused("audit.type", place, "this is a statement of another type")


def head_of(seal: SealStatement, payload: bytes, folder: str) -> Head:
    """Return the place of a sealed run in its ledger."""
    said = seal.predicate
    return Head(
        ledger_id=said.ledger.id,
        sequence=said.ledger.sequence,
        sha256=sha256_hex(payload),
        run_id=said.run.id,
        folder=folder,
        opened_at=said.run.opened_at,
        sealed_at=said.run.sealed_at,
        plan_id=said.plan.id,
        exit_code=said.run.exit.code,
        summary=said.summary,
    )
