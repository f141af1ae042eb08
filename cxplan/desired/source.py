"""The port ``DesiredSource`` on a folder of YAML files."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cxplan.core.address import Origin
from cxplan.core.errors import DesiredInvalid, Problem
from cxplan.core.model import Declarations, Source
from cxplan.desired.build import Pages, declare
from cxplan.desired.content import Content
from cxplan.desired.document import read_document
from cxplan.desired.faults import MAX_FAULTS, EnoughFaults, Fault, Faults, Mark, Sheet, Spot
from cxplan.desired.files import Limits, read_folder
from cxplan.desired.lines import read_lines
from cxplan.desired.places import Places
from cxplan.desired.reader import Parser, c_events, fastest
from cxplan.desired.schema import Kind, kind_of, read_content
from cxplan.desired.text import decode, examine

_ALL_KINDS = frozenset(Kind)
_MORE = Problem(
    "desired.cut",
    f"There are more than {MAX_FAULTS:,} errors; these were found first.",
    hint="Correct these and run the command again.",
)


@dataclass(slots=True)
class FolderSource:
    """The desired state in the YAML files of a folder.

    The texts are kept as they were read, so that what was validated is what is located.
    """

    root: Path
    parser: Parser | None = None
    """The YAML parser; by default the fastest that is installed."""
    limits: Limits = field(default_factory=Limits)
    _places: dict[str, Places] = field(default_factory=dict)

    def read(self) -> Declarations:
        """Return everything that the files say.

        Raises:
            DesiredInvalid: with every problem of every file, each with its place.
        """
        self._places.clear()
        faults = Faults()
        with _collector_off():
            try:
                declarations = self._declarations(faults)
                problems = list(self._problems(faults))
            except EnoughFaults:
                declarations = None
                problems = [_MORE, *self._problems(faults)]
        if problems or declarations is None:
            raise DesiredInvalid(dict.fromkeys(problems))
        return declarations

    def locate(self, source: Source) -> Origin:
        """Return line and column of a value that ``read`` returned, or of the nearest above it.

        Safe to call from several threads.
        """
        return self._origin(source.layer.file, Spot((*source.layer.keys, *source.keys)))

    def _declarations(self, faults: Faults) -> Declarations | None:
        files = deque(read_folder(self.root, self.limits, faults))
        if not files and not faults.found:
            faults.add(
                Fault(
                    None,
                    "desired.empty",
                    "The desired folder holds no file named *.yaml or *.yml.",
                    "Name the right folder with --desired.",
                )
            )
        incomplete: frozenset[Kind] = _ALL_KINDS if faults.found else frozenset()
        contents: list[tuple[Sheet, Content]] = []
        while files:
            name, data = files.popleft()
            sheet, known = Sheet(name, faults), len(faults.found)
            kind, content = self._page(sheet, data)
            if content is not None:
                contents.append((sheet, content))
            if len(faults.found) > known:
                incomplete |= _ALL_KINDS if kind is None else {kind}
        return declare(Pages(tuple(contents), incomplete), faults)

    def _page(self, sheet: Sheet, data: bytes) -> tuple[Kind | None, Content | None]:
        """Return kind and content of one file, None for what faults leave unknown."""
        text = decode(sheet, data)
        if text is None:
            return None, None
        parser = self.parser or fastest()
        found = read_lines(text) if parser is c_events else None
        self._places[sheet.file] = Places(text, found is not None, parser)
        if found is None:
            found = read_document(sheet, text, parser)
        if found is None or not examine(sheet, text, found):
            return None, None
        kind = kind_of(sheet, found)
        return kind, None if kind is None else read_content(sheet, kind, found)

    def _problems(self, faults: Faults) -> Iterator[Problem]:
        for fault in faults.found:
            hint = fault.hint
            if fault.also is not None:
                hint = f"{hint} The other is at {self._origin(*fault.also)}."
            origin = None if fault.file is None else self._origin(fault.file, fault.where)
            yield Problem(fault.code, fault.summary, origin=origin, hint=hint)

    def _origin(self, file: str, where: Mark | Spot) -> Origin:
        if isinstance(where, Spot):
            places = self._places.get(file)
            where = places.find(where) if places else Mark(1, 1)
        return Origin(file, where.line, where.column)


@contextmanager
def _collector_off() -> Iterator[None]:
    """Loading makes many objects and no cycles; collecting among them costs a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
