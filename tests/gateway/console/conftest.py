from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console import console
from tests.gateway.api.gate import Gate, open_gate


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path) as gate:
        console.install(gate.app)
        yield gate
