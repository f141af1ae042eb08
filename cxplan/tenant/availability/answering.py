"""From what came back to ``core.answers.Answer``: everything stated, nothing decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cxplan.core.answers import Answer, Failure
from cxplan.core.ids import ETag
from cxplan.core.live import ObservedAgent
from cxplan.core.secret import Secret
from cxplan.tenant.availability import wire
from cxplan.tenant.detail import detail, redacted, withheld, without
from cxplan.tenant.headers import kept, printable, single, strong_etag
from cxplan.tenant.messages import Broken, Outcome, Refused, Reply
from cxplan.tenant.reads import decoded
from cxplan.tenant.retry import redirected, retry_after

_LONGEST_TEXT = 256
_NO_BODY = frozenset({202, 204})
"""Answers whose body says nothing that counts."""


def to_answer(
    outcome: Outcome, seen: ObservedAgent | None, now: datetime, secrets: Iterable[Secret]
) -> Answer:
    """Return the answer to a write of ``seen``, or, where it is None, to an event.

    ``now`` is when the answer came; ``secrets`` are kept out of every text.
    """
    match outcome:
        case Broken(failure, trouble, latency, held):
            said = f"{trouble.code}: {trouble.reason}"
            return Answer(
                None, failure, retry_after=held, detail=said, latency_ms=_milliseconds(latency)
            )
        case Reply():
            return _stated(outcome, seen, now, tuple(secrets))


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _stated(
    reply: Reply, seen: ObservedAgent | None, now: datetime, secrets: tuple[Secret, ...]
) -> Answer:
    etag = _etag(reply)
    failure, state, said = None, None, ""
    items: tuple[str, ...] = ()
    if not reply.ok:
        said = _said(reply, secrets)
    elif seen is not None and reply.status not in _NO_BODY:
        try:
            body = _body(reply)
            items = _refused(body, secrets)
            state = None if items else wire.updated(body, seen, etag)
        except Refused as refused:
            failure = Failure.UNDECODABLE
            said = f"{refused.trouble.code}: {refused.trouble.reason}"
    return Answer(
        status=reply.status,
        failure=failure,
        etag=etag,
        state=state,
        items=items,
        retry_after=retry_after(single(reply.headers, "retry-after"), now),
        headers=tuple(
            (name, without(text, secrets)[:_LONGEST_TEXT]) for name, text in kept(reply.headers)
        ),
        detail=said,
        latency_ms=_milliseconds(reply.latency),
    )


def _etag(reply: Reply) -> ETag | None:
    """A tag that is torn apart is no tag: the agent is then read back."""
    try:
        return strong_etag(reply.headers)
    except Refused:
        return None


def _body(reply: Reply) -> Any:
    if reply.trouble is not None:
        raise Refused(reply.trouble)
    return decoded(reply)


def _refused(body: Any, secrets: tuple[Secret, ...]) -> tuple[str, ...]:
    raw = wire.refused_items(body)
    return tuple(printable(redacted(withheld(text), secrets))[:_LONGEST_TEXT] for text in raw)


def _said(reply: Reply, secrets: tuple[Secret, ...]) -> str:
    if 300 <= reply.status < 400:  # noqa: PLR2004 - the class of redirects
        return redirected(reply).reason
    return detail(reply.body, secrets)
