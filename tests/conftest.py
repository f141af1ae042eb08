"""What all tests share: the flag that regenerates golden files, and the fixed instant."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write the golden files anew; read their diff before you commit",
    )


@pytest.fixture(scope="session")
def vectors() -> Path:
    return Path(__file__).parent / "vectors"
