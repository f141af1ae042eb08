"""The short way for files of plain lines, five times faster than events.

A plain line is ``KEY:``, ``KEY: WORD``, ``KEY: "text"`` or ``KEY: {…}`` with an indent of spaces,
perhaps with a comment. Nearly every file that people write consists of such lines, and the same
line stands in it many times: each distinct line is understood once and remembered.

At the slightest doubt (any other line, an odd indent, a key that stands twice, an empty value) this
way gives up and the events decide, so no fault is ever reported from here. And the C parser must
have counted exactly the events that the result stands for; it remains the judge of what is YAML.
"""

from __future__ import annotations

import re
from typing import Any, Final

from cxplan.desired.document import MAX_KEY, Plain
from cxplan.desired.reader import count_events

_WORD = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_WORDS = rf"{_WORD}(?: {_WORD}){{0,15}}"
_QUOTED = r""""[^"\\\n]*"|'[^'\n]*'"""
_FLOW = r"\{[^\\\n#&*!<]*\}"
PLAIN_LINE = re.compile(
    rf"( *)({_WORD}|{_QUOTED}):(?: +({_WORDS}|{_QUOTED}|{_FLOW}))?(?: +#.*| *)",
    re.ASCII,
)
_FLOW_ENTRY = re.compile(
    rf" *(?:(?:(,) *)?({_WORD}|{_QUOTED}): +(?:({_WORDS}|{_QUOTED})|(\{{))|\}})",
    re.ASCII,
)
_BLANK_LINE = re.compile(r" *(?:#.*)?")
_MAX_DEPTH = 6
_EVENTS_AROUND = 6
"""Stream, document and the map at the top begin and end."""


class _Doubt(Exception):
    """The text is not made of plain lines only."""


class _Opens:
    """The value of a line whose value stands on the lines below it."""


_OPENS: Final = _Opens()

_Line = tuple[str, str, Any, int]
"""Indent, key, value, and the number of events that they stand for; no key in a blank line."""


class _Lines(dict[str, _Line]):
    """What each distinct line means; unlike the events it may give one flow map to many lines."""

    def __init__(self) -> None:
        super().__init__({"": ("", "", None, 0)})
        self._plain = Plain()
        self._flows: dict[str, tuple[dict[str, Any], int]] = {}

    def __missing__(self, line: str) -> _Line:
        if _BLANK_LINE.fullmatch(line):
            return self[""]
        indent, key, rest = _matched(PLAIN_LINE.fullmatch(line)).groups()
        value, events = self._value(rest)
        found = self[line] = (indent, self._key(key), value, 1 + events)
        return found

    def _key(self, written: str) -> str:
        key = unquoted(written) if written[0] in "\"'" else self._plain[written]
        if key.__class__ is not str or not 0 < len(key) <= MAX_KEY:
            raise _Doubt
        return str(key)

    def _value(self, written: str | None) -> tuple[Any, int]:
        if written is None:
            return _OPENS, 2
        if written[0] != "{":
            return self._scalar(written), 1
        if written not in self._flows:
            self._flows[written] = self._flow(written)
        return self._flows[written]

    def _scalar(self, written: str) -> Any:
        value = unquoted(written) if written[0] in "\"'" else self._plain[written]
        if value is None:
            raise _Doubt
        return value

    def _flow(self, written: str) -> tuple[dict[str, Any], int]:
        """Read ``{…}`` entry by entry; a comma stands before each but the first of a map."""
        whole: dict[str, Any] = {}
        here: dict[str, Any] | None = whole
        above: list[dict[str, Any] | None] = [None]
        at, events = 1, 2
        while here is not None:
            entry = _matched(_FLOW_ENTRY.match(written, at))
            at = entry.end()
            comma, key, value, opens = entry.groups()
            if key is None:
                here = above.pop()
                continue
            name = self._key(key)
            if name in here or bool(comma) != bool(here) or len(above) > _MAX_DEPTH:
                raise _Doubt
            events += 3 if opens else 2
            if opens:
                above.append(here)
                here[name] = here = {}
            else:
                here[name] = self._scalar(value)
        if at != len(written):
            raise _Doubt
        return whole, events


def _matched(match: re.Match[str] | None) -> re.Match[str]:
    if match is None:
        raise _Doubt
    return match


def unquoted(written: str) -> str:
    """Return a quoted text that holds no escapes."""
    return written[1:-1]


def read_lines(text: str) -> dict[str, Any] | None:
    """Return the mapping of ``text``, or None where the events must decide."""
    try:
        data, events = _read(text)
    except _Doubt:
        return None
    # A text that is no YAML, or one that means more or less than its lines, has another count.
    return data if count_events(text) == events else None


def _read(text: str) -> tuple[dict[str, Any], int]:
    lines, events = _Lines(), _EVENTS_AROUND
    data: dict[str, Any] = {}
    indent, here, key = "", data, ""
    above: list[tuple[str, dict[str, Any]]] = []
    opened = False
    for line in text.removeprefix("---\n").split("\n"):
        margin, name, value, count = lines[line]
        if not count:
            continue
        if opened:
            above.append((indent, here))
            here[key] = here = _deeper(margin, indent, above)
            indent = margin
        while margin != indent:
            indent, here = _up(above)
        if name in here:
            raise _Doubt
        events += count
        here[name], key, opened = value, name, value is _OPENS
    if opened or not data:
        raise _Doubt
    return data, events


def _deeper(margin: str, indent: str, above: list[Any]) -> dict[str, Any]:
    if len(margin) <= len(indent) or len(above) > _MAX_DEPTH:
        raise _Doubt
    return {}


def _up(above: list[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    if not above:
        raise _Doubt
    return above.pop()
