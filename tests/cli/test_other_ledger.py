"""A ledger belongs to one tenant: with another's, nothing is compared and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.kit import TENANT_YAML
from tests.cli.small import small

COMMANDS = [
    ("plan",),
    ("drift",),
    ("apply", "--auto-approve"),
    ("apply", "--only-due", "--auto-approve"),
]


def test_another_tenants_ledger_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        assert on.cxplan("plan", "-o", "made-before.json").code == 0
        assert on.cxplan("apply", "--auto-approve").code == 0
        before, written = sorted((tmp_path / "audit").iterdir()), len(on.patches())
        on.write({"tenant.yaml": TENANT_YAML.replace("tenant: test", "tenant: other")})
        for command in COMMANDS:
            done = on.cxplan(*command, "--json")
            assert done.code == 9, (command, done.out + done.err)
            (error,) = done.json["errors"]
            assert error["code"] == "audit.tenant"
            assert "tenant test" in error["summary"]
            assert "declare other" in error["summary"]
            assert error["hint"].startswith("Give the ledger of this tenant with --audit")
        assert sorted((tmp_path / "audit").iterdir()) == before
        assert len(on.patches()) == written
        assert on.cxplan("drift", "--audit", "its-own", "--json").code == 0
