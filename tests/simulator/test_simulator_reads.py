"""Reading: profiles, pages, schedules."""

from __future__ import annotations

from typing import Any

import pytest

from cxplan.simulator.options import Options
from tests.simulator.kit import TENANT, running


def test_a_profile_shows_the_work_mode_and_a_strong_opaque_tag() -> None:
    with running() as client:
        got = client.get("/api/v2/agents/a1")
        nobody = client.get("/api/v2/agents/a3").json
    assert got.json == {
        "id": "a1",
        "name": "Ada",
        "teamId": "t1",
        "currentWorkMode": {"id": "m1", "name": "Available"},
    }
    assert nobody["currentWorkMode"] is None
    tag = got.etag
    assert tag[0] == tag[-1] == '"'
    assert len(tag) > 16
    assert "a1" not in tag


def test_reading_does_not_move_the_tag_and_no_two_agents_share_one() -> None:
    with running() as client:
        tags = [client.etag(agent.id) for agent in TENANT.agents]
        assert tags == [client.etag(agent.id) for agent in TENANT.agents]
    assert len(set(tags)) == len(TENANT.agents)


def test_many_skills_come_in_pages_and_nothing_is_lost() -> None:
    with running() as client:
        pages = client.pages("/api/v2/agents/a1/skills")
    assert [len(page) for page in pages] == [5, 2]
    assert pages[0][0] == {
        "skillId": "s1",
        "name": "skill 1",
        "level": 1,
        "concurrentInteractions": 1,
        "maximumConcurrentInteractions": 4,
    }
    assert [held["skillId"] for page in pages for held in page] == [f"s{n}" for n in range(1, 8)]


def test_what_an_assignment_does_not_state_is_left_out() -> None:
    with running() as client:
        (held,) = client.get("/api/v2/agents/a4/skills").json["entities"]
        assert client.pages("/api/v2/agents/a3/skills") == [[]]
    assert held == {"skillId": "s1", "name": "skill 1", "level": 5}


@pytest.mark.parametrize(
    ("path", "sizes"),
    [
        ("/api/v2/agents", [4]),
        ("/api/v2/agents?pageSize=1", [1, 1, 1, 1]),
        ("/api/v2/agents?pageSize=3", [3, 1]),
        ("/api/v2/agents?pageSize=500", [4]),
        ("/api/v2/skills", [5, 3]),
        ("/api/v2/work-modes", [2]),
    ],
)
def test_lists_have_the_asked_page_size(path: str, sizes: list[int]) -> None:
    with running() as client:
        pages = client.pages(path)
    assert [len(page) for page in pages] == sizes


def test_the_page_size_of_skills_is_an_option_and_a_full_last_page_names_no_next() -> None:
    with running(options=Options(skills_page=7)) as client:
        assert client.get("/api/v2/agents/a1/skills").json["nextPageUri"] is None


@pytest.mark.parametrize(
    "query",
    [
        "pageSize=0",
        "pageSize=501",
        "pageSize=-1",
        "pageSize=x",
        "pageSize=",
        "pageSize=1.0",
        "pageSize=%D9%A3",
        "pageSize=1&pageSize=2",
        "pageToken=",
        "pageToken=zzz",
        "pageToken=%C3%A9",
        "pageSize=1&pageToken=L2FwaS92Mi9za2lsbHM6NQ",
    ],
)
def test_a_page_that_cannot_be_is_refused(query: str) -> None:
    with running() as client:
        got = client.get(f"/api/v2/agents?{query}")
    assert got.status == 400
    assert got.error in ("invalid_request", "invalid_page_token")


def test_the_next_page_is_a_path_that_keeps_the_size() -> None:
    with running() as client:
        following = client.get("/api/v2/agents?pageSize=2").json["nextPageUri"]
        assert following.startswith("/api/v2/agents?pageSize=2&pageToken=")
        assert [a["id"] for a in client.get(following).json["entities"]] == ["a3", "a4"]


SHIFTS = [
    {
        "startTime": "2026-11-22T04:00:00-05:00",
        "endTime": "2026-11-22T17:00:00Z",
        "workModeId": "m1",
    }
]


@pytest.mark.parametrize(
    ("agent", "status", "shifts"),
    [("a1", 200, SHIFTS), ("a2", 200, []), ("a3", 200, None), ("a4", 404, ...)],
)
def test_a_schedule_is_a_list_empty_null_or_missing(agent: str, status: int, shifts: Any) -> None:
    with running() as client:
        got = client.get(f"/api/v2/wfm/schedules/{agent}")
    assert got.status == status
    assert got.json.get("shifts", ...) == shifts


def test_a_percent_encoded_agent_is_the_same_agent() -> None:
    with running() as client:
        assert client.get("/api/v2/agents/%611").json["id"] == "a1"
