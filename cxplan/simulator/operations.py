"""The operations of the contract, and the way from a request to one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from cxplan.simulator import bodies
from cxplan.simulator.exchange import Call, Refusal, Reply, decode_json, json_reply
from cxplan.simulator.limits import PatchWindow
from cxplan.simulator.oauth import Tokens
from cxplan.simulator.options import Options
from cxplan.simulator.paging import asked_size, page_of
from cxplan.simulator.records import AgentState
from cxplan.simulator.spec import HoldingSpec, ScheduleKind
from cxplan.simulator.wire import Publication, SkillLevel, WorkModeUpdate, read_body
from cxplan.simulator.world import World

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
AGENT = "{agentId}"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: where it is, and the scope that it needs."""

    operation: str
    method: str
    path: str
    scope: str | None


ROUTES = (
    Route("getToken", "POST", TOKEN_PATH, None),
    Route("listAgents", "GET", "/api/v2/agents", "agent:read"),
    Route("listSkills", "GET", "/api/v2/skills", "skill:read"),
    Route("listWorkModes", "GET", "/api/v2/work-modes", "agent:read"),
    Route("getAgent", "GET", f"/api/v2/agents/{AGENT}", "agent:read"),
    Route("getAgentSkills", "GET", f"/api/v2/agents/{AGENT}/skills", "skill:read"),
    Route("getSchedule", "GET", f"/api/v2/wfm/schedules/{AGENT}", "wfm:read"),
    Route("updateWorkMode", "PATCH", f"/api/v2/agents/{AGENT}/workmodes", "agent:write"),
    Route("publishEvent", "POST", "/api/v2/events/publish", "events:publish"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    route: Route | None
    agent_id: str | None
    allowed: tuple[str, ...]
    """Methods that the path knows; none for an unknown path."""

    @property
    def logs_body(self) -> bool:
        """Whether the request's body is of interest afterwards."""
        return self.route is not None and self.route.operation in ("updateWorkMode", "publishEvent")


def find(method: str, path: str) -> Target:
    """Return the operation of ``method`` and ``path``, and the agent that the path names."""
    matches = [
        (route, agent) for route in ROUTES if (agent := _match(route.path, path)) is not None
    ]
    route = next((route for route, _ in matches if route.method == method), None)
    agent_id = matches[0][1] if matches else ""
    return Target(route, agent_id or None, tuple(route.method for route, _ in matches))


def _match(pattern: str, path: str) -> str | None:
    """Return the agent id that ``path`` gives ``pattern``, empty where it has none, or None."""
    before, found, after = pattern.partition(AGENT)
    if not found:
        return "" if path == pattern else None
    if not (path.startswith(before) and path.endswith(after)):
        return None
    middle = path[len(before) : len(path) - len(after)]
    return unquote(middle) if middle and "/" not in middle else None


class Operations:
    """Answers requests as the contract says, from a world."""

    def __init__(self, world: World, tokens: Tokens, options: Options) -> None:
        self._world = world
        self._tokens = tokens
        self._options = options
        self._window = PatchWindow(options.patches_per_second)
        self._by_name: dict[str, Callable[[Call, str], Reply]] = {
            "listAgents": self._list_agents,
            "listSkills": self._list_skills,
            "listWorkModes": self._list_work_modes,
            "getAgent": self._get_agent,
            "getAgentSkills": self._get_agent_skills,
            "getSchedule": self._get_schedule,
            "updateWorkMode": self._update_work_mode,
            "publishEvent": self._publish_event,
        }

    def answer(self, call: Call, target: Target) -> Reply:
        """Return the answer to ``call``, which takes its place in the rate window."""
        return self._guarded(call, target, self._pace)

    def perform(self, call: Call, target: Target) -> Reply:
        """Do the same for a call that took its place in the rate window before."""
        return self._guarded(call, target, lambda _call, _route: None)

    def _guarded(self, call: Call, target: Target, pace: Callable[[Call, Route], None]) -> Reply:
        try:
            route = self._route(target)
            if route.scope is None:
                return self._tokens.issue(call)
            self._tokens.require(call.header("authorization"), route.scope)
            pace(call, route)
            return self._by_name[route.operation](call, target.agent_id or "")
        except Refusal as refusal:
            return refusal.reply

    def count_arrival(self, call: Call, target: Target) -> None:
        """Let a PATCH that something else answers take its place in the rate window."""
        if target.route and target.route.method == "PATCH":
            self._window.admit(call.at)

    def _route(self, target: Target) -> Route:
        route = target.route
        if not target.allowed or (route and route.operation in self._options.missing):
            raise Refusal(404, "not_found", "There is nothing at this path.")
        if route is None:
            allowed = ", ".join(target.allowed)
            raise Refusal(
                405, "method_not_allowed", f"This path takes {allowed}.", (("Allow", allowed),)
            )
        return route

    def _pace(self, call: Call, route: Route) -> None:
        if route.method == "PATCH" and not self._window.admit(call.at):
            raise Refusal(
                429,
                "too_many_requests",
                f"At most {self._options.patches_per_second} PATCHes a second are accepted.",
                (("Retry-After", "1"),),
            )

    # --- reading ---

    def _list_agents(self, call: Call, _agent_id: str) -> Reply:
        agents, following = page_of(call, self._world.agents(), asked_size(call))
        modes = self._world.modes
        return _page([bodies.agent_body(agent, modes) for agent in agents], following)

    def _list_skills(self, call: Call, _agent_id: str) -> Reply:
        return self._small_pages(call, [bodies.skill_body(s) for s in self._world.skills.values()])

    def _list_work_modes(self, call: Call, _agent_id: str) -> Reply:
        return self._small_pages(call, [bodies.mode_body(m) for m in self._world.modes.values()])

    def _get_agent(self, _call: Call, agent_id: str) -> Reply:
        agent = self._known(agent_id)
        return json_reply(200, bodies.agent_body(agent, self._world.modes), _etag(agent))

    def _get_agent_skills(self, call: Call, agent_id: str) -> Reply:
        skills = self._world.skills
        held = self._known(agent_id).skills
        return self._small_pages(call, [bodies.holding_body(one, skills) for one in held])

    def _get_schedule(self, _call: Call, agent_id: str) -> Reply:
        planned = self._world.schedule(agent_id)
        if planned is None or planned.schedule is ScheduleKind.MISSING:
            raise Refusal(404, "not_found", "There is no schedule for this agent.")
        return json_reply(200, bodies.schedule_body(planned))

    def _small_pages(self, call: Call, items: list[dict[str, Any]]) -> Reply:
        entities, following = page_of(call, items, self._options.skills_page)
        return _page(entities, following)

    def _known(self, agent_id: str) -> AgentState:
        agent = self._world.agent(agent_id)
        if agent is None:
            raise Refusal(404, "not_found", "There is no such agent.")
        return agent

    # --- writing ---

    def _update_work_mode(self, call: Call, agent_id: str) -> Reply:
        update = read_body(call, WorkModeUpdate)
        self._check_references(update)
        wanted = [_holding(level) for level in update.skill_levels]

        def allowed(agent: AgentState) -> None:
            self._check_lock(agent, call.headers.get("if-match", ()))
            for skill in wanted:
                self._check_concurrency(agent, skill)

        after = self._world.patch(agent_id, update.work_mode_id, wanted, allowed, call.sequence)
        return json_reply(200, bodies.update_body(after, self._world.skills), _etag(after))

    def _check_references(self, update: WorkModeUpdate) -> None:
        if update.work_mode_id not in self._world.modes:
            raise Refusal(422, "unprocessable", "workModeId: there is no such work mode.")
        ids = [level.skill_id for level in update.skill_levels]
        if len(set(ids)) != len(ids):
            raise Refusal(400, "invalid_request", "skillLevels: a skill stands there twice.")
        if not self._world.skills.keys() >= set(ids):
            raise Refusal(422, "unprocessable", "skillLevels: there is no such skill.")

    def _check_lock(self, agent: AgentState, tags: tuple[str, ...]) -> None:
        """A wildcard, a list or a weak tag is not the tag of the state that was decided on."""
        if not tags:
            raise Refusal(428, "precondition_required", "If-Match is missing.")
        if tags != (agent.etag,):
            raise Refusal(
                self._options.conflict_status,
                "precondition_failed",
                "If-Match is not the current ETag of this agent.",
            )

    def _check_concurrency(self, agent: AgentState, wanted: HoldingSpec) -> None:
        held = agent.holds(wanted.skill_id)
        maximum = held.maximum if held else self._world.skills[wanted.skill_id].maximum
        limit = maximum or 1
        if (wanted.concurrent or 0) > limit:
            raise Refusal(
                422,
                "unprocessable",
                f"concurrentInteractions: the limit for this skill is {limit}.",
            )

    def _publish_event(self, call: Call, _agent_id: str) -> Reply:
        event = read_body(call, Publication)
        entry = self._world.log_event(event.data.agent_id, decode_json(call.body or b""))
        return json_reply(202, {"eventId": f"event-{entry.sequence}", "status": "accepted"})


def _holding(level: SkillLevel) -> HoldingSpec:
    return HoldingSpec(level.skill_id, level.level, level.concurrent_interactions)


def _etag(agent: AgentState) -> tuple[tuple[str, str], ...]:
    return (("ETag", agent.etag),)


def _page(entities: Sequence[dict[str, Any]], following: str | None) -> Reply:
    return json_reply(200, bodies.page_body(entities, following))
