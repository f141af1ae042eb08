"""A certificate authority for all, and a mark for what only a nightly run has time for."""

from __future__ import annotations

import pytest

from tests.bad.certificates import Authority, authority

NIGHTLY = "nightly"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{NIGHTLY}: takes minutes; run with -m {NIGHTLY}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the nightly tests out unless -m asks for something."""
    if config.option.markexpr:
        return
    kept = [item for item in items if item.get_closest_marker(NIGHTLY) is None]
    left = [item for item in items if item.get_closest_marker(NIGHTLY) is not None]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"))
