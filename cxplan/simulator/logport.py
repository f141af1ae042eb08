"""A second port for tests: what happened, and changes by another admin. Loopback only, no login."""

from __future__ import annotations

from aiohttp import web

from cxplan.core.errors import InvalidError
from cxplan.simulator.exchange import Call, Refusal, Reply, json_reply
from cxplan.simulator.options import Clock
from cxplan.simulator.schema import parse_foreign, parse_rules
from cxplan.simulator.transport import common_headers, plain, receive
from cxplan.simulator.world import World


class LogPort:
    """GET /requests, /changes, /events, /state; POST /foreign, /rules, /reset-log."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._routes = {
            ("GET", "/requests"): self._requests,
            ("GET", "/changes"): self._changes,
            ("GET", "/events"): self._events,
            ("GET", "/state"): self._state,
            ("POST", "/foreign"): self._foreign,
            ("POST", "/rules"): self._rules,
            ("POST", "/reset-log"): self._reset,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; nothing here is logged."""
        call = await receive(request, 0, self._clock.monotonic())
        return plain(self._answer(call), common_headers(self._clock.now(), call.sequence))

    def _answer(self, call: Call) -> Reply:
        try:
            _refuse_web_page(call)
            return self._routes.get((call.method, call.path), _nothing)(call)
        except Refusal as refusal:
            return refusal.reply
        except InvalidError as error:
            problem = error.problem
            body = {"error": problem.code, "message": problem.summary, "hint": problem.hint}
            return json_reply(400, body)

    def _requests(self, _call: Call) -> Reply:
        return json_reply(200, {"requests": [entry.as_json() for entry in self._world.requests()]})

    def _changes(self, _call: Call) -> Reply:
        return json_reply(200, {"changes": [entry.as_json() for entry in self._world.changes()]})

    def _events(self, _call: Call) -> Reply:
        return json_reply(200, {"events": [entry.as_json() for entry in self._world.events()]})

    def _state(self, _call: Call) -> Reply:
        return json_reply(200, {"agents": [agent.as_json() for agent in self._world.agents()]})

    def _foreign(self, call: Call) -> Reply:
        agent_id, change = parse_foreign(call.body or b"")
        return json_reply(200, self._world.change_as_foreign(agent_id, change).as_json())

    def _rules(self, call: Call) -> Reply:
        rules = parse_rules(call.body or b"")
        for rule in rules:
            self._world.add_rule(rule)
        return json_reply(200, {"added": len(rules)})

    def _reset(self, _call: Call) -> Reply:
        self._world.clear_logs()
        return json_reply(200, {"reset": True})


def _nothing(_call: Call) -> Reply:
    raise Refusal(404, "not_found", "There is nothing at this path.")


def _refuse_web_page(call: Call) -> None:
    """A page in a browser can post to loopback, but says so."""
    if call.header("origin") is not None:
        raise Refusal(403, "forbidden", "This port does not talk to web pages.")
