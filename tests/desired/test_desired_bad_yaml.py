"""The rows Y, S and U of the bad inputs: what each is refused for, and where."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cxplan.desired.reader import Parser, c_events, pure_events
from tests.desired.trees import CANARY, TENANT, problems, team, tree, write

Row = tuple[str, dict[str, bytes], list[tuple[str, int, int]]]

BASE = team()


def q(text: str) -> bytes:
    return json.dumps(text).encode()


def raw(row: str, data: bytes, *expected: tuple[str, int, int]) -> Row:
    """A row about the team's file."""
    return row, tree(team=data), list(expected)


def agent(row: str, expected: str | None, **changes: bytes) -> Row:
    """A row about one value of the team's file; the fault is at the value."""
    (which,) = changes
    line, column = {"name": (1, 7), "key": (4, 3), "id": (5, 9), "skills": (6, 20)}[which]
    return raw(row, team(**changes), *([(expected, line, column)] if expected else []))


ALIASES = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
)
MERGES = b"m0: &m0 {a: 1}\n" + b"".join(
    b"m%d: &m%d {<<: [%s]}\n" % (i, i, b", ".join([b"*m%d" % (i - 1)] * 9)) for i in range(1, 12)
)

SYNTAX: list[Row] = [
    raw("Y01", b"", ("yaml.root_type", 1, 1)),
    raw("Y02", b"# only a comment\n", ("yaml.root_type", 2, 1)),
    raw("Y04", b"hello", ("yaml.root_type", 1, 1)),
    raw("Y05", BASE + b"---\n" + BASE, ("yaml.multi_doc", 7, 1)),
    raw("Y07", BASE.replace(b"    id", b"\tid"), ("yaml.syntax", 5, 1)),
    raw("Y08", BASE.decode().encode("utf-16"), ("yaml.encoding", 1, 1)),
    raw("Y10", ALIASES, ("yaml.alias", 1, 4)),
    raw("Y11", b"a: &a [*a]\n", ("yaml.alias", 1, 4)),
    raw("Y13", MERGES, ("yaml.alias", 1, 5), ("yaml.merge", 2, 10)),
    raw("Y14", b"[" * 1_000_000, ("yaml.depth", 1, 17)),
    raw("Y16", b"\n".join(b"-  " * i for i in range(600)), ("yaml.depth", 18, 49)),
    raw("Y17", b"{a: " * 30 + b"1" + b"}" * 30, ("yaml.depth", 1, 65)),
    raw("Y19", b"a: " + b"x" * (8 << 20), ("yaml.too_large", 1, 1)),
    raw("Y20", BASE + b"team: West\n", ("yaml.duplicate_key", 7, 1)),
    raw("Y22", BASE + b'"team": West\n', ("yaml.duplicate_key", 7, 1)),
    raw("Y23", b"? [a, b]\n: 1\n", ("yaml.key_type", 1, 3)),
    raw("Y25", b"? \n: 1\n", ("yaml.key_type", 1, 2)),
    raw("Y26", b"a: {<<: {x: 1}}\n", ("yaml.merge", 1, 5)),
    raw("Y31", b"a: !!python/name:os.system\n", ("yaml.tag", 1, 4)),
    raw("Y32", b"a: !!binary aGk=\n", ("yaml.tag", 1, 4)),
    raw("Y34", b"%TAG ! tag:evil,2000:\n---\na: !x 1\n", ("yaml.directive", 1, 1)),
    raw("Y35", b"%YAML 1.1\n---\na: 1\n", ("yaml.directive", 1, 1)),
    raw("Y40", b"CXCANARY_secret: a: b\n", ("yaml.syntax", 1, 19)),
    raw("Y41", b"\xef\xbb\xbf" + BASE),
    raw("Y43", b'a: "\\x"\n', ("yaml.syntax", 1, 7)),
    raw("Y44", b"a: b\x00c\n", ("yaml.syntax", 1, 5)),
]

TYPES: list[Row] = [
    agent("S01", None, name=b"NO"),
    agent("S01 as a key", None, key=b"NO"),
    agent("S02", "schema.type", id=b"1001"),
    agent("S04", "id.format", id=b'"1:20"'),
    agent("S05", None, name=b"2026-02-30"),
    agent("S07", "schema.type", skills=b"{chat: 5.0}"),
    agent("S08", "schema.type", skills=b'{chat: "5"}'),
    agent("S10", "schema.type", skills=b"{chat: true}"),
    agent("S11", "schema.range", skills=b"{chat: 0}"),
    agent("S13", "schema.type", skills=b"{chat: " + b"9" * 5000 + b"}"),
    agent("S14", "schema.type", skills=b"{chat: .inf}"),
    raw(
        "S16",
        team(extra=b'  b.lindqvist:\n    id: "1001"\n'),
        ("schema.duplicate_id", 8, 9),
    ),
    (
        "S17",
        tree(tenant=TENANT.replace(b"v1", b"v2")),
        [("schema.version", 1, 13)],
    ),
    (
        "S20",
        tree(tenant=TENANT + b"client_secret: CXCANARY1\n"),
        [("schema.secret", 5, 1)],
    ),
    raw("S22", team(name=b'"-----BEGIN PRIVATE KEY-----"'), ("schema.secret", 1, 1)),
    agent("S22 as a key", "schema.secret", key=b'"-----BEGIN PRIVATE KEY-----"'),
    agent("S23", "schema.range", name=b'"' + b"x" * 5000 + b'"'),
    raw("S23 as a key", team(key=b"x" * 5000), ("schema.range", 4, 5003)),
]

NAMES = {
    "U31": ("e\u0301", "name.nfc"),
    "U32": ("A\u0430nn", None),
    "U34": ("a\xadb", "yaml.control_char"),
    "U35": ("a\u2028b", "yaml.control_char"),
    "U37": ("\U000e0041", "yaml.control_char"),
    "U38": ("a\ufffeb", "yaml.control_char"),
    "U40": ("O\u2019Neill-\u0160m\xedd", None),
}

HIDDEN = {"U34": "\xad", "U35": "\u2028", "U37": "\U000e0041", "U38": "\ufffe"}

UNICODE: list[Row] = [
    agent("U01", "id.format", id=q("1\u06623")),
    agent("U03", "id.format", id=q("1001\n")),
    agent("U04", "id.format", id=q(" 1001")),
    agent("U06", "yaml.control_char", id=q("\u202e1001")),
    raw("U06 as it is", team(id='"\u202e1001"'.encode()), ("yaml.control_char", 5, 10)),
    agent("U07", "id.format", id=q("../admin")),
    agent("U09", "id.format", id=q("..")),
    agent("U10", "id.format", id=q(".")),
    agent("U12", "id.format", id=q("1#f")),
    agent("U13", "id.format", id=q("1%2f..%2fadmin")),
    agent("U15", "yaml.control_char", id=q("1\r\nX-Evil: 1")),
    agent("U16", "id.format", id=q("")),
    agent("U18", "id.format", id=q("-1")),
    agent("U19", "id.format", id=q("1" * 129)),
    *(agent(row, code, name=q(name)) for row, (name, code) in NAMES.items() if row != "U37"),
    raw("U37", team(name=q(NAMES["U37"][0])), ("yaml.control_char", 1, 10)),
    *(
        agent(f"{row} as a key", code, key=q(name))
        for row, (name, code) in NAMES.items()
        if code != "yaml.control_char"
    ),
    *(
        raw(f"{row} as it is", team(key=name.encode()), (code, 4, 3 + name.index(HIDDEN[row])))
        for row, (name, code) in NAMES.items()
        if code == "yaml.control_char"
    ),
]

ROWS = [*SYNTAX, *TYPES, *UNICODE]
DIFFERENT_COLUMN = "U37"
"""An escaped half of a surrogate pair: the parser in Python only notices the whole scalar."""


@pytest.fixture(params=[c_events, pure_events], ids=["c", "pure"])
def parser(request: pytest.FixtureRequest) -> Parser:
    parser: Parser = request.param
    return parser


@pytest.mark.parametrize(("row", "files", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_row(
    tmp_path: Path,
    parser: Parser,
    row: str,
    files: dict[str, bytes],
    expected: list[tuple[str, int, int]],
) -> None:
    started = time.process_time()
    found = problems(write(tmp_path, files), parser)
    assert time.process_time() - started < 5
    assert [problem.code for problem in found] == [code for code, _, _ in expected]
    places = [(p.origin.line, p.origin.column) for p in found if p.origin]
    if row != DIFFERENT_COLUMN or parser is c_events:
        assert places == [(line, column) for _, line, column in expected]


@pytest.mark.parametrize(("row", "files"), [row[:2] for row in ROWS], ids=[row[0] for row in ROWS])
def test_both_parsers_say_the_same(tmp_path: Path, row: str, files: dict[str, bytes]) -> None:
    folder = write(tmp_path, files)
    fast, slow = problems(folder, c_events), problems(folder, pure_events)
    if row == DIFFERENT_COLUMN:
        assert [(p.code, p.origin and p.origin.line) for p in fast] == [
            (p.code, p.origin and p.origin.line) for p in slow
        ]
    else:
        assert fast == slow


def test_a_row_with_a_canary_is_in_the_table() -> None:
    assert any(CANARY.encode() in data for _, files, _ in ROWS for data in files.values())


def test_the_message_for_an_unquoted_id_says_to_quote_it(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, tree(team=team(id=b"1001"))))
    assert problem.hint == "Put it in quotes."


def test_the_message_for_a_decomposed_name_says_what_it_would_be(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, tree(team=team(name="e\u0301".encode()))))
    assert problem.hint is not None
    assert "U+00E9" in problem.hint


def test_the_key_of_a_secret_is_named(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, tree(tenant=TENANT + b"client_secret: CXCANARY1\n")))
    assert '"client_secret"' in problem.summary


def test_a_duplicate_names_both_places(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, tree(team=BASE + b"team: West\n")))
    assert problem.hint == "Keep one of them. The other is at team.yaml:1:1."
