"""What can become of one PATCH: whether it lands, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from cxplan.core.answers import Answer, Failure


class Lands(Enum):
    """When the tenant makes a write that it is sent, its tag permitting."""

    NOW = auto()
    LATER = auto()
    """At any moment after the answer, or never; no answer of the tenant itself came."""
    PART = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """``answer`` is None where the tenant answers for itself, and where nobody may write."""

    name: str
    lands: Lands
    answer: Answer | None = None
    keep_tag: bool = True
    """Whether a success names the new tag and shows the new state."""


THROUGH = Fault("through", Lands.NOW)
UNAUTHORIZED = Fault("401", Lands.NEVER)

_OPEN = {
    "lost": Answer(None, Failure.LOST, latency_ms=30),
    "undecodable": Answer(200, Failure.UNDECODABLE),
    "408": Answer(408),
    "502": Answer(502),
    "504": Answer(504, latency_ms=30_000),
    "202": Answer(202),
}
"""After these a write has landed, or may land yet, or never does."""

_OWN = {"500": Answer(500), "503": Answer(503, retry_after=2.0)}
"""The tenant's own faults: it has made the write by then, or never will."""

_REFUSED = {
    "not sent": Answer(None, Failure.NOT_SENT),
    "not sent, long pause": Answer(None, Failure.NOT_SENT, retry_after=61.0),
    "certificate": Answer(None, Failure.CERTIFICATE),
    "302": Answer(302),
    "400": Answer(400),
    "403": Answer(403),
    "404": Answer(404),
    "409": Answer(409),
    "412": Answer(412),
    "422": Answer(422),
    "428": Answer(428),
    "429": Answer(429),
    "429, 2 s": Answer(429, retry_after=2.0),
    "429, 1 h": Answer(429, retry_after=3600.0),
    "items": Answer(200, items=("skill-1: no",)),
}

_ALL = (
    THROUGH,
    Fault("no tag", Lands.NOW, keep_tag=False),
    Fault("204", Lands.NOW, Answer(204)),
    UNAUTHORIZED,
    *(
        Fault(f"{name} {lands.name.lower()}", lands, answer)
        for name, answer in _OPEN.items()
        for lands in (Lands.NOW, Lands.LATER, Lands.NEVER)
    ),
    *(
        Fault(f"{name} {lands.name.lower()}", lands, answer)
        for name, answer in _OWN.items()
        for lands in (Lands.NOW, Lands.NEVER)
    ),
    *(Fault(name, Lands.NEVER, answer) for name, answer in _REFUSED.items()),
    Fault("items in part", Lands.PART, _REFUSED["items"]),
)
FAULTS = {fault.name: fault for fault in _ALL}
