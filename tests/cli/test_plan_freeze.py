"""Freezes, and the overrides that they let begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.kit import Bench
from tests.cli.scenes import (
    NOTHING,
    agents_of,
    apply_now,
    guards,
    instant,
    levels,
    members,
    override,
    planned,
    shown,
    verdicts,
)
from tests.cli.small import small


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made


def freeze(begins: float, ends: float, *, excepted: bool) -> dict[str, str]:
    but = ", except: [overrides]" if excepted else ""
    period = f'from: "{instant(begins)}", until: "{instant(ends)}"'
    return guards(f"freeze: [{{name: x, {period}{but}}}]")


@pytest.mark.parametrize(
    ("begins", "ends", "excepted", "code"),
    [(-1, 1, False, 4), (-1, 1, True, 0), (1, 2, False, 0), (-2, -1, False, 0)],
)
def test_a_freeze_lets_overrides_pass_where_it_says_so(
    on: Bench, begins: float, ends: float, excepted: bool, code: int
) -> None:
    on.write(freeze(begins, ends, excepted=excepted))
    on.write(members(**NOTHING))
    on.write(override("CHG-1", -1, 1, "{skills: {voice: expert}}"))
    apply_now(on, code=code)
    assert len(on.patches()) == (0 if code else 3)
    assert levels(on, "s-voice")["agent-1"] == (5 if code else 1)


def test_a_freeze_lets_go_what_an_override_left(on: Bench) -> None:
    on.write(members(two=NOTHING["two"], three=NOTHING["three"]))
    on.write(override("CHG-1", -1, 1, "{skills: {voice: expert}}", "{agents: [one]}"))
    apply_now(on)
    on.write(freeze(-1, 1, excepted=True))
    on.write(override("CHG-1", -2, -1, "{skills: {voice: expert}}", "{agents: [one]}"))
    apply_now(on)
    assert levels(on, "s-voice")["agent-1"] == 3


def test_a_freeze_with_an_exception_still_stops_the_files(on: Bench) -> None:
    on.write(freeze(-1, 1, excepted=True))
    on.write(override("CHG-1", -1, 1, "{skills: {voice: expert}}", "{agents: [one]}"))
    text = shown(on, code=4)
    assert "Guard freeze denies for x until " in text
    assert ": 2, the limit is 0 (three; two)" in text


def only_one(line: str) -> dict[str, str]:
    return members(one=f'{{id: "agent-1", {line}}}', two=NOTHING["two"], three=NOTHING["three"])


def test_a_freeze_stops_a_file_where_a_run_wrote_the_value_since_the_override_ended(
    on: Bench,
) -> None:
    on.write(override("OV-1", -480, -240, "{skills: {voice: expert}}", "{agents: [one]}"))
    on.write(only_one("skills: {voice: expert}"))
    apply_now(on)
    on.write(only_one("skills: {voice: senior}") | freeze(-1, 1, excepted=True))
    text = shown(on, code=4)
    assert "expert (1) → senior (3)" in text
    assert "override OV-1 is over  " not in text
    assert [c["overdue"] for c in agents_of(planned(on, code=4))["one"]["changes"]] == [None]
    apply_now(on, code=4)
    assert levels(on, "s-voice")["agent-1"] == 1
    on.write(only_one("skills: {chat: standard}"))
    released = planned(on)["released"]
    assert [(v["path"], v["override"]) for v in released] == [("skills/voice/level", None)]


def passes(on: Bench) -> None:
    """The plan of agent one is not empty, and no freeze stops it."""
    plan = planned(on)
    assert agents_of(plan)["one"]["status"] == "ready"
    assert verdicts(plan)["freeze"] == "pass"
    apply_now(on)


def test_a_skill_that_an_override_took_comes_back_with_its_concurrency(on: Bench) -> None:
    kept = "skills: {voice: {level: standard, concurrent: 1}}"
    on.write(only_one(kept))
    on.write(override("CHG-1", -2, 1, "{skills: {voice: disabled}}", "{agents: [one]}"))
    apply_now(on)
    assert levels(on, "s-voice")["agent-1"] == 0
    on.write(override("CHG-1", -2, -1, "{skills: {voice: disabled}}", "{agents: [one]}"))
    on.write(freeze(-1, 1, excepted=True))
    passes(on)
    assert levels(on, "s-voice")["agent-1"] == 5


def test_a_skill_that_an_override_gives_takes_its_concurrency_from_below(on: Bench) -> None:
    on.write(only_one("skills: {voice: disabled}"))
    apply_now(on)
    on.write(only_one("skills: {voice: {concurrent: 1}}") | freeze(-1, 1, excepted=True))
    on.write(override("CHG-1", -1, 1, "{skills: {voice: senior}}", "{agents: [one]}"))
    passes(on)
    assert levels(on, "s-voice")["agent-1"] == 3


def test_an_override_that_followed_the_shift_ends_within_a_freeze(on: Bench) -> None:
    on.write(only_one("workMode: training"))
    on.write(override("CHG-1", -2, -1, "{workMode: scheduled}", "{agents: [one]}"))
    frozen = freeze(-1, 1, excepted=True)["guards.yaml"]
    on.write({"guards.yaml": f"{frozen}  shifts: {{modeConflict: allow}}\n"})
    assert [c["overdue"] for c in agents_of(planned(on))["one"]["changes"]] == ["CHG-1"]
    passes(on)
