"""A ledger made once for a module, and a copy of it for each test to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.scene import Scene, copied, new_scene


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return new_scene(tmp_path_factory.mktemp("template"))


@pytest.fixture
def scene(template: Scene, tmp_path: Path) -> Scene:
    return copied(template, tmp_path)
