"""The parsers themselves, and what plain scalars mean."""

from __future__ import annotations

import gc
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from cxplan.core.errors import DesiredInvalid
from cxplan.desired.document import read_document
from cxplan.desired.faults import Faults, Sheet
from cxplan.desired.reader import Parser, c_events, fastest, pure_events
from cxplan.desired.source import FolderSource
from tests.desired.trees import tree, write


def value(text: str, parser: Parser = c_events) -> Any:
    faults = Faults()
    data = read_document(Sheet("x.yaml", faults), f"a: {text}\n", parser)
    assert data is not None
    assert not faults.found
    return data["a"]


def test_the_c_parser_is_the_one_in_use() -> None:
    assert fastest() is c_events
    assert type(c_events("a: b").__self__).__module__.endswith("_ruamel_yaml")  # type: ignore[attr-defined]


def test_without_it_the_slow_one_works_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fastest.cache_clear()
    with caplog.at_level(logging.WARNING, "cxplan.desired"):
        slow = fastest(None)
        assert fastest(None) is slow
    assert slow is pure_events
    assert [record.name for record in caplog.records] == ["cxplan.desired"]
    folder = write(tmp_path, tree())
    assert FolderSource(folder, slow).read() == FolderSource(folder, c_events).read()


@pytest.mark.parametrize("parser", [c_events, pure_events])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("7", 7),
        ("-12", -12),
        ("9" * 16, int("9" * 16)),
        ("9" * 17, "9" * 17),
        *((word, word) for word in ["yes", "no", "on", "off", "NO", "True", "NULL", "~"]),
        *((word, word) for word in ["010", "0x1F", "0o7", "+1", "1_000", "-0", "1e3", "5.0"]),
        *((word, word) for word in [".inf", ".nan", "22:00", "1:20", "2026-11-22", "\u0661"]),
        ('"7"', "7"),
        ("'true'", "true"),
        ('""', ""),
        ("|\n  7", "7\n"),
        ("[7, [x, {b: c}], {d: [e]}]", [7, ["x", {"b": "c"}], {"d": ["e"]}]),
    ],
)
def test_what_a_scalar_means(written: str, meant: Any, parser: Parser) -> None:
    found = value(written, parser)
    assert found == meant
    assert type(found) is type(meant)


def test_sixteen_maps_may_be_nested_and_not_one_more() -> None:
    faults = Faults()
    sheet = Sheet("x.yaml", faults)
    assert read_document(sheet, "{a: " * 16 + "1" + "}" * 16, c_events) is not None
    assert not faults.found
    assert read_document(sheet, "{a: " * 17 + "1" + "}" * 17, c_events) is None
    assert [fault.code for fault in faults.found] == ["yaml.depth"]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(tmp_path: Path, enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        FolderSource(write(tmp_path, tree())).read()
        assert gc.isenabled() is enabled
        with pytest.raises(DesiredInvalid):
            FolderSource(tmp_path / "nowhere").read()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_no_file_stays_open(tmp_path: Path) -> None:
    folder = write(tmp_path, {**tree(), "bad/x.yaml": b"[", "bad/y.yaml/z": b""})
    free = os.dup(0)
    os.close(free)
    with pytest.raises(DesiredInvalid):
        FolderSource(folder).read()
    still_free = os.dup(0)
    os.close(still_free)
    assert still_free == free
