"""Drift in words: every movement has its sentence, and nothing in it fools a reader."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.diff import LEVEL, WORK_MODE, Value
from cxplan.core.drift import AgentDrift, Case, DriftReport, UnseenAgent, ValueDrift
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.ids import AgentId, AgentKey, SkillId, WorkModeId
from cxplan.core.plan import Vocabulary
from cxplan.views.drift_text import LISTED, drift_document, drift_text, moved_words
from cxplan.views.paint import Paint
from tests.core.make import LEVELS, NOW

RUN = "1a2b3c4d-0000-4000-8000-000000000001"
VOCABULARY = Vocabulary(LEVELS, {WorkModeId("m-1"): "available", WorkModeId("m-2"): "training"})
BY = "written by run 1a2b3c4d at 2026-11-25T12:00:00Z"


def moved(
    path: str,
    base: Value,
    live: Value,
    *,
    case: Case = Case.DRIFT,
    desired: Value = None,
    held: bool = True,
    confirmed: bool = False,
) -> ValueDrift:
    _, _, rest = path.partition("/")
    skill, _, part = rest.rpartition("/")
    key = ValueKey(SkillId(f"s-{skill}"), part) if rest else ValueKey(None, path)
    last = LastValue(base, RUN, NOW, path, confirmed)
    wanted = base if case is Case.DRIFT else desired
    return ValueDrift(key, path, case, last, wanted, live, held)


def report(*values: ValueDrift, **changed: Any) -> DriftReport:
    agents = tuple(
        AgentDrift(AgentId(f"agent-{n}"), AgentKey(f"key-{n}"), "Team", (value,))
        for n, value in enumerate(values, start=1)
    )
    parts: dict[str, Any] = {
        "counts": Counter(value.case for value in values),
        "missing": (),
        "unread": (),
        "unfollowed": 0,
        "undeclared": 0,
    }
    parts |= changed
    return DriftReport("test", NOW, 40, agents=agents, vocabulary=VOCABULARY, **parts)


def lines(*values: ValueDrift, **changed: Any) -> list[str]:
    return drift_text(report(*values, **changed), (), Paint()).splitlines()


WORDS = [
    (
        moved("skills/voice/level", 3, 5),
        f"skills/voice/level moved from senior (3), {BY}, to standard (5)",
    ),
    (
        moved("skills/voice/level", 3, 9, confirmed=True),
        "skills/voice/level moved from senior (3), confirmed by run 1a2b3c4d at "
        "2026-11-25T12:00:00Z, to level 9",
    ),
    (
        moved("skills/voice/level", 3, None, held=False),
        f"skills/voice/level moved from senior (3), {BY}: the skill is no longer held",
    ),
    (
        moved("skills/voice/concurrent", 2, None),
        f"skills/voice/concurrent moved from 2, {BY}, to none",
    ),
    (moved(WORK_MODE, "m-1", "m-2"), f"workMode moved from available, {BY}, to training"),
    (moved(WORK_MODE, "m-1", "m-9"), f"workMode moved from available, {BY}, to m-9"),
    (moved(WORK_MODE, "m-1", None), f"workMode moved from available, {BY}, to none"),
    (
        moved("skills/voice/level", 3, 0, case=Case.CONFLICT, desired=1),
        f"skills/voice/level moved from senior (3), {BY}, to disabled; "
        "the files want expert (1) by now",
    ),
]


@pytest.mark.parametrize(("value", "words"), WORDS)
def test_each_movement_in_words(value: ValueDrift, words: str) -> None:
    assert moved_words([value], VOCABULARY) == [words]
    assert lines(value)[0] == f"  ! key-1 (agent-1, Team): {words}"


SIDE = st.none() | st.integers(0, 20)


@given(
    st.dictionaries(
        st.sampled_from(
            [f"skills/{name}/{part}" for name in "abc" for part in (LEVEL, "concurrent")]
        ),
        st.tuples(st.integers(0, 20), SIDE).filter(lambda pair: pair[0] != pair[1]),
        min_size=1,
    ),
    st.sets(st.sampled_from(["a", "b", "c"])),
)
def test_every_value_that_moved_has_one_sentence_in_its_order(
    sides: dict[str, tuple[int, int | None]], gone: set[str]
) -> None:
    """Of a skill that is gone only the level is compared."""
    values = []
    for path, (base, live) in sides.items():
        if path.split("/")[1] not in gone:
            values.append(moved(path, base, live))
        elif path.endswith(LEVEL):
            values.append(moved(path, base, None, held=False))
    words = moved_words(values, VOCABULARY)
    assert [text.partition(" ")[0] for text in words] == [value.path for value in values]
    told = ["no longer held" in text for text in words]
    assert told == [not value.held for value in values]


def test_what_is_no_drift_is_listed_after_it_and_short() -> None:
    pending = ValueDrift(ValueKey(None, WORK_MODE), WORK_MODE, Case.PENDING, None, "m-2", "m-1")
    text = lines(
        moved("skills/a/level", 3, 3, case=Case.RELEASED),
        moved("skills/b/level", 3, 5, case=Case.RELEASED_MOVED),
        moved("skills/c/level", 3, 5, case=Case.CAUGHT_UP, desired=5),
        pending,
        moved("skills/d/level", 3, 5),
    )
    assert [line.split(":")[0] for line in text[:5]] == [
        "  ! key-5 (agent-5, Team)",
        "  + pending",
        "  = caught up",
        "  · released",
        "  · released",
    ]
    assert text[1].endswith("workMode available → training, never written by a run")
    assert text[2].endswith(f"moved from senior (3), {BY}, to standard (5), as the files want it")
    assert text[3].endswith(f"skills/b/level was senior (3), {BY}, and is standard (5)")
    assert text[4].endswith("skills/a/level stays at senior (3)")
    assert text[-1] == (
        "Drift: 1 drifted, 0 in conflict, 1 pending (1 never written by a run), 1 caught up, "
        "2 released (1 moved since), 0 in sync; 0 agents unread, 0 missing."
    )


def test_many_pending_values_are_counted_and_every_drift_is_listed() -> None:
    pending = [moved("skills/a/level", 3, 3, case=Case.PENDING, desired=5)] * (LISTED + 7)
    drifted = [moved("skills/a/level", 3, 5)] * (LISTED + 7)
    text = "\n".join(lines(*pending, *drifted))
    assert text.count(" pending: ") == LISTED
    assert "… and 7 more pending; --json lists them all." in text
    assert text.count("moved from senior (3)") == LISTED + 7


def test_it_says_what_it_does_not_know() -> None:
    gone = UnseenAgent(AgentId("x-1"), AgentKey("one"), "T", "agent.notFound", "no such agent")
    unread = UnseenAgent(AgentId("x-2"), AgentKey("two"), "T", "http.json", "cut \x1b[2J off")
    found = report(missing=(gone,), unread=(unread,), unfollowed=3, undeclared=1)
    text = drift_text(found, ("000007-x.open",), Paint())
    assert "  ? one (x-1, T) is missing: no such agent\n" in text
    assert "  ? two (x-2, T) could not be read: cut \\u{001B}[2J off\n" in text
    assert "Warning: the run 000007-x.open is not sealed" in text
    assert "Not compared: 3 work modes to follow a shift, where none could be followed.\n" in text
    assert "Not read: 1 agent of past runs that no file names now.\n" in text
    assert "The ledger was read unverified: cxplan audit verify checks it.\n" in text
    assert text.splitlines()[-1].startswith("No drift in what could be read. 0 pending")
    assert lines()[-1].startswith("No drift. 0 pending")


def test_a_record_cannot_write_on_the_screen() -> None:
    hostile = "skills/\x1b[2K\n::error::x{now}/level"
    text = drift_text(report(moved(hostile, 3, 5)), (), Paint())
    assert "\x1b" not in text
    assert "skills/\\u{001B}[2K\\u{000A}::error::x{now}/level moved from senior (3)" in text


def test_the_document_holds_all_three_sides() -> None:
    value = moved("skills/voice/level", 3, 9, case=Case.CONFLICT, desired=1)
    pending = ValueDrift(ValueKey(None, WORK_MODE), WORK_MODE, Case.PENDING, None, "m-2", "m-1")
    document = drift_document(report(value, pending), ("000007-x.open",))
    assert document["agents"][0] == {
        "agent": {"id": "agent-1", "name": "key-1", "team": "Team"},
        "values": [
            {
                "path": "skills/voice/level",
                "skillId": "s-voice",
                "case": "conflict",
                "base": 3,
                "desired": 1,
                "live": 9,
                "run": RUN,
                "at": "2026-11-25T12:00:00.000Z",
            }
        ],
    }
    (untouched,) = document["agents"][1]["values"]
    assert [untouched[name] for name in ("base", "run", "at")] == [None, None, None]
    assert (document["verified"], document["unsealed"]) == (False, ["000007-x.open"])
    assert document["summary"]["neverWritten"] == 1
    assert all(document["summary"][case.value] is not None for case in Case)
