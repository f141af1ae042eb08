"""Schemathesis reads the contract, makes requests of it, and holds each answer against it.

The simulator is asked over HTTP, with a live token, agents that exist and the ETag of the moment.
What a request is made of beyond that is schemathesis' choice, valid and invalid.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure, FailureGroup, ServerError
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.openapi import checks

from cxplan.simulator.options import Options
from cxplan.simulator.rules import Rule
from cxplan.simulator.wire import HIGHEST_LEVEL
from tests.simulator.kit import MODES, SCOPES, SKILLS, Client, running

FILE = Path(__file__).parent / "availability-v2.openapi.yaml"
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 7,
        "cache": {"enabled": False},
        "generation": {"max-examples": 25, "deterministic": True, "database": "none"},
        "checks": {
            # A valid request about what exists is done; 404 is an agent without a schedule.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "404"]},
            "missing_required_header": {"expected-statuses": [428]},
        },
    }
)
CONTRACT = schemathesis.openapi.from_path(FILE, config=CONFIG)
OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in CONTRACT.get_all_operations()
    if isinstance(found, Ok)
}
OPTIONAL = frozenset(
    name for name, found in OPERATIONS.items() if found.definition.raw.get("x-optional")
)
NEVER_REACHED = 10**9
Case = schemathesis.Case[Any]


class Hidden(Failure):
    """Something that the contract's ``default`` would let pass."""


def default_stands_for_errors(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """Most operations have a ``default`` answer, under which any status is one that is known.

    It is described as errors only, so a success or a redirect must be listed by number.
    """
    found = case.operation.responses.find_by_status_code(response.status_code)
    if response.status_code < 400 and (found is None or found.status_code == "default"):
        raise Hidden(
            operation=case.operation.label,
            title="Success under default",
            message=f"{response.status_code} is not listed",
        )


def documented_headers_are_sent(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """The contract requires no header, but a write needs the ETag that the read promises."""
    found = case.operation.responses.find_by_status_code(response.status_code)
    promised = [name for name, _ in found.headers.items()] if found else []
    missing = [name for name in promised if name.lower() not in response.headers]
    if missing:
        raise Hidden(
            operation=case.operation.label,
            title="Documented header is missing",
            message=", ".join(missing),
        )


@dataclass(frozen=True)
class Asker:
    """Sends generated cases to a simulator, about what it holds."""

    tenant: Client
    session: requests.Session
    agents: Iterator[str]

    def hold(self, case: Case) -> schemathesis.Response:
        """Send ``case`` and hold the answer against the contract.

        Raises:
            FailureGroup: they disagree.
        """
        self._about_this_tenant(case)
        name = case.operation.definition.raw["operationId"]
        call: dict[str, Any] = {
            "base_url": self.tenant.simulator.api_url,
            "session": self.session,
            "headers": {"Authorization": self._authorization(name)},
        }
        if name == "getToken" and not (isinstance(case.body, dict) and "grant_type" in case.body):
            call["params"] = {"grant_type": "client_credentials"}
        return case.call_and_validate(
            additional_checks=[default_stands_for_errors, documented_headers_are_sent], **call
        )

    def _authorization(self, name: str) -> str:
        return self.tenant.basic() if name == "getToken" else f"Bearer {self.tenant.token}"

    def _about_this_tenant(self, case: Case) -> None:
        """Put real ids, tags and scopes where a valid value of any kind stands.

        What was made invalid on purpose stays as it is.
        """
        agent = next(self.agents)
        if "agentId" in case.path_parameters and not _spoiled(case, ParameterLocation.PATH):
            case.path_parameters = {"agentId": agent}
        if "If-Match" in case.headers and not _spoiled(case, ParameterLocation.HEADER):
            case.headers["If-Match"] = self._etag(case.path_parameters["agentId"])
        if isinstance(case.body, dict) and not _spoiled(case, ParameterLocation.BODY):
            case.body = _real(case.operation.definition.raw["operationId"], case.body, agent)

    def _etag(self, agent: str) -> str:
        found = self.tenant.simulator.world.agent(agent)
        return found.etag if found else '"none"'


def _spoiled(case: Case, where: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(where)


def _real(name: str, body: dict[str, Any], agent: str) -> dict[str, Any]:
    """Return ``body`` about what exists, within the limits that the contract leaves to a tenant.

    3.0 becomes 3: for JSON Schema it is an integer, for the simulator it is none.
    """
    match name:
        case "getToken":
            return body | {"scope": SCOPES}
        case "publishEvent":
            return body | {"data": body["data"] | {"agentId": agent}}
        case _:
            levels = [
                level
                | {
                    "skillId": skill.id,
                    "level": min(int(level["level"]), HIGHEST_LEVEL),
                    "concurrentInteractions": min(int(level["concurrentInteractions"]), 1),
                }
                for level, skill in zip(body["skillLevels"], SKILLS, strict=False)
            ]
            return body | {"workModeId": MODES[0].id, "skillLevels": levels}


@contextmanager
def asking(options: Options | None = None) -> Iterator[Asker]:
    chosen = options or Options(patches_per_second=NEVER_REACHED, skills_page=3)
    with running(options=chosen) as tenant, requests.Session() as session:
        session.trust_env = False
        tenant.log_in()
        yield Asker(tenant, session, itertools.cycle(tenant.simulator.world.agent_ids()))


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    with asking() as found:
        yield found


@CONTRACT.parametrize()
def test_simulator_and_contract_agree(case: Case, asker: Asker) -> None:
    asker.hold(case)


def some(name: str, asker: Asker, mode: GenerationMode = GenerationMode.POSITIVE) -> list[int]:
    """Hold a few requests of an operation, and return what they were answered."""
    statuses = []

    @settings(
        max_examples=3, derandomize=True, database=None, phases=[Phase.generate], deadline=None
    )
    @given(case=OPERATIONS[name].as_strategy(mode))
    def run(case: Case) -> None:
        statuses.append(asker.hold(case).status_code)

    run()
    return statuses


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_valid_requests_about_this_tenant_are_done(name: str, asker: Asker) -> None:
    assert any(200 <= status < 300 for status in some(name, asker))


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_an_optional_operation_may_be_missing_and_no_other(name: str) -> None:
    with asking(Options(missing=OPTIONAL)) as asker:
        assert set(some(name, asker)) <= {404, 405}
        assert 200 in some("getAgent", asker)


AGENT = "/api/v2/agents/*"
HTML = (("Content-Type", ("text/html",)),)
DONE = json.dumps({"workModeId": "m1", "skillLevels": []})
PLANTED: list[tuple[str, Rule, type[Failure]]] = [
    ("getAgent", Rule("GET", AGENT, merge={"currentWorkMode": "busy"}), checks.JsonSchemaError),
    ("getAgent", Rule("GET", AGENT, merge={"id": None}), checks.JsonSchemaError),
    ("getAgent", Rule("GET", AGENT, headers=HTML), checks.UndefinedContentType),
    ("getAgent", Rule("GET", AGENT, headers=(("ETag", ()),)), Hidden),
    ("getAgent", Rule("GET", AGENT, status=203, commit=True), Hidden),
    ("getAgent", Rule("GET", AGENT, status=500), ServerError),
    ("getAgent", Rule("GET", AGENT, status=400), checks.RejectedPositiveData),
    ("listAgents", Rule("GET", "/api/v2/agents", merge={"entities": {}}), checks.JsonSchemaError),
    (
        "getAgentSkills",
        Rule("GET", f"{AGENT}/skills", merge={"entities": [{"skillId": "s1", "level": "3"}]}),
        checks.JsonSchemaError,
    ),
    (
        "getSchedule",
        Rule(
            "GET",
            "/api/v2/wfm/schedules/*",
            merge={"shifts": [{"startTime": "9 o'clock", "endTime": "", "workModeId": "m1"}]},
        ),
        checks.JsonSchemaError,
    ),
    (
        "updateWorkMode",
        Rule("PATCH", f"{AGENT}/workmodes", merge={"skillLevels": [{"skillId": 4711}]}),
        checks.JsonSchemaError,
    ),
    ("updateWorkMode", Rule("PATCH", f"{AGENT}/workmodes", status=204), Hidden),
    (
        "getToken",
        Rule("POST", "/oauth/token", merge={"expires_in": "3600"}),
        checks.JsonSchemaError,
    ),
    ("getToken", Rule("POST", "/oauth/token", status=418), checks.UndefinedStatusCode),
    ("publishEvent", Rule("POST", "/api/v2/events/publish", status=302), Hidden),
]


@pytest.mark.parametrize(
    ("name", "rule", "kind"), PLANTED, ids=[f"{name}-{kind.__name__}" for name, _, kind in PLANTED]
)
def test_a_planted_disagreement_is_found(name: str, rule: Rule, kind: type[Failure]) -> None:
    with asking() as asker:
        asker.tenant.simulator.world.add_rule(rule)
        with pytest.raises(FailureGroup) as found:
            some(name, asker)
    assert any(isinstance(failure, kind) for failure in found.value.exceptions), found.value


def test_invalid_data_that_is_accepted_is_found() -> None:
    accepting = Rule("PATCH", f"{AGENT}/workmodes", body=DONE, headers=(("ETag", ('"new"',)),))
    with asking() as asker:
        assert set(some("updateWorkMode", asker, GenerationMode.NEGATIVE)) <= {400, 404, 428}
        asker.tenant.simulator.world.add_rule(accepting)
        with pytest.raises(FailureGroup) as found:
            some("updateWorkMode", asker, GenerationMode.NEGATIVE)
    assert any(isinstance(failure, AcceptedNegativeData) for failure in found.value.exceptions)
