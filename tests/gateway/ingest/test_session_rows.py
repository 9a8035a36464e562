"""Sessions survive a restart: subscription, unacknowledged commands, and the end of the session."""

from __future__ import annotations

from pathlib import Path

from gateway.ingest.session import Command, SessionState, SessionStore
from gateway.ingest.session_rows import SessionRows
from gateway.store.store import Store


def state(name: str, client: str = "c") -> SessionState:
    command = Command("city/streetlight/A/command", b"\x00\xff{}", 1, 1_790_000_000_000_000)
    return SessionState(
        "device", name, client, 3600, None, {f"city/streetlight/{name}/command": 1}, [command, command]
    )


async def test_what_was_saved_is_loaded_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/operations.sqlite"
    many = {(f"L{n}", "c"): state(f"L{n}") for n in range(450)}
    async with Store(url) as store:
        await store.migrate()
        rows: SessionStore = SessionRows(store)
        await rows.save({("A", "c"): state("A"), ("A", "d"): state("A", "d"), ("B", "c"): state("B")})
        await rows.save({("A", "d"): None, ("B", "c"): state("B"), ("never", "was"): None, **many})
    async with Store(url) as store:
        loaded = await SessionRows(store).load()
    assert {(one.name, one.client_id): one for one in loaded} == {
        ("A", "c"): state("A"),
        ("B", "c"): state("B"),
        **many,
    }
