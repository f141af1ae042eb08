"""Where a value stands in its file, looked up only when somebody is to see it.

A value is a scalar's own place; a map or a list is found at the key that it stands under. Keys that
lead nowhere are followed as far as they go, so the level of ``skill: standard`` is found at the
skill. Two ways: in a file of plain lines a search for the text of the line, in any other the
parser's marks, kept for the next time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from cxplan.desired.faults import TOP, Mark, Spot
from cxplan.desired.lines import PLAIN_LINE, unquoted
from cxplan.desired.reader import (
    ENDS,
    STARTS,
    MappingStartEvent,
    NextEvent,
    Parser,
    ScalarEvent,
    UnreadableError,
    placed,
)

_Block = dict[str, tuple[int, int]]
"""The keys of a block: where each begins in the text, and its line."""

_KEY = re.compile(r"(\"[^\"\n]*\"|'[^'\n]*'|[^:\n]+):")
_INDENT = re.compile(r"\n( *)[^ #\n]")


@dataclass(slots=True)
class Node:
    """A value: the parser's marks of its key and of where it is to be found, and what it holds."""

    key: Any
    value: Any
    children: dict[str | int, Node] | None = None
    is_map: bool = False


@dataclass(slots=True)
class Places:
    """The places of one file as it was read; safe to ask from several threads."""

    text: str
    plain: bool
    """Whether the file was read by ``lines``."""
    parser: Parser
    _root: Node | None = None
    _blocks: dict[int, _Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let every line of a plain file begin after a line feed, the first one too."""
        if self.plain:
            self.text = f"\n{self.text}"

    def find(self, spot: Spot) -> Mark:
        """Return where ``spot`` is, or the deepest part of it that exists."""
        if not spot.keys:
            return TOP
        if self.plain:
            return self._find_line(spot)
        if self._root is None:
            self._root = outline(self.parser(self.text))
        return _follow(self._root, spot)

    def _find_line(self, spot: Spot) -> Mark:
        """Follow keys from line to line; ``at`` is the line feed before the lines of a block."""
        text, at, indent, found = self.text, 0, "", TOP
        for depth, key in enumerate(spot.keys):
            entry = self._block(at, indent, found.line).get(str(key))
            if entry is None:
                break
            begin, line = entry
            found = Mark(line, len(indent) + 1)
            match = PLAIN_LINE.match(text, begin)
            if match is not None and match.group(3):
                below = Spot(spot.keys[depth + 1 :], spot.on_key)
                right = self._in_value(match.group(3), below)
                value = found.column + match.start(3) - begin
                return found if right < 0 else Mark(line, value + right)
            at = text.index("\n", begin)
            inner = _INDENT.search(text, at)
            indent = inner.group(1) if inner else ""
        return found

    def _block(self, at: int, indent: str, line: int) -> _Block:
        """Return the lines of a block by their keys; ``line`` is the number of the one above it."""
        block = self._blocks.get(at)
        if block is None:
            block = self._blocks[at] = _block(self.text, at, len(indent), line)
        return block

    def _in_value(self, written: str, below: Spot) -> int:
        """Return how far to the right ``below`` is in the value of a line, -1 for its key."""
        if written[0] != "{":
            return -1 if below.on_key and not below.keys else 0
        inside = _follow(outline(self.parser(written)), below) if below.keys else TOP
        return -1 if inside == TOP else inside.column - 1


def _block(text: str, at: int, indent: int, line: int) -> _Block:
    """Walk over the lines that are indented no deeper than the block, until one is shallower."""
    found: _Block = {}
    line -= at == 0
    for match in re.compile(rf"\n {{0,{indent}}}(?=[^ #\n])").finditer(text, at):
        if match.end() - match.start() <= indent:
            break
        line += text.count("\n", at, match.end())
        at = begin = match.end()
        key = _KEY.match(text, begin)
        if key is not None:
            written = key.group(1)
            name = unquoted(written) if written[0] in "\"'" else written
            found.setdefault(name, (begin, line))
    return found


def _follow(root: Node, spot: Spot) -> Mark:
    node = root
    for key in spot.keys:
        if node.children is None or key not in node.children:
            return placed(node.value)
        node = node.children[key]
    return placed(node.key if spot.on_key else node.value)


def outline(next_event: NextEvent) -> Node:
    """Return the tree of places of a text, as far as it is YAML; of duplicates the first counts."""
    root = Node(None, None, {}, is_map=True)
    try:
        for _ in ("stream", "document", "map"):
            next_event()
        _fill(root, next_event)
    except UnreadableError:
        pass
    return root


def _fill(here: Node, next_event: NextEvent) -> None:
    above: list[Node] = []
    key: tuple[Any, Any] | None = None
    while True:
        event = next_event()
        if event.__class__ in ENDS:
            if not above:
                return
            here, key = above.pop(), None
        elif here.is_map and key is None:
            key = _key(event, next_event)
        else:
            node = _node(event, key)
            children = here.children = {} if here.children is None else here.children
            children.setdefault(key[0] if key else len(children), node)
            key = None
            if event.__class__ in STARTS:
                above.append(here)
                here = node


def _key(event: Any, next_event: NextEvent) -> tuple[Any, Any]:
    if event.__class__ is ScalarEvent:
        return event.value, event.start_mark
    depth = 1
    while depth:
        kind = next_event().__class__
        depth += (kind in STARTS) - (kind in ENDS)
    return object(), event.start_mark


def _node(event: Any, key: tuple[Any, Any] | None) -> Node:
    """A map, a list and a null that is not written are found at their key."""
    own = event.start_mark
    at = key[1] if key else own
    shown = event.__class__ is ScalarEvent and (event.value or event.style)
    return Node(at, own if shown else at, is_map=event.__class__ is MappingStartEvent)
