"""What shadows say: counted once by day of the city and area, whatever is replayed, and bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from gateway.registry import rulebook_shadows
from gateway.registry.rulebook_shadows import Count, Shadows
from gateway.store.schema.rules import shadow_transition
from gateway.store.store import Store
from rules.transition import Transition

MIDNIGHT = 1_773_158_400_000_000  # 2026-03-11 00:00 in Shanghai
AREAS = {0: "xuhui", 1: ""}


def said(number: int, time: int, *, raised: bool = True, index: int = 0) -> Transition:
    return Transition(
        f"{number:032x}",
        "lean",
        2,
        "a",
        "major",
        "manhole",
        index,
        f"M-{index}",
        raised,
        time,
        time,
        {},
        True,
    )


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with Store(migrated_url) as store:
        await store.migrate()
        yield store


@pytest.fixture
def shadows() -> Shadows:
    return Shadows("Asia/Shanghai", lambda _, index: AREAS[index])


async def test_transitions_are_counted_once_by_day_and_area(store: Store, shadows: Shadows) -> None:
    first = [said(1, MIDNIGHT - 1), said(2, MIDNIGHT, raised=False), said(3, MIDNIGHT, index=1)]
    await store.write(lambda conn: shadows.note(conn, first))
    await store.write(
        lambda conn: shadows.note(conn, [*first, said(4, MIDNIGHT + 5)])
    )  # replayed, and one more
    assert await store.read(rulebook_shadows.counts) == [
        Count("lean", 2, "2026-03-11", "", 1, 0),
        Count("lean", 2, "2026-03-11", "xuhui", 1, 1),
        Count("lean", 2, "2026-03-10", "xuhui", 1, 0),
    ]
    newest = await store.read(lambda conn: rulebook_shadows.newest(conn, "lean", 1))
    assert [(one.device, one.time) for one in newest] == [("M-0", MIDNIGHT + 5)]


async def test_what_is_kept_is_bounded(
    store: Store, shadows: Shadows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rulebook_shadows, "MOST_KEPT", 10)
    monkeypatch.setattr(rulebook_shadows, "DAYS", 1)
    day = 86_400_000_000
    for start in range(4):
        some = [said(start * 5 + place, MIDNIGHT + start * day + place) for place in range(5)]
        await store.write(lambda conn, some=some: shadows.note(conn, some))  # type: ignore[misc]
    assert (
        await store.read(lambda conn: conn.scalar(select(func.count()).select_from(shadow_transition))) == 10
    )
    assert [one.day for one in await store.read(rulebook_shadows.counts)] == ["2026-03-14", "2026-03-13"]
