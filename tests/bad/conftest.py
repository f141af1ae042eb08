"""A certificate authority for all."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from tests.bad.certificates import Authority, authority


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(autouse=True)
def half_made_connections() -> Iterator[None]:
    """Collect what a refused TLS handshake leaves at the simulator, whose loop has ended by then.

    asyncio before 3.13 lists no such connection, so nobody can close it; here it is dropped
    without a word, and warnings stay errors everywhere else.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
