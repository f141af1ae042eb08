"""Hostile bytes end in a refusal with a code, never in another exception; and the table is true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxplan.audit import envelope, verify
from cxplan.audit.planned import agents_of
from cxplan.audit.records import Walk
from cxplan.audit.refusal import Refused, shown
from cxplan.audit.schema import PlanClaim, SealStatement
from cxplan.audit.statement import read
from cxplan.core.canonical import signed_form
from cxplan.core.evidence import VerifyReport
from tests.audit.samples import (
    FILES,
    RECORDS,
    STATEMENT,
    carry_out,
    ecdsa_key,
    ledger_at,
    records_of,
    statement_of,
)

TABLE = re.compile(r"^((?:audit|path)\.\w+)  ", re.MULTILINE)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda some: st.lists(some) | st.dictionaries(st.text(max_size=10), some)
)


def codes_in_source() -> Iterator[str]:
    """Every code that a check of evidence can tell, as the source has it."""
    for path in Path(verify.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args else None
                named = node.func.id in {"Refused", "VerifyFailure", "_failure"}
                if named and isinstance(first, ast.Constant):
                    yield str(first.value)


def test_table_of_codes_is_the_codes_in_the_source() -> None:
    assert sorted(TABLE.findall(verify.__doc__ or "")) == sorted(set(codes_in_source()))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audit")
    return root / carry_out(ledger_at(root, KEY)).folder


KEY = ecdsa_key()


def verified_with(bundle: Path, name: str, data: bytes) -> VerifyReport:
    path = bundle / name
    whole = path.read_bytes()
    path.write_bytes(data)
    try:
        return ledger_at(bundle.parent, KEY).verify()
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
@given(data=st.binary(max_size=200))
@settings(max_examples=40, deadline=None)
def test_any_bytes_in_a_file_are_one_failure(bundle: Path, name: str, data: bytes) -> None:
    [failure] = verified_with(bundle, name, data).all_failures
    assert failure.place.startswith(f"{bundle.name}/{name}")


@given(value=JSON)
@settings(max_examples=80, deadline=None)
def test_any_json_is_refused(value: Any) -> None:
    data = signed_form(value)
    plan = PlanClaim(
        id="p", created_at="2026-11-22T11:00:00Z", expires_at="2026-11-22T11:00:00Z",
        semantic_digest="",
    )  # fmt: skip
    for attempt in (
        lambda: envelope.parse(data, "here"),
        lambda: read(SealStatement, data, "here"),
        lambda: Walk("", "here").take(data),
        lambda: agents_of(data, plan, "here"),
    ):
        with pytest.raises(Refused):
            attempt()


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    keys: Iterable[Any] = value if isinstance(value, dict) else ()
    for key in range(len(value)) if isinstance(value, list) else keys:
        yield from places_in(value[key], (*path, key))


@given(data=st.data(), value=JSON)
@settings(max_examples=80, deadline=None)
def test_any_value_in_a_statement_is_read_or_refused(
    bundle: Path, data: st.DataObject, value: Any
) -> None:
    statement = statement_of(bundle / STATEMENT)
    path = data.draw(st.sampled_from([p for p in places_in(statement) if p]))
    put(statement, path, value)
    found: SealStatement | None = None
    with suppress(Refused):
        found = read(SealStatement, signed_form(statement), "here")
    assert found is None or found.model_dump(by_alias=True) == statement


@given(data=st.data(), value=JSON)
@settings(max_examples=80, deadline=None)
def test_any_value_in_a_record_is_taken_or_refused(
    bundle: Path, data: st.DataObject, value: Any
) -> None:
    records = records_of(bundle)
    first = dict(records[0])
    first[data.draw(st.sampled_from([*first, "agentId", "outcome"]))] = value
    walk = Walk(records[0]["prev"], RECORDS)
    before = walk.last
    with suppress(Refused):
        walk.take(signed_form(first))
    assert (walk.last == before) == (walk.count == 0)


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


@given(text=st.text(max_size=200))
def test_what_is_shown_is_short_printable_ascii(text: str) -> None:
    assert shown(text).isascii()
    assert shown(text).isprintable()
    assert len(shown(text)) <= 83
