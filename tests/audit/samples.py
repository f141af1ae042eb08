"""What the tests of evidence share: a clock, ids, a minimal plan, and runs made of them."""

from __future__ import annotations

import base64
import json
import resource
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # a re-export

from cxplan.audit import envelope
from cxplan.audit.keys import PublicKey, SigningKey, public_key
from cxplan.audit.ledger import FileLedger
from cxplan.audit.review import Trust
from cxplan.core.canonical import canonical, sha256_hex, signed_form
from cxplan.core.errors import Exit
from cxplan.core.evidence import Actor, Closing, Head, Opening, VerifyReport
from cxplan.ports import Run

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STATEMENT, OPEN, PLAN, RECORDS = (
    "statement.dsse.json",
    "open.dsse.json",
    "plan.json",
    "records.jsonl",
)
FILES = (STATEMENT, OPEN, PLAN, RECORDS)
AGENTS = ("agent-0001", "agent-0002", "agent-0003")


@dataclass
class FakeClock:
    """A clock that moves a millisecond whenever somebody looks."""

    at: datetime = NOON
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class CountingIds:
    """Uuids in order."""

    next: int = 1

    def new(self) -> str:
        self.next += 1
        return uuid(0xF000 + self.next)


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def ecdsa_key() -> SigningKey:
    return _signing(ec.generate_private_key(ec.SECP256R1()))


def ed25519_key() -> SigningKey:
    return _signing(ed25519.Ed25519PrivateKey.generate())


def _signing(private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> SigningKey:
    public = public_key(private.public_key())
    assert public is not None
    return SigningKey(CryptoSigner(private, public.key), public)


def pem_of(key: PublicKey) -> bytes:
    return key.key._crypto_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def plan_bytes(number: int = 1, agents: Iterable[str] = AGENTS, **changed: Any) -> bytes:
    """A minimal plan document: what a bundle reads of one."""
    document = {
        "kind": "cxplan/plan",
        "planId": uuid(0xA000 + number),
        "createdAt": "2026-11-22T11:00:00Z",
        "expiresAt": "2026-11-23T11:00:00Z",
        "semanticDigest": f"sha256:{number:064x}",
        "agents": [{"agent": {"id": agent}} for agent in agents],
    }
    return canonical(document | changed)


def opening(number: int = 1, plan: bytes | None = None) -> Opening:
    said = json.loads(plan or plan_bytes(number))
    return Opening(
        run_id=uuid(number),
        opened_at=NOON + timedelta(minutes=number),
        actor=Actor("ci", "octocat", {"GITHUB_RUN_ID": "17"}),
        tool_version="1.0.0",
        tenant="acme-demo",
        base_url="https://api.example",
        api_version="availability-v2",
        plan_id=said["planId"],
        plan_created_at=said["createdAt"],
        plan_expires_at=said["expiresAt"],
        plan_semantic_digest=said["semanticDigest"],
    )


def closing(**summary: int) -> Closing:
    return Closing(NOON + timedelta(hours=1), Exit.OK, summary)


def ledger_at(
    root: Path,
    key: SigningKey | None = None,
    *,
    trusted: tuple[PublicKey, ...] | None = None,
    signer: Callable[[], SigningKey] | None = None,
    ids: CountingIds | None = None,
) -> FileLedger:
    """A ledger that trusts its own key, unless others are named."""
    keys = trusted if trusted is not None else (key.public,) if key else ()
    return FileLedger(
        root,
        owner="pat on build-7",
        clock=FakeClock(),
        ids=ids or CountingIds(),
        signer=signer or ((lambda: key) if key else None),
        trust=Trust(keys, own_only=trusted is None),
    )


def write_agent(run: Run, agent: str, outcome: str = "applied") -> None:
    run.record("agent.intent", {"agentId": agent, "ifMatch": '"7"'})
    run.record("agent.outcome", {"agentId": agent, "outcome": outcome})


def carry_out(ledger: FileLedger, number: int = 1, agents: Iterable[str] = AGENTS) -> Head:
    """One whole run: the first two agents are written, the others were there already."""
    plan = plan_bytes(number, agents)
    summary: dict[str, int] = {}
    with ledger.lock(plan_id=opening(number, plan).plan_id):
        run = ledger.begin(opening(number, plan), plan)
        run.record("run.start", {"commit": "0" * 40})
        for place, agent in enumerate(agents):
            outcome = "applied" if place < 2 else "alreadyThere"
            if place < 2:
                write_agent(run, agent)
            else:
                run.record("agent.outcome", {"agentId": agent, "outcome": outcome})
            summary[outcome] = summary.get(outcome, 0) + 1
        return run.seal(closing(**summary))


def codes(report: VerifyReport) -> list[str]:
    return [failure.code for failure in report.all_failures]


# --- an attacker's tools -------------------------------------------------------------------------


def payload_of(path: Path) -> bytes:
    return base64.b64decode(json.loads(path.read_bytes())["payload"])


def statement_of(path: Path) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(payload_of(path))
    return statement


def sign_again(
    path: Path,
    key: SigningKey,
    statement: Mapping[str, Any] | bytes,
    payload_type: str = envelope.PAYLOAD_TYPE,
) -> None:
    """Put a freshly signed envelope in the place of the one at ``path``."""
    payload = statement if isinstance(statement, bytes) else signed_form(statement)
    path.write_bytes(envelope.sign(payload, key, payload_type))


def seal_again(
    bundle: Path, key: SigningKey, change: Callable[[dict[str, Any]], object] = lambda _: None
) -> None:
    """Let the holder of ``key`` seal whatever lies in the bundle now, with counts that fit."""
    statement = statement_of(bundle / STATEMENT)
    for subject in statement["subject"]:
        subject["digest"]["sha256"] = sha256_hex((bundle / subject["name"]).read_bytes())
    lines = (bundle / RECORDS).read_bytes().splitlines()
    kinds = [json.loads(line).get("kind") for line in lines]
    statement["predicate"]["records"] = {
        "count": len(lines),
        "intents": kinds.count("agent.intent"),
        "outcomes": kinds.count("agent.outcome"),
        "last": {"sha256": sha256_hex(lines[-1])},
    }
    change(statement)
    sign_again(bundle / STATEMENT, key, statement)


def chain_again(bundle: Path, records: list[dict[str, Any]]) -> None:
    """Write ``records`` with a chain that holds."""
    previous = sha256_hex(payload_of(bundle / OPEN))
    lines = []
    for number, record in enumerate(records, start=1):
        lines.append(signed_form(record | {"i": number, "prev": previous}))
        previous = sha256_hex(lines[-1])
    (bundle / RECORDS).write_bytes(b"".join(line + b"\n" for line in lines))


def records_of(bundle: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (bundle / RECORDS).read_bytes().splitlines()]


def copy_ledger(source: Path, to: Path) -> Path:
    shutil.copytree(source, to, symlinks=True)
    return to


# --- a disk that fails ---------------------------------------------------------------------------


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let the system refuse to make any file longer than ``size`` bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
