"""One request from arrival to answer: log, fault rule, operation, delay."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from aiohttp import web

from cxplan.simulator.exchange import Call, Reply, decode_json
from cxplan.simulator.oauth import Tokens
from cxplan.simulator.operations import TOKEN_PATH, Operations, Target, find
from cxplan.simulator.options import Clock, Options
from cxplan.simulator.records import RequestEntry
from cxplan.simulator.rules import Foreign, Rule
from cxplan.simulator.shaping import filler, spoil
from cxplan.simulator.transport import common_headers, hang_up, plain, receive, send_raw
from cxplan.simulator.world import World


class TenantApi:
    """Serves the contract out of a world; runs in one event loop."""

    def __init__(self, world: World, tokens: Tokens, options: Options, clock: Clock) -> None:
        self._world = world
        self._tokens = tokens
        self._options = options
        self._clock = clock
        self._operations = Operations(world, tokens, options)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        at = self._clock.monotonic()
        call = await receive(request, self._world.next_sequence(), at)
        target = find(call.method, call.path)
        entry = _entry(call, target)
        self._world.log_request(entry)
        rule = self._world.acting_rule(call.method, call.path)
        if rule is not None:
            return await self._go_wrong(request, call, target, rule)
        reply = self._operations.answer(call, target)
        self._world.log_request(replace(entry, status=reply.status))
        await self._wait(0)
        return plain(reply, common_headers(self._clock.now(), call.sequence))

    async def _go_wrong(
        self, request: web.BaseRequest, call: Call, target: Target, rule: Rule
    ) -> web.StreamResponse:
        reply = self._act(call, target, rule)
        if rule.hang_up:
            await self._wait(rule.delay_ms)
            return hang_up(request, reset=rule.reset is not None)
        base = common_headers(self._clock.now(), call.sequence)
        answer = spoil(rule, reply, base, filler(_host(request), self._world.rules.fresh_number))
        self._world.log_request(replace(_entry(call, target), status=answer.status))
        await self._wait(rule.delay_ms)
        return await send_raw(request, answer)

    def _act(self, call: Call, target: Target, rule: Rule) -> Reply | None:
        """Do what the rule wants done to the tenant; return the handler's answer if it ran."""
        if rule.revoke_tokens:
            self._tokens.revoke()
        self._change(target, rule.foreign)
        reply = self._operations.answer(call, target) if rule.handles else None
        if not rule.handles:
            self._operations.count_arrival(call, target)
        if rule.commit_delay_ms is not None:
            delay = rule.commit_delay_ms / 1000
            loop = asyncio.get_running_loop()
            loop.call_later(delay, self._operations.perform, call, target)
        self._change(target, rule.foreign_after)
        return reply

    def _change(self, target: Target, change: Foreign | None) -> None:
        """Change the agent that the rule names, or the one of the request where there is one."""
        if change is None:
            return
        agent_id = change.agent_id or target.agent_id
        if agent_id is not None and self._world.agent(agent_id) is not None:
            self._world.change_as_foreign(agent_id, change)

    async def _wait(self, milliseconds: int) -> None:
        delay = self._options.latency_ms + milliseconds
        if delay:
            await asyncio.sleep(delay / 1000)


def _entry(call: Call, target: Target) -> RequestEntry:
    return RequestEntry(
        sequence=call.sequence,
        at_ms=round(call.at * 1000, 3),
        method=call.method,
        path=call.path,
        query="" if call.path == TOKEN_PATH else call.query,
        agent_id=target.agent_id,
        if_match=call.header("if-match"),
        body=_body_value(call.body) if target.logs_body else None,
    )


def _body_value(body: bytes | None) -> Any:
    try:
        return decode_json(body or b"null")
    except ValueError:
        return (body or b"").decode("utf-8", "replace")


def _host(request: web.BaseRequest) -> str:
    transport = request.transport
    host, port = transport.get_extra_info("sockname") if transport else ("127.0.0.1", 0)
    return f"{host}:{port}"
