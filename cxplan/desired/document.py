"""Events to plain data: dicts with string keys, lists, strings, whole numbers, true, false, null.

Strict by construction: there is no code here that could follow an alias, merge a key or make an
object from a tag. Nesting is counted on events and nothing recurses, so depth costs nothing before
it is refused.

Scalars get a type only where they are written plainly, and only as ``true``, ``false``, ``null``,
or a whole number of at most 16 digits; everything else stays the text that it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from cxplan.desired.faults import Fault, Keys, Mark, Sheet, Spot
from cxplan.desired.reader import (
    ENDS,
    STARTS,
    MappingStartEvent,
    NextEvent,
    Parser,
    ScalarEvent,
    StreamEndEvent,
    UnreadableError,
    mark,
    reason,
)

MAX_DEPTH = 16
MAX_KEY = 200
MAX_ITEMS = 10_000
_PARSERS_KEY = 1024
"""From here on a parser takes no key, and says something else about it."""

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "": None}
_REFERENCES = re.compile(r"[&*!]|<<")
_LONG_KEY = (f"A key is longer than {MAX_KEY} characters.", "Shorten it.")
_SYNTAX_HINTS = (
    ("mapping values are not allowed", 'Put a value that holds ": " in quotes; check the indent.'),
    ("cannot start any token", "Indent with spaces, and quote what begins with a special sign."),
    ("expected ',' or", "Close the bracket, or put a comma between its items."),
    ("could not find expected ':'", "Write a colon and a space after the key."),
    ("end of stream", "Close what is open: a quote or a bracket."),
)


class Stop(Exception):
    """Nothing more is to be learned from this text."""


class Plain(dict[str, Any]):
    """What plain scalars mean, remembered, so that equal strings become one object."""

    def __missing__(self, text: str) -> Any:
        value = int(text) if _WHOLE_NUMBER.fullmatch(text) else _WORDS.get(text, text)
        self[text] = value
        return value


def read_document(sheet: Sheet, text: str, parser: Parser) -> dict[str, Any] | None:
    """Return the one mapping of ``text``, or None after reporting what is wrong.

    A key that cannot stand is left out with its value, so that the rest is still checked.
    """
    try:
        if _REFERENCES.search(text):
            _refuse_references(sheet, parser(text))
        builder = Builder(sheet, parser(text))
        data = builder.document()
    except Stop:
        return None
    except UnreadableError as error:
        _syntax_fault(sheet, text, error)
        return None
    return data if builder.whole else None


def _refuse_references(sheet: Sheet, next_event: NextEvent) -> None:
    """Report the first anchor or alias, the first tag and the first merge key.

    Raises:
        Stop: there was one.
    """
    found: dict[str, Fault] = {}
    depth = 0
    while depth <= MAX_DEPTH and (event := next_event()).__class__ is not StreamEndEvent:
        kind = event.__class__
        trouble = _reference(event)
        if trouble is not None and trouble[0] not in found:
            found[trouble[0]] = Fault(sheet.file, *trouble, mark(event))
        depth += (kind in STARTS) - (kind in ENDS)
    for fault in found.values():
        sheet.faults.add(fault)
    if found:
        raise Stop


def _reference(event: Any) -> tuple[str, str, str] | None:
    """Return code, sentence and hint where a node is more than what stands there."""
    if getattr(event, "anchor", None) is not None:
        return (
            "yaml.alias",
            "A YAML anchor or alias stands here.",
            "Write the value out: the language has no anchors.",
        )
    if getattr(event, "ctag", None) is not None:
        return "yaml.tag", "A YAML tag stands here.", "Take it out: the language has no tags."
    if event.__class__ is ScalarEvent and event.value == "<<" and not event.style:
        return (
            "yaml.merge",
            "A YAML merge key stands here.",
            "Write the values out, or use extends between profiles.",
        )
    return None


def _syntax_fault(sheet: Sheet, text: str, error: Exception) -> None:
    """Report that the parser gave up, in words of ours: its own may hold text of the file."""
    problem, where = reason(error)
    code, summary = "yaml.syntax", "This is not valid YAML."
    hint = next((hint for words, hint in _SYNTAX_HINTS if words in problem), "Correct the YAML.")
    if where.column > _PARSERS_KEY and ": " not in _line_before(text, where):
        code, (summary, hint) = "schema.range", _LONG_KEY
    elif "Unicode" in problem or not problem:
        code, summary = "yaml.control_char", "An escape stands for something that is no character."
        hint = "Write the character itself."
    sheet.fault(code, where, summary, hint)


def _line_before(text: str, where: Mark) -> str:
    return text.split("\n", where.line)[where.line - 1][: where.column - 1]


@dataclass(slots=True)
class Builder:
    """Builds plain data from events, reporting what it must leave out."""

    sheet: Sheet
    next_event: NextEvent
    max_depth: int = MAX_DEPTH
    whole: bool = True
    """Whether nothing was left out that the file's kind may depend on."""
    _parents: list[Any] = field(default_factory=list)
    _dropped: list[tuple[dict[Any, Any], object]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the mapping that is the only document.

        Raises:
            Stop: there is none, or it is nested too deeply; reported.
            UnreadableError: the text is not YAML.
        """
        self.next_event()
        start = self.next_event()
        root = start if start.__class__ is StreamEndEvent else self.next_event()
        if root.__class__ is not MappingStartEvent:
            if root.__class__ in STARTS:
                self._skip(root, above=0)
            self._stop(
                "yaml.root_type",
                root,
                "The file does not hold a map of keys and values.",
                "Begin with the key that names the file's kind, such as team: NAME.",
            )
        data: dict[str, Any] = {}
        self._fill(data)
        for holder, stand_in in self._dropped:
            holder.pop(stand_in, None)
        self.next_event()
        after = self.next_event()
        if after.__class__ is not StreamEndEvent:
            self._stop(
                "yaml.multi_doc",
                after,
                "A second YAML document begins here.",
                "Put it into a file of its own.",
            )
        return data

    def _fill(self, here: Any) -> None:
        """Read events into ``here`` until it ends; ``key`` is None where a key is expected."""
        plain, next_event, key = Plain(), self.next_event, None
        while here is not None:
            event = next_event()
            if event.__class__ is ScalarEvent:
                value = event.value if event.style else plain[event.value]
                if key is not None:
                    here[key] = value
                    key = None
                elif here.__class__ is dict:
                    key = value
                    if value.__class__ is not str or value in here or len(value) > MAX_KEY:
                        key = self._bad_key(event, value, here)
                else:
                    self._append(event, here, value)
            else:
                here, key = self._structure(event, here, key)

    def _structure(self, event: Any, here: Any, key: Any) -> tuple[Any, Any]:
        """Enter or leave a map or a list; returns where one is then, and the key if any."""
        if event.__class__ in ENDS:
            return (self._parents.pop() if self._parents else None), None
        if here.__class__ is dict and key is None:
            self._skip(event, above=len(self._parents) + 1)
            return here, self._bad_key(event, None, here)
        self._check_depth(len(self._parents) + 2, event)
        inner: Any = {} if event.__class__ is MappingStartEvent else []
        if key is None:
            self._append(event, here, inner)
        else:
            here[key] = inner
        self._parents.append(here)
        return inner, None

    def _append(self, event: Any, here: list[Any], item: Any) -> None:
        if len(here) >= MAX_ITEMS:
            self._stop(
                "yaml.too_large",
                event,
                f"A list holds more than {MAX_ITEMS:,} items.",
                "Nothing in the language needs so many.",
            )
        here.append(item)

    def _skip(self, event: Any, above: int) -> None:
        """Pass over a map or list in a wrong place, with ``above`` others around it."""
        depth = 1
        while depth:
            self._check_depth(above + depth, event)
            event = self.next_event()
            kind = event.__class__
            depth += (kind in STARTS) - (kind in ENDS)

    def _check_depth(self, depth: int, event: Any) -> None:
        if depth > self.max_depth:
            self._stop(
                "yaml.depth",
                event,
                f"This is nested more than {self.max_depth} deep.",
                "Nothing in the language is; check the indent and the brackets.",
            )

    def _bad_key(self, event: Any, value: Any, here: dict[Any, Any]) -> object:
        """Report a key that cannot stand; its value is read under a stand-in and dropped."""
        where = mark(event)
        duplicate = value.__class__ is str and value in here
        self.whole = self.whole and (duplicate or bool(self._parents))
        if duplicate:
            self.sheet.twice(
                "yaml.duplicate_key",
                where,
                "This key stands twice in one map.",
                (self.sheet.file, Spot((*self._path(), value), on_key=True)),
                "Keep one of them.",
            )
        elif value.__class__ is str:
            self.sheet.fault("schema.range", where, *_LONG_KEY)
        else:
            self.sheet.fault(
                "yaml.key_type", where, "This key is not text.", "Put the key in quotes."
            )
        # The events of the value follow in any case, so they need a place to go to.
        stand_in = object()
        self._dropped.append((here, stand_in))
        return stand_in

    def _path(self) -> Keys:
        """Return the keys of where one is: in each map or list the one that was begun last."""
        return tuple(
            len(above) - 1 if isinstance(above, list) else next(reversed(above))
            for above in self._parents
        )

    def _stop(self, code: str, event: Any, summary: str, hint: str) -> None:
        self.sheet.fault(code, mark(event), summary, hint)
        raise Stop
