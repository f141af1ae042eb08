"""The client against recorded exchanges, without a socket, and what keeps the recordings honest."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import disable_socket
from vcr.errors import (  # type: ignore[import-untyped]  # vcrpy ships no types
    CannotOverwriteExistingCassetteException,
)
from vcr.serializers import yamlserializer  # type: ignore[import-untyped]  # as above

from cxplan.core.answers import Answer
from cxplan.core.ids import ETag, SkillId
from cxplan.core.live import Assignment, ObservedAgent, Schedule, TenantIdentity
from cxplan.tenant.availability.tenant import AvailabilityTenant
from tests.recordings.kit import (
    CHANGE,
    EXCHANGES,
    FOLDER,
    observed,
    record,
    replayed,
    simulated,
)
from tests.simulator.kit import SHIFT, Client, StillClock

EVERY = sorted(EXCHANGES)


@pytest.fixture(scope="module", autouse=True)
def _regenerated(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--regenerate"):
        for name in EVERY:
            record(name, FOLDER)


@pytest.fixture
def no_socket(_regenerated: None) -> None:
    """Not pytest-socket's own fixture, which blocks before a recording can be made anew."""
    disable_socket()


def played(name: str) -> Any:
    """Play an exchange from its recording, the whole of it, and return what it gave."""
    with replayed(name) as (tenant, recording):
        found = EXCHANGES[name].play(tenant)
        assert recording.all_played
    return found


def parsed(path: Path) -> Any:
    return yamlserializer.deserialize(path.read_text("utf-8"))


@pytest.mark.parametrize("name", EVERY)
def test_a_recording_made_now_is_the_one_that_is_kept(name: str, tmp_path: Path) -> None:
    assert parsed(record(name, tmp_path)) == parsed(FOLDER / f"{name}.yaml"), "see --regenerate"


def test_there_is_no_recording_that_nobody_plays() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == EVERY


@pytest.mark.usefixtures("no_socket")
class TestReplay:
    def test_token(self) -> None:
        identity = played("token")
        assert isinstance(identity, TenantIdentity)
        assert identity.server_date == "Sun, 22 Nov 2026 09:00:00 GMT"

    def test_agent_in_two_pages(self) -> None:
        agent = played("agent-in-two-pages")
        assert agent.work_mode == "m1"
        assert [held.skill_id for held in agent.skills] == [f"s{n}" for n in range(1, 8)]
        assert agent.skills[2] == Assignment(SkillId("s3"), 3, 1, 4)

    def test_schedule(self) -> None:
        schedule = played("schedule")
        assert isinstance(schedule, Schedule)
        (shift,) = schedule.shifts
        assert (shift.start, shift.end) == (SHIFT.start.astimezone(UTC), SHIFT.end)
        assert shift.work_mode == "m1"

    def test_write_applied(self) -> None:
        answer = played("write-applied")
        assert isinstance(answer, Answer)
        assert (answer.status, answer.failure) == (200, None)
        assert answer.state is not None
        assert answer.state.work_mode == "m2"
        assert answer.state.holds(SkillId("s1")) == Assignment(SkillId("s1"), 5, 2, 4)
        assert answer.state.holds(SkillId("s8")) == Assignment(SkillId("s8"), 1, 1, 1)
        assert answer.etag == answer.state.etag

    def test_write_stale(self) -> None:
        answer = played("write-stale")
        assert (answer.status, answer.failure, answer.state) == (412, None, None)

    def test_event(self) -> None:
        answer = played("event")
        assert (answer.status, answer.failure) == (202, None)


class Lockless(AvailabilityTenant):
    """The client with its lock taken out: it writes whatever has happened meanwhile."""

    def _send(self, method: str, target: str, headers: Any, body: Any, *may_leave: Any) -> Any:
        without = tuple((name, value) for name, value in headers if name != "If-Match")
        return super()._send(method, target, without, body, *may_leave)


def no_match(caught: pytest.ExceptionInfo[Any]) -> list[str]:
    """The ways in which the nearest recorded request differs."""
    assert caught.value.reason == "no_match"
    _, _, failed = caught.value.similar_requests[0]
    return [name for name, _ in failed]


@pytest.mark.usefixtures("no_socket")
class TestLock:
    def test_a_client_without_the_lock_is_caught(self) -> None:
        with (
            replayed("write-applied", kind=Lockless) as (tenant, _),
            pytest.raises(CannotOverwriteExistingCassetteException) as caught,
        ):
            EXCHANGES["write-applied"].play(tenant)
        assert no_match(caught) == ["same_if_match"]

    def test_without_our_matcher_it_would_not_be(self) -> None:
        usual = ("method", "path", "query")
        with replayed("write-applied", kind=Lockless, match_on=usual) as (tenant, _):
            answer = EXCHANGES["write-applied"].play(tenant)
        assert answer.status == 200

    def test_another_tag_is_caught(self) -> None:
        with replayed("write-applied") as (tenant, _):
            seen = replace(observed(tenant), etag=ETag('"of another state"'))
            with pytest.raises(CannotOverwriteExistingCassetteException) as caught:
                tenant.write(CHANGE, seen)
        assert no_match(caught) == ["same_if_match"]

    @pytest.mark.parametrize(
        "change",
        [replace(CHANGE, skills=CHANGE.skills[:1]), replace(CHANGE, reason="another")],
        ids=["a skill less", "another reason"],
    )
    def test_another_body_is_caught(self, change: Any) -> None:
        with replayed("write-applied") as (tenant, _):
            seen = observed(tenant)
            assert isinstance(seen, ObservedAgent)
            with pytest.raises(CannotOverwriteExistingCassetteException) as caught:
                tenant.write(change, seen)
        assert no_match(caught) == ["raw_body"]


CREDENTIALS = re.compile(r"authorization|\b(basic|bearer)\s+[a-z0-9._~+/=-]{8,}", re.IGNORECASE)


@cache
def secrets() -> frozenset[str]:
    """All that must not be in a recording: the secret in each form, and every token given out."""
    with simulated(EXCHANGES["token"]) as simulator:
        client = Client(simulator, StillClock())
        found = {simulator.client_secret, client.basic().partition(" ")[2]}
        for _ in range(9):
            client.log_in()
            found.add(client.token)
    encoded = {base64.b64encode(text.encode()).decode().rstrip("=") for text in found}
    return frozenset(found | encoded)


def leaks(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    found = [secret for secret in secrets() if secret in text]
    return found + [match[0] for match in CREDENTIALS.finditer(text)]


@pytest.mark.parametrize("name", EVERY)
def test_a_recording_holds_no_secret(name: str) -> None:
    assert leaks(FOLDER / f"{name}.yaml") == []


def test_the_search_for_secrets_finds_them(tmp_path: Path) -> None:
    found = leaks(record("token", tmp_path, filtered=False))
    assert len(found) >= 3, "the client's credentials, the token and the header's name"
