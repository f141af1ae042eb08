"""An attacker's tools: a ledger to work on, and what can be done to one of its bundles."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxplan.audit.keys import SigningKey
from cxplan.core.canonical import sha256_hex, signed_form
from cxplan.core.evidence import VerifyReport
from tests.audit.samples import (
    OPEN,
    PLAN,
    RECORDS,
    STATEMENT,
    CountingIds,
    carry_out,
    chain_again,
    copy_ledger,
    ecdsa_key,
    ledger_at,
    payload_of,
    plan_bytes,
    records_of,
    seal_again,
    sign_again,
    statement_of,
    uuid,
)


@dataclass(frozen=True)
class Scene:
    """A ledger of three bundles, one of another ledger under the same key, and a stranger."""

    ledger: Path
    other: Path
    key: SigningKey
    stranger: SigningKey

    def bundle(self, number: int) -> Path:
        return self.ledger / folder(number)

    def verify(self, expect_head: str | None = None) -> VerifyReport:
        return ledger_at(self.ledger, self.key).verify(expect_head=expect_head)


def folder(number: int) -> str:
    return f"{number:06d}-{uuid(number)}"


def new_scene(base: Path) -> Scene:
    """Make both ledgers; slow enough to be done once a module."""
    key = ecdsa_key()
    for name, first_id in (("ledger", 1), ("other", 0x100)):
        ledger = ledger_at(base / name, key, ids=CountingIds(first_id))
        for number in (1, 2, 3):
            carry_out(ledger, number)
    return Scene(base / "ledger", base / "other", key, ecdsa_key())


def copied(template: Scene, base: Path) -> Scene:
    """A scene whose ledger may be spoiled."""
    ledger = copy_ledger(template.ledger, base / "ledger")
    return Scene(ledger, template.other, template.key, template.stranger)


Attack = Callable[[Path, Scene], object]


def edit_line(number: int, change: Callable[[bytes], bytes]) -> Attack:
    def attack(bundle: Path, _: Scene) -> None:
        lines = (bundle / RECORDS).read_bytes().splitlines(keepends=True)
        lines[number - 1] = change(lines[number - 1])
        (bundle / RECORDS).write_bytes(b"".join(lines))

    return attack


def swap_lines(first: int, second: int) -> Attack:
    def attack(bundle: Path, _: Scene) -> None:
        lines = (bundle / RECORDS).read_bytes().splitlines(keepends=True)
        lines[first - 1], lines[second - 1] = lines[second - 1], lines[first - 1]
        (bundle / RECORDS).write_bytes(b"".join(lines))

    return attack


def append_line(bundle: Path, _: Scene) -> None:
    last = (bundle / RECORDS).read_bytes().splitlines()[-1]
    more = {"at": "2026-11-22T13:00:00.000Z", "i": 8, "kind": "run.note", "prev": sha256_hex(last)}
    with (bundle / RECORDS).open("ab") as stream:
        stream.write(signed_form(more) + b"\n")


def rewrite(name: str, change: Callable[[bytes], bytes]) -> Attack:
    def attack(bundle: Path, _: Scene) -> None:
        (bundle / name).write_bytes(change((bundle / name).read_bytes()))

    return attack


def remove(name: str) -> Attack:
    return lambda bundle, _: (bundle / name).unlink()


def add(name: str) -> Attack:
    return lambda bundle, _: (bundle / name).write_bytes(b"{}\n")


def from_next_bundle(name: str) -> Attack:
    return lambda bundle, scene: shutil.copy(scene.bundle(3) / name, bundle / name)


def edit_payload(bundle: Path, _: Scene) -> None:
    envelope = json.loads((bundle / STATEMENT).read_bytes())
    payload = base64.b64decode(envelope["payload"]).replace(b'"applied":2', b'"applied":3')
    envelope["payload"] = base64.b64encode(payload).decode()
    (bundle / STATEMENT).write_bytes(signed_form(envelope) + b"\n")


def signed_by_stranger(*, claim: bool) -> Attack:
    def attack(bundle: Path, scene: Scene) -> None:
        sign_again(bundle / STATEMENT, scene.stranger, payload_of(bundle / STATEMENT))
        if claim:
            claim_key(bundle / STATEMENT, scene.key.public.fingerprint)

    return attack


def claim_key(path: Path, fingerprint: str) -> None:
    envelope = json.loads(path.read_bytes())
    envelope["signatures"][0]["keyid"] = fingerprint
    path.write_bytes(signed_form(envelope) + b"\n")


def open_by_stranger(bundle: Path, scene: Scene) -> None:
    sign_again(bundle / OPEN, scene.stranger, payload_of(bundle / OPEN))
    seal_again(bundle, scene.key)


def statement(change: Callable[[dict[str, Any]], object]) -> Attack:
    """The key's holder signs a changed statement."""

    def attack(bundle: Path, scene: Scene) -> None:
        changed = statement_of(bundle / STATEMENT)
        change(changed)
        sign_again(bundle / STATEMENT, scene.key, changed)

    return attack


def payload(change: Callable[[bytes], bytes]) -> Attack:
    """The key's holder signs bytes that no program of ours would write."""
    return lambda bundle, scene: sign_again(
        bundle / STATEMENT, scene.key, change(payload_of(bundle / STATEMENT))
    )


def opened(change: Callable[[dict[str, Any]], object]) -> Attack:
    """The key's holder signs a changed opening, chains the records to it and seals all again."""

    def attack(bundle: Path, scene: Scene) -> None:
        changed = statement_of(bundle / OPEN)
        change(changed)
        sign_again(bundle / OPEN, scene.key, changed)
        chain_again(bundle, records_of(bundle))
        seal_again(bundle, scene.key)

    return attack


def records(change: Callable[[list[dict[str, Any]]], object]) -> Attack:
    """The key's holder changes the records, rebuilds their chain and seals again."""

    def attack(bundle: Path, scene: Scene) -> None:
        changed = records_of(bundle)
        change(changed)
        chain_again(bundle, changed)
        seal_again(bundle, scene.key)

    return attack


def replanned(**changed: Any) -> Attack:
    """The key's holder puts another plan in, with a digest that fits."""

    def attack(bundle: Path, scene: Scene) -> None:
        (bundle / PLAN).write_bytes(plan_bytes(2, **changed))
        digest = {"sha256": sha256_hex((bundle / PLAN).read_bytes())}
        opened(lambda said: said["subject"][0].update(digest=digest))(bundle, scene)

    return attack


def edited_without_chain(bundle: Path, scene: Scene) -> None:
    edit_line(3, lambda line: line.replace(b'"applied"', b'"unknown"'))(bundle, scene)
    seal_again(bundle, scene.key)


def replace(name: str, make: Callable[[Path], object]) -> Attack:
    def attack(bundle: Path, _: Scene) -> None:
        (bundle / name).unlink()
        make(bundle / name)

    return attack


def sparse(size: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.touch()
        os.truncate(path, size)

    return make


def wrong_type(bundle: Path, scene: Scene) -> None:
    body = payload_of(bundle / STATEMENT)
    sign_again(bundle / STATEMENT, scene.key, body, "application/vnd.cxplan.probe")


def predicate(**changed: Any) -> Attack:
    return statement(lambda said: said["predicate"].update(changed))


def subject(number: int, **changed: Any) -> Attack:
    return statement(lambda said: said["subject"][number].update(changed))
