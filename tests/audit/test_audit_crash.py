"""A process that is killed at any durable operation loses nothing but the seal.

A child runs a whole apply on a ledger and ends without any clean-up, as a kill would end it, at
its first, second, third … durable operation.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxplan.audit.keys import SigningKey
from cxplan.core.errors import EvidenceError, Exit
from tests.audit.samples import (
    AGENTS,
    RECORDS,
    closing,
    codes,
    ecdsa_key,
    ledger_at,
    opening,
    plan_bytes,
    records_of,
)

DURABLE = ("mkdir", "write", "fsync", "rename")
KILLED = 9


def apply_and_die(root: Path, key: SigningKey, tenant: Path, at: int) -> int:
    """Run an apply in a child that ends at its ``at``-th durable operation; return its code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _apply(root, key, tenant, at)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _apply(root: Path, key: SigningKey, tenant: Path, at: int) -> int:
    left = [at]

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os._exit(KILLED)
            return call(*args, **kwargs)

        return instead

    for name in DURABLE:
        setattr(os, name, dying(getattr(os, name)))
    ledger = ledger_at(root, key)
    plan = plan_bytes(1, AGENTS[:2])
    with ledger.lock(plan_id="p"):
        run = ledger.begin(opening(1, plan), plan)
        run.record("run.start", {})
        for agent in AGENTS[:2]:
            run.record("agent.intent", {"agentId": agent})
            with tenant.open("a") as changes:
                changes.write(f"{agent}\n")
            run.record("agent.outcome", {"agentId": agent, "outcome": "applied"})
        run.seal(closing(applied=2))
    return 0


def test_killed_at_every_durable_operation(tmp_path: Path) -> None:
    key = ecdsa_key()
    states = set()
    for at in range(1, 100):
        base = tmp_path / str(at)
        base.mkdir()
        code = apply_and_die(base / "audit", key, base / "tenant", at)
        states.add(state_of(base, key))
        if code == 0:
            break
        assert code == KILLED
    else:
        pytest.fail("the run has no end")
    assert at > 25
    assert states == {"nothing", "open", "sealed"}


def state_of(base: Path, key: SigningKey) -> str:
    """Return what the run left, having checked that it is all that may be left."""
    root, tenant = base / "audit", base / "tenant"
    changed = tenant.read_text().split() if tenant.exists() else []
    ledger = ledger_at(root, key)
    if not root.exists() or not list(root.glob("0*")):
        assert changed == []
        return "nothing"
    [bundle] = root.glob("0*")
    if not bundle.name.endswith(".open"):
        assert ledger.verify().exit is Exit.OK
        assert changed == list(AGENTS[:2])
        return "sealed"
    journal = bundle / RECORDS
    records = records_of(bundle) if journal.exists() else []
    intents = [record["agentId"] for record in records if record["kind"] == "agent.intent"]
    assert set(changed) <= set(intents)
    assert codes(ledger.verify()) == ["audit.unsealed"]
    with pytest.raises(EvidenceError) as error, ledger.lock(plan_id="p"):
        pass
    assert error.value.problem.code == "audit.unsealed"
    return "open"
