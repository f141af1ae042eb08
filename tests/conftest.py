"""What all tests share: the flag that regenerates golden files, and the nightly mark."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write the golden files anew; read their diff before you commit",
    )


@pytest.fixture(scope="session")
def vectors() -> Path:
    return Path(__file__).parent / "vectors"
