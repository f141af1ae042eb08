"""Large and crooked files: each ends soon, with an error that says what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxplan.desired.document import read_document
from cxplan.desired.faults import Faults, Sheet
from cxplan.desired.reader import Parser, c_events, pure_events
from cxplan.desired.text import decode, examine
from tests.desired.trees import problems, team, tree, write

MEBIBYTE = 2**20

HOSTILE = {
    "a long list": (b"team: [" + b"a," * (3 * MEBIBYTE) + b"a]\n", "yaml.too_large"),
    "one key many times": (b"team: x\n" * (MEBIBYTE // 2), "desired.cut"),
    "a line of words": (b"team: a" + b" a" * (3 * MEBIBYTE) + b"\n", "schema.range"),
    "a line of spaces": (b"team: a" + b" " * (7 * MEBIBYTE) + b"a\n", "schema.range"),
    "a line of quotes": (b"team: " + b"'" * (6 * MEBIBYTE) + b"\n", "schema.range"),
    "blank lines": (b"\n" * (7 * MEBIBYTE) + b"team: x\n", "schema.missing_key"),
    "escapes": (b'team: "' + b"\\x41" * MEBIBYTE + b'"\n', "schema.range"),
    "private characters": (
        "".join(map(chr, range(0xE000, 0xF8FF))).encode() * 300,
        "yaml.control_char",
    ),
    "twice, then broken": (b"team: {a: 1, a: 2, b: {", "yaml.syntax"),
    "many members with faults": (
        team(extra=b"".join(b"  a%d: {profile: p%d}\n" % (n, n) for n in range(50_000))),
        "desired.cut",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_ends_soon(tmp_path: Path, what: str) -> None:
    data, code = HOSTILE[what]
    folder = write(tmp_path, tree(team=data))
    started = time.process_time()
    found = problems(folder, c_events)
    assert time.process_time() - started < 10
    assert code in {problem.code for problem in found}


SIGNS = st.sampled_from(
    [
        *["a", "b: ", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", '"', "'"],
        *[
            "\\",
            "\\x41",
            "\\ud800",
            "\\U00110000",
            "&a ",
            "*a",
            "!t ",
            "<<: ",
            "|\n",
            ">\n",
            "# c\n",
        ],
        *[
            "%A b\n",
            "---\n",
            "...\n",
            "\t",
            "é",
            "null",
            "7",
            "~",
            "@",
            "`",
            "-",
            "\r\n",
            "\r",
            "\0",
        ],
    ]
)


@settings(deadline=None)
@given(
    text=st.lists(SIGNS, max_size=20).map("".join), parser=st.sampled_from([c_events, pure_events])
)
def test_any_text_is_read_or_refused(text: str, parser: Parser) -> None:
    faults = Faults()
    sheet = Sheet("x.yaml", faults)
    decoded = decode(sheet, text.encode())
    data = None if decoded is None else read_document(sheet, decoded, parser)
    if decoded is not None and data is not None:
        examine(sheet, decoded, data)
    assert data is not None or faults.found
