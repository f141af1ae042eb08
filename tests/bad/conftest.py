"""A certificate authority for all."""

from __future__ import annotations

import pytest

from tests.bad.certificates import Authority, authority


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"))
