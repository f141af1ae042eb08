"""The parsers: text to events. The only module that knows ruamel.yaml.

Events are taken one at a time and never from a composer: the C composer recurses and dies on fifty
thousand brackets. Without ``ruamel.yaml.clib`` the parser in Python steps in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from cxplan.desired.faults import TOP, Mark

try:
    from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # a C module without stubs
except ImportError:
    CParser = None

__all__ = [
    "ENDS",
    "STARTS",
    "MappingStartEvent",
    "NextEvent",
    "Parser",
    "ScalarEvent",
    "StreamEndEvent",
    "UnreadableError",
    "c_events",
    "count_events",
    "fastest",
    "mark",
    "placed",
    "pure_events",
    "reason",
]

NextEvent = Callable[[], Any]
"""Returns the next event, or raises one of ``UnreadableError``."""

Parser = Callable[[str], NextEvent]

STARTS = (MappingStartEvent, SequenceStartEvent)
ENDS = (MappingEndEvent, SequenceEndEvent)
UnreadableError = (YAMLError, ValueError)
"""What a parser raises; a ValueError where the one in Python meets an impossible escape."""


def c_events(text: str) -> NextEvent:
    """Return the events of ``text`` from the C parser."""
    next_event: NextEvent = CParser(text.encode("utf-8")).get_event
    return next_event


def pure_events(text: str) -> NextEvent:
    """Return the events of ``text`` from the parser in Python, about 40 times slower."""
    next_event: NextEvent = YAML(typ="safe", pure=True).parse(text).__next__
    return next_event


@cache
def fastest(c_parser: Any = CParser) -> Parser:
    """Return the C parser's events, or where it is not installed the slow ones, saying so once."""
    if c_parser is not None:
        return c_events
    logging.getLogger("cxplan.desired").warning(
        "The package ruamel.yaml.clib is missing: YAML is read about 40 times slower."
    )
    return pure_events


def count_events(text: str) -> int:
    """Return how many events the C parser makes of ``text``, or -1 where it refuses it."""
    try:
        count: int = CParser(text.encode("utf-8")).raw_parse()
    except YAMLError:
        return -1
    return count


def mark(event: Any) -> Mark:
    """Return where an event begins, counted from 1."""
    return placed(event.start_mark)


def reason(error: Exception) -> tuple[str, Mark]:
    """Return what a parser says of its failure, never to be shown, and the place of it.

    What is still open at the end of the text is placed where it was opened.
    """
    if not isinstance(error, MarkedYAMLError):
        return "", TOP
    problem = str(error.problem)
    marks = (error.problem_mark, error.context_mark)
    first, second = reversed(marks) if "end of stream" in problem else marks
    return problem, placed(first or second)


def placed(position: Any) -> Mark:
    """Return a parser's own mark as ours."""
    return Mark(position.line + 1, position.column + 1) if position else TOP
