from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.gateway.cases import city
from tests.gateway.store.postgres import Server


@pytest.fixture(scope="session")
def server_engine(postgresql: Server) -> Iterator[Engine]:
    engine = city.engine_of(postgresql.fresh())
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def every_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The next city stands in a database of this kind; it leaves it empty."""
    kind: str = request.param
    if kind == "postgresql":
        monkeypatch.setattr(city, "FREE", [request.getfixturevalue("server_engine")])
    return kind
