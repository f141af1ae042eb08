"""What is said of a snapshot: how old it is, and whom to look at."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cxplan.core.ids import AgentId
from cxplan.core.live import TenantLists
from cxplan.core.plan import TenantRef
from cxplan.core.snapshot import SnapshotHeader, SnapshotSummary
from cxplan.views.paint import Paint
from cxplan.views.snapshot_text import snapshot_document, snapshot_text
from tests.core.make import NOW
from tests.snapshots import make


def text(summary: SnapshotSummary, passed: timedelta = timedelta(0)) -> str:
    return snapshot_text(summary, NOW + passed, Paint())


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=59), "less than a minute ago"),
        (timedelta(minutes=5, seconds=59), "5 min ago"),
        (timedelta(hours=3, minutes=12), "3 h 12 min ago"),
        (timedelta(hours=24), "1 d ago"),
        (timedelta(days=2, hours=4, minutes=59), "2 d 4 h ago"),
        (timedelta(days=1234), "1,234 d ago"),
        (timedelta(seconds=-1), "after now by this machine's clock"),
    ],
)
def test_its_age(passed: timedelta, said: str) -> None:
    found = text(SnapshotSummary(make.header(1), (), ()), passed)
    assert f"2026-11-25T12:00:00Z, {said}\n" in found


def test_a_few_agents_are_named_and_the_others_counted() -> None:
    ids = tuple(AgentId(f"a-{number}") for number in range(1200))
    found = text(SnapshotSummary(make.header(1201), ids, ids[:1]))
    assert "! 1,200 agents unknown to the tenant: a-0, a-1, a-2, a-3, a-4 and 1,195 more\n" in found
    assert "? 1 schedule that could not be read: a-0\n" in found


def test_nothing_odd_and_no_lists() -> None:
    header = SnapshotHeader(make.TENANT, NOW, 1, TenantLists(), "0")
    summary = SnapshotSummary(header, (), ())
    found = text(summary)
    assert found.count("the tenant has no such list") == 2
    assert "!" not in found
    assert "?" not in found
    document = snapshot_document(summary)
    assert (document["skills"], document["workModes"]) == (None, None)


def test_what_the_file_says_is_shown_and_does_nothing() -> None:
    evil = "\x1b]0;pwned\x07\u202e"
    tenant = TenantRef(evil, evil, evil, evil)
    header = SnapshotHeader(tenant, NOW, 1, make.LISTS, evil)
    found = text(SnapshotSummary(header, (AgentId(evil),), (AgentId(evil),)))
    assert found.replace("\n", "").isprintable()
